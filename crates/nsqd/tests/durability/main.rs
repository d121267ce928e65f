//! What an `OK` is worth: whole daemons on a simulated disk that loses its power, or on which
//! processes are killed, at any moment.

mod disk_full;
mod failed_sync;
mod life;
mod promise;
mod relocation;
mod restart;
