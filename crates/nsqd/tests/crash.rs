//! Kill -9 under load, with the program itself.

use std::path::Path;

use nsq_sim::{CrashPlan, crash};

#[test]
fn killed_again_and_again_it_loses_nothing_that_was_acknowledged() {
    // Of each of the three topics the newest, and one or two with copies of deferred messages.
    let segments_max = 9;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let outcome = crash(&CrashPlan {
        program: Path::new(env!("CARGO_BIN_EXE_nsqd")).to_owned(),
        data_path: directory.path().to_owned(),
        rounds: 12,
        seed: 1,
        messages: 20_000,
        max_bytes_per_file: 100_000,
        segments_max,
    });
    let outcome = outcome.expect("the daemon starts again and again");
    assert!(outcome.is_good(), "{outcome}");
    assert!(outcome.segments <= segments_max, "{outcome}");
}
