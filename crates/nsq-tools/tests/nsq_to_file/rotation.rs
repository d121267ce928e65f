//! When the next file begins.

use crate::archive::{Home, is_drained, nsqd, publish, wait_until};
use crate::written::sorted;

const SOON: &str = "--sync-interval=20ms";

#[test]
fn by_size() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--rotate-size=100", SOON]);
    let expected = publish(&nsqd, "t", "message", 100);
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    assert_eq!(archive.stop().0, Some(0));
    let written = home.finished();
    assert_eq!(written.lines(), sorted(expected));
    // The message that makes a file too large is still in it.
    let sizes = written.files.values().map(|lines| lines.iter().map(|line| line.len() + 1).sum());
    let sizes: Vec<usize> = sizes.collect();
    let (_, full) = sizes.split_last().expect("there are files");
    assert!(full.iter().all(|size| (101..=111).contains(size)), "{sizes:?}");
    assert_eq!(written.names().first(), Some(&"t-000000.log"));
}

#[test]
fn by_age() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--rotate-interval=50ms", "--gzip", SOON]);
    let mut expected = Vec::new();
    for round in 0..3 {
        expected.extend(publish(&nsqd, "t", &format!("round {round}"), 3));
        let elapsed = archive.line("since last open, rotating...");
        assert_eq!(elapsed, "since last open, rotating...");
    }
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    assert_eq!(archive.stop().0, Some(0));
    let written = home.finished();
    assert!(written.files.len() > 3, "{written:?}");
    assert!(written.torn.is_empty());
    assert_eq!(written.lines(), sorted(expected));
}

#[test]
fn by_date() {
    let (nsqd, home) = (nsqd(), Home::new());
    let format = "--filename-format=<TOPIC>/<DATETIME>.log";
    let archive = home.archive(&nsqd, &[format, "--datetime-format=%Y%m%d/%H%M%S", SOON]);
    let mut expected = publish(&nsqd, "t", "first", 1);
    let name = archive.line("new filename t/");
    assert!(name.ends_with(".log, rotating..."), "{name}");
    expected.extend(publish(&nsqd, "t", "second", 1));
    wait_until("all are finished", || is_drained(&nsqd, "t"));
    assert_eq!(archive.stop().0, Some(0));
    let written = home.finished();
    assert!(written.files.len() > 1, "{written:?}");
    assert_eq!(written.lines(), sorted(expected));
}
