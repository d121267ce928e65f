//! A simulated world for tests, never shipped: a disk that fails and forgets, clients that keep
//! account of every message, and a daemon that is killed again and again.

pub mod certificates;
pub mod command;
mod connection;
mod consumer;
mod crash;
mod daemon;
mod drain;
mod faulty_disk;
mod hostile;
pub mod http;
mod ledger;
mod lookup_consumer;
mod program;
mod publisher;
mod seed;
mod traffic;
mod tree;

pub use connection::{Connection, Message, Received};
pub use consumer::Temper;
pub use crash::{CrashPlan, Outcome, crash, segment_files};
pub use daemon::{Daemon, binary, example};
pub use drain::drain;
pub use faulty_disk::{Fault, FaultyDisk, Operation};
pub use hostile::{Attack, Hostility};
pub use ledger::{Ledger, Publish, Totals};
pub use lookup_consumer::LookupConsumer;
pub use program::Program;
pub use publisher::Style;
pub use seed::Seed;
pub use traffic::{Addresses, Traffic};
