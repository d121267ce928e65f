//! nsq_to_file with real daemons: what it writes, what it finishes, how it ends.

mod archive;
mod command_line;
#[path = "../support/daemon.rs"]
mod daemon;
mod discovery;
mod files;
mod kill;
mod rotation;
mod signals;
mod written;
