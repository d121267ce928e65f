//! Flags, log lines, signals, HTTP frame: what every daemon shares.
//!
//! A daemon's `main` reads its options with [`mod@flags`], opens a [`Logger`], turns signals into a
//! [`Shutdown`] and serves its endpoints with [`http`]. Nothing in here knows about topics.

mod aside;
mod connection_meter;
pub mod duration;
pub mod flags;
pub mod host;
pub mod http;
mod listen;
pub mod local_time;
mod log;
mod reload;
mod shutdown;
mod signals;
pub mod version;

pub use aside::Aside;
pub use connection_meter::{ConnectionMeter, OpenConnection};
pub use listen::{ListenError, full_address, listen};
pub use log::{InvalidLogLevel, LogFormat, LogLevel, Logger};
pub use reload::{Reload, Reloadable};
pub use shutdown::Shutdown;
pub use signals::Signals;
