//! Requests that wait for another answer. Only ours have them.

use crate::support::{Answer, Daemon, ask_later, eventually, is_original, names};

#[track_caller]
fn index(answer: &Answer) -> u64 {
    let index = answer.header("X-Nsq-Index").expect("a number");
    index.parse().expect("a number")
}

/// Asks with what is there now, does something, and gets what there is then.
#[track_caller]
fn after(daemon: &Daemon, target: &str, cause: impl FnOnce()) -> Answer {
    let separator = if target.contains('?') { '&' } else { '?' };
    let before = daemon.get(target);
    let waiting = format!("{target}{separator}wait=5m&index={}", index(&before));
    let asked = ask_later(daemon.http(), "GET", &waiting);
    cause();
    let answer = asked.answer();
    assert_ne!(index(&answer), index(&before), "{target}: {}", answer.line());
    answer
}

fn daemon(flags: &[&str]) -> Option<Daemon> {
    (!is_original()).then(|| Daemon::start(flags))
}

#[test]
fn a_lookup_waits_for_each_kind_of_change() {
    let Some(daemon) = daemon(&[]) else { return };
    let target = "/lookup?topic=t";
    let mut nsqd = daemon.nsqd("a");
    // A topic that does not exist yet is waited for.
    let answer = after(&daemon, target, || nsqd.order("REGISTER t"));
    assert_eq!(names(&answer), ["a"]);
    let answer = after(&daemon, target, || nsqd.order("REGISTER t c"));
    assert!(answer.body.starts_with(r#"{"channels":["c"],"#));
    let answer = after(&daemon, target, || daemon.order("/channel/create?topic=t&channel=d"));
    assert!(answer.body.starts_with(r#"{"channels":["c","d"],"#));
    let answer = after(&daemon, target, || daemon.order("/channel/delete?topic=t&channel=d"));
    assert!(answer.body.starts_with(r#"{"channels":["c"],"#));
    let hide = "/topic/tombstone?topic=t&node=a:4151";
    assert_eq!(names(&after(&daemon, target, || daemon.order(hide))), [""; 0]);
    nsqd.order("UNREGISTER t");
    assert_eq!(names(&after(&daemon, target, || nsqd.order("REGISTER t"))), ["a"]);
    let mut replacement = None;
    let answer = after(&daemon, target, || replacement = Some(daemon.nsqd("a")));
    assert_eq!(names(&answer), [""; 0]);
    assert_eq!(names(&after(&daemon, target, || nsqd.order("PING"))), ["a"]);
    assert_eq!(names(&after(&daemon, target, || drop(nsqd))), [""; 0]);
    let answer = after(&daemon, target, || daemon.order("/topic/delete?topic=t"));
    assert_eq!((answer.status, index(&answer)), (404, 0));
}

#[test]
fn a_tombstone_that_ends_is_a_change() {
    let Some(daemon) = daemon(&["--tombstone-lifetime=100ms"]) else { return };
    daemon.order("/topic/create?topic=t");
    // A hidden nsqd leaves the same answer as none.
    let hidden = index(&daemon.get("/lookup?topic=t"));
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t");
    daemon.order("/topic/tombstone?topic=t&node=a:4151");
    let answer = daemon.get(&format!("/lookup?topic=t&wait=5m&index={hidden}"));
    assert_eq!(names(&answer), ["a"]);
}

#[test]
fn silence_and_return_are_changes() {
    let Some(daemon) = daemon(&["--inactive-producer-timeout=1s"]) else { return };
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t");
    let wait = |target: &str, index: u64| {
        let separator = if target.contains('?') { '&' } else { '?' };
        let waiting = format!("{target}{separator}wait=5m&index={index}");
        ask_later(daemon.http(), "GET", &waiting)
    };
    let targets = ["/lookup?topic=t", "/nodes"];
    let active = targets.map(|target| index(&daemon.get(target)));
    let asked = [wait(targets[0], active[0]), wait(targets[1], active[1])];
    let silent = asked.map(|asked| asked.answer());
    for answer in &silent {
        assert_eq!(names(answer), [""; 0]);
    }
    let asked = [wait(targets[0], index(&silent[0])), wait(targets[1], index(&silent[1]))];
    nsqd.order("PING");
    for (asked, active) in asked.into_iter().zip(active) {
        assert_eq!(index(&asked.answer()), active);
    }
}

#[test]
fn nodes_wait_as_well() {
    let Some(daemon) = daemon(&[]) else { return };
    let mut nsqd = None;
    assert_eq!(names(&after(&daemon, "/nodes", || nsqd = Some(daemon.nsqd("a")))), ["a"]);
    let mut nsqd = nsqd.expect("it is connected");
    let answer = after(&daemon, "/nodes", || nsqd.order("REGISTER t"));
    assert!(answer.body.ends_with(r#""tombstones":[false],"topics":["t"]}]}"#));
    let hide = "/topic/tombstone?topic=t&node=a:4151";
    let answer = after(&daemon, "/nodes", || daemon.order(hide));
    assert!(answer.body.ends_with(r#""tombstones":[true],"topics":["t"]}]}"#));
    assert_eq!(names(&after(&daemon, "/nodes", || drop(nsqd))), [""; 0]);
}

#[test]
fn an_answer_that_is_news_comes_at_once() {
    let Some(daemon) = daemon(&[]) else { return };
    daemon.order("/topic/create?topic=t");
    for target in ["/lookup?topic=t", "/nodes"] {
        let now = daemon.get(target);
        let separator = if target.contains('?') { '&' } else { '?' };
        for waiting in ["wait=5m", "index=1", "wait=5m&index=1"] {
            let answer = daemon.get(&format!("{target}{separator}{waiting}"));
            assert_eq!((index(&answer), answer.body), (index(&now), now.body.clone()));
        }
    }
    assert_eq!(daemon.get("/topics").header("X-Nsq-Index"), None);
    assert_eq!(daemon.get("/lookup?topic=u").header("X-Nsq-Index"), Some("0"));
}

#[test]
fn the_wait_ends() {
    let Some(daemon) = daemon(&[]) else { return };
    daemon.order("/topic/create?topic=t");
    for target in ["/lookup?topic=t", "/lookup?topic=unknown", "/nodes"] {
        let now = daemon.get(target);
        let separator = if target.contains('?') { '&' } else { '?' };
        let waiting = format!("{target}{separator}wait=10ms&index={}", index(&now));
        let answer = daemon.get(&waiting);
        assert_eq!((answer.line(), index(&answer)), (now.line(), index(&now)), "{target}");
    }
    for (waiting, code) in [("wait=x&index=1", "WAIT"), ("wait=1s&index=x", "INDEX")] {
        let answer = daemon.get(&format!("/nodes?{waiting}"));
        assert_eq!(answer.line(), format!("400 {{\"message\":\"INVALID_ARG_{code}\"}}"));
    }
}

#[test]
fn a_daemon_that_stops_answers_those_who_wait() {
    let Some(daemon) = daemon(&[]) else { return };
    let asked = ask_later(daemon.http(), "GET", "/lookup?topic=t&wait=5m&index=0");
    eventually("the request waits", || {
        daemon.get("/metrics").body.contains("\nnsqlookupd_http_waiting_requests 1\n")
    });
    drop(daemon);
    assert_eq!(asked.answer().status, 404);
}
