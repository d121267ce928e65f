//! http-api.md §11: `/debug/*`. Profiles of Go's runtime are not there, and that is said.

use crate::support::{Daemon, is_original};

const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

#[test]
fn what_is_there() {
    let daemon = Daemon::start(&[]);
    let answer = daemon.get("/debug/pprof/cmdline");
    assert_eq!((answer.status, answer.header("Content-Type")), (200, TEXT));
    assert!(!answer.text().is_empty() && !answer.text().ends_with('\0'));
    let moved = daemon.get("/debug/pprof");
    assert_eq!((moved.status, moved.header("Location")), (301, Some("/debug/pprof/")));
    if is_original() {
        return;
    }
    let index = daemon.get("/debug/pprof/");
    assert_eq!((index.status, index.header("Content-Type")), (200, TEXT));
    assert!(index.text().contains("/debug/pprof/heap"));
    daemon.order("/topic/create?topic=t");
    daemon.order("/channel/create?topic=t&channel=c");
    let _client = daemon.consumer("t", "d");
    let heap = daemon.get("/debug/pprof/heap");
    assert_eq!((heap.status, heap.header("Content-Type")), (200, TEXT));
    let figure = |name: &str| -> u64 {
        let line = heap.text().lines().find_map(|line| line.strip_prefix(name));
        line.expect(name).trim().parse().expect("a number")
    };
    for (name, expected) in [("topics ", 1), ("channels ", 2), ("clients ", 1)] {
        assert_eq!(figure(name), expected, "{name}");
    }
    assert!(figure("resident_bytes ") >= figure("anonymous_bytes "));
    assert!(figure("anonymous_bytes ") > 0);
}

#[test]
fn what_is_not_there() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let table = [
        ("GET", "/debug/pprof/profile?seconds=1", "perf record"),
        ("GET", "/debug/pprof/goroutine", "no goroutines"),
        ("GET", "/debug/pprof/block", "no goroutines"),
        ("GET", "/debug/pprof/threadcreate", "no goroutines"),
        ("GET", "/debug/pprof/symbol", "no symbols"),
        ("POST", "/debug/pprof/symbol", "no symbols"),
        ("POST", "/debug/freememory", "no garbage collector"),
        ("PUT", "/debug/setblockrate?rate=1", "no block profile"),
        // As in Go NSQ there are no such paths.
        ("GET", "/debug/pprof/trace", "NOT_FOUND"),
        ("GET", "/debug/pprof/allocs", "NOT_FOUND"),
        ("GET", "/debug/", "NOT_FOUND"),
    ];
    for (method, target, why) in table {
        let answer = daemon.request(method, target, "");
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.text().contains(why), "{target}: {}", answer.text());
    }
}
