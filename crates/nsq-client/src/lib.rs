//! Producer and Consumer of NSQ messages.

mod config;
mod duration;

pub use config::{Config, InvalidOption};
