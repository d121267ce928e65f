//! Files: plain, compressed, in a work dir, empty ones, ones that are there already.

use std::fs;
use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;

use crate::archive::{Home, is_drained, nsqd, publish, wait_until};
use crate::written::{Written, sorted};

const SOON: &str = "--sync-interval=20ms";

#[test]
fn plain_files_are_continued() {
    let (nsqd, home) = (nsqd(), Home::new());
    let mut expected = Vec::new();
    for run in ["first", "second"] {
        expected.extend(publish(&nsqd, "t", run, 500));
        let archive = home.archive(&nsqd, &[SOON]);
        wait_until("all are finished", || is_drained(&nsqd, "t"));
        assert_eq!(archive.stop().0, Some(0));
    }
    let written = home.finished();
    assert_eq!(written.names(), ["t.log"]);
    assert_eq!(written.lines(), sorted(expected));
}

#[test]
fn sigterm_finishes_what_was_not_synced() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--gzip", "--max-in-flight=1000"]);
    archive.line("connecting to nsqd");
    let expected = publish(&nsqd, "t", "message", 7);
    archive.line("opening ");
    let (code, log) = archive.stop();
    assert_eq!(code, Some(0), "{log:#?}");
    // What had not come yet stays with nsqd, and nothing is in flight.
    let written = home.finished();
    assert!(written.torn.is_empty(), "{written:?}");
    let rest = home.archive(&nsqd, &["--gzip", SOON]);
    rest.line("connecting to nsqd");
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    assert_eq!(rest.stop().0, Some(0));
    assert_eq!(home.finished().lines(), sorted(expected));
}

#[test]
fn gzip_files_are_sequences_of_members() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--gzip", "--max-in-flight=10", SOON]);
    let expected = publish(&nsqd, "t", "message", 300);
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    // Before it is closed: every finished message can be unzipped.
    assert_eq!(home.finished().lines(), sorted(expected.clone()));
    assert_eq!(archive.stop().0, Some(0));
    let written = home.finished();
    assert_eq!(written.names(), ["t-000000.log.gz"]);
    assert_eq!(written.lines(), sorted(expected));
    assert!(written.torn.is_empty());
}

#[test]
fn a_work_dir_in_another_file_system() {
    let (nsqd, home) = (nsqd(), Home::new());
    let other = TempDir::new_in("/dev/shm").expect("a directory");
    let device = |path: &std::path::Path| path.metadata().expect("it is there").dev();
    fs::create_dir(home.out()).expect("room");
    assert_ne!(device(other.path()), device(&home.out()), "this needs two file systems");
    let work = format!("--work-dir={}", other.path().display());
    let archive = home.archive(&nsqd, &[&work, SOON]);
    let expected = publish(&nsqd, "t", "message", 50);
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    assert!(home.finished().files.is_empty(), "nothing is finished yet");
    assert_eq!(archive.stop().0, Some(0));
    let written = home.finished();
    assert_eq!(written.names(), ["t-000000.log"]);
    assert_eq!(written.lines(), sorted(expected));
    assert!(Written::read(other.path()).files.is_empty());
}

#[test]
fn what_a_killed_run_left_is_told_and_left_alone() {
    let (nsqd, home) = (nsqd(), Home::new());
    fs::create_dir(home.work()).expect("room");
    fs::create_dir(home.out()).expect("room");
    fs::write(home.work().join("t-000000.log"), "left\nto").expect("room");
    fs::write(home.out().join("t-000001.log"), "there\n").expect("room");
    let work = home.work_dir();
    let archive = home.archive(&nsqd, &[&work, SOON]);
    let told = archive.line("1 left-over files in work dir");
    assert!(told.contains("/work/t-000000.log: "), "{told}");
    publish(&nsqd, "t", "message", 1);
    archive.line("working file already exists: ");
    archive.line("output file already exists: ");
    wait_until("it is finished", || is_drained(&nsqd, "t"));
    assert_eq!(archive.stop().0, Some(0));
    let left = fs::read_to_string(home.work().join("t-000000.log")).expect("it is there");
    assert_eq!(left, "left\nto");
    assert_eq!(home.finished().names(), ["t-000001.log", "t-000002.log"]);
    assert_eq!(home.finished().lines(), ["message 0", "there"]);
}

#[test]
fn empty_files_can_be_skipped() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--rotate-interval=1ms", SOON]);
    wait_until("empty files", || home.finished().files.len() > 2);
    assert_eq!(archive.stop().0, Some(0));
    let skipping = Home::new();
    let archive = skipping.archive(&nsqd, &["--rotate-interval=1ms", "--skip-empty-files", SOON]);
    for round in 0..3 {
        publish(&nsqd, "t", "message", 1);
        wait_until("it is finished", || is_drained(&nsqd, "t"));
        wait_until("it is in a file of its own", || skipping.finished().files.len() == round + 1);
    }
    assert_eq!(archive.stop().0, Some(0));
    let written = skipping.finished();
    assert_eq!(written.files.len(), 3);
    assert!(written.files.values().all(|lines| lines.len() == 1), "{written:?}");
}

#[test]
fn a_disk_that_does_not_take_it_ends_it() {
    let (nsqd, home) = (nsqd(), Home::new());
    fs::write(home.out(), "a file").expect("room");
    publish(&nsqd, "t", "message", 1);
    let (code, log) = home.archive(&nsqd, &[]).wait();
    assert_eq!(code, Some(1));
    let fatal = log.iter().find(|line| line.contains(" FATAL: ")).expect("it says why");
    assert!(fatal.contains(" FATAL: [t/nsq_to_file] unable to create dir: "), "{fatal}");
    wait_until("it is in the channel again", || !is_drained(&nsqd, "t"));
}
