//! SIGHUP, SIGINT, SIGTERM.

use rustix::process::Signal;

use crate::archive::{Home, is_drained, nsqd, publish, wait_until};
use crate::written::{Written, sorted};

/// Go's tool exits with an error at the first message after a SIGHUP here.
#[test]
fn sighup_with_a_work_dir() {
    for flags in [["--gzip"].as_slice(), &["--skip-empty-files"], &[]] {
        let (nsqd, home) = (nsqd(), Home::new());
        let work = home.work_dir();
        let flags = [&[&*work, "--sync-interval=1h"], flags].concat();
        let archive = home.archive(&nsqd, &flags);
        let mut expected = Vec::new();
        for round in 1..=3 {
            expected.extend(publish(&nsqd, "t", &format!("round {round}"), 1));
            wait_until("it is written", || Written::read(&home.work()).files.len() == 1);
            archive.signal(Signal::HUP);
            wait_until("it is moved", || home.finished().files.len() == round);
            wait_until("it is finished", || is_drained(&nsqd, "t"));
        }
        assert_eq!(archive.stop().0, Some(0), "{flags:?}");
        let written = home.finished();
        assert_eq!(written.lines(), sorted(expected), "{flags:?}");
        assert!(written.torn.is_empty());
    }
}

#[test]
fn sighup_lets_a_plain_file_be_renamed() {
    let (nsqd, home) = (nsqd(), Home::new());
    let archive = home.archive(&nsqd, &["--sync-interval=1h"]);
    publish(&nsqd, "t", "first", 1);
    wait_until("it is finished", || home.finished().lines() == ["first 0"]);
    let renamed = home.out().join("t.log.1");
    std::fs::rename(home.out().join("t.log"), renamed).expect("it is there");
    archive.signal(Signal::HUP);
    let mut round = 0;
    wait_until("there is a new file", || {
        round += 1;
        publish(&nsqd, "t", &format!("later {round}"), 1);
        home.finished().names().contains(&"t.log")
    });
    assert_eq!(archive.stop().0, Some(0));
}

#[test]
fn sigint_and_sigterm_move_everything() {
    for signal in [Signal::INT, Signal::TERM] {
        let (nsqd, home) = (nsqd(), Home::new());
        let work = home.work_dir();
        let archive = home.archive(&nsqd, &[&work, "--sync-interval=1h"]);
        let expected = publish(&nsqd, "t", "message", 3);
        let lines = || Written::read(&home.work()).lines();
        wait_until("all are written", || lines() == expected);
        archive.signal(signal);
        let (code, log) = archive.wait();
        assert_eq!(code, Some(0), "{log:#?}");
        assert!(is_drained(&nsqd, "t"), "all are finished");
        assert_eq!(home.finished().lines(), expected);
        assert!(Written::read(&home.work()).files.is_empty());
    }
}
