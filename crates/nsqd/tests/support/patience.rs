//! Waiting for what must come.

use std::time::{Duration, Instant};

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
