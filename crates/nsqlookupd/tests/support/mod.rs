//! What the transcripts are run with: a daemon of their own, and clients that speak bytes.

mod client;
mod daemon;
mod http;
mod program;

use std::time::{Duration, Instant};

pub(crate) use client::{Client, with_size};
pub(crate) use daemon::{Daemon, is_original, names, refused};
pub(crate) use http::{Answer, ask, ask_later};

/// How long to wait for something that must happen. Only a defect makes a test wait so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until the condition holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
