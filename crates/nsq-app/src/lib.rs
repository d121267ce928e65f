//! Flags, log lines, signals, HTTP frame: what every daemon shares.
//!
//! [`daemon::main`] reads a daemon's options with [`mod@flags`] and opens a [`Logger`]. The daemon
//! turns [`Signals`] into a [`Shutdown`] and serves its endpoints with [`http`]. Nothing in here
//! knows about topics.

mod aside;
mod clock;
mod connection_meter;
pub mod daemon;
pub mod duration;
pub mod flags;
pub mod host;
pub mod http;
pub mod local_time;
mod log;
mod reload;
mod shutdown;
mod signals;
mod tls;
mod tokens;
pub mod version;

pub use aside::Aside;
pub use clock::{Clock, nanoseconds};
pub use connection_meter::{ConnectionMeter, OpenConnection};
pub use daemon::DaemonOptions;
pub use log::{InvalidLogLevel, LogFormat, LogLevel, Logger};
pub use reload::Reload;
pub use shutdown::Shutdown;
pub use signals::Signals;
pub use tls::{InvalidTls, TlsFlags};
pub use tokens::{InvalidTokens, TokenFile, TokenFileError, Tokens};
