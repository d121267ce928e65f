//! Daemons as processes of their own, and what becomes of them when they lose each other.

mod killed;
mod namespaces;
mod originals;
mod partition;
mod proxy;
mod registry;

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How long to wait for something that must happen. Only a defect makes a test wait so long: the
/// original notices a lost nsqlookupd with the next ping, 15 seconds later, and then tries again
/// with the one after that.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `look` finds what is expected.
#[track_caller]
fn eventually<T: PartialEq + Debug>(what: &str, expected: &T, mut look: impl FnMut() -> T) {
    let began = Instant::now();
    loop {
        let found = look();
        if found == *expected {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}\nexpected: {expected:#?}\nfound: {found:#?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}

#[track_caller]
fn eventually_holds(what: &str, condition: impl FnMut() -> bool) {
    eventually(what, &true, condition);
}
