//! nsqlookupd.md §7: nsqd as the client of nsqlookupd.

use crate::support::{Daemon, Lookupd, Manner, eventually, is_original};

const OVERSIZED: &[u8] = &[0x7f, 0xff, 0xff, 0xff, b'x'];
const NEGATIVE: &[u8] = &[0xff, 0xff, 0xff, 0xff];
const GARBAGE: &[u8] = b"\0\0\0\x0eE_BAD_PROTOCOL";

/// The lines but for IDENTIFY, sorted: what comes in one go has no fixed order.
fn registrations(lines: &[String]) -> Vec<&str> {
    let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
    lines.retain(|line| line.starts_with("REGISTER ") || line.starts_with("UNREGISTER "));
    lines.sort_unstable();
    lines.dedup();
    lines
}

#[test]
fn identify_tells_who_the_daemon_is() {
    let lookupd = Lookupd::start(Manner::Proper);
    let daemon = Daemon::start(&[&lookupd.flag()]);
    let line = lookupd.take_lines(1).remove(0);
    let json: serde_json::Value =
        serde_json::from_str(line.strip_prefix("IDENTIFY ").expect("it comes first"))
            .expect("JSON");
    assert_eq!(json["broadcast_address"], "127.0.0.1");
    assert_eq!(json["tcp_port"], daemon.tcp().port());
    assert_eq!(json["http_port"], daemon.http().port());
    assert_eq!(json["version"], "1.3.0");
    let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["broadcast_address", "hostname", "http_port", "tcp_port", "version"]);
}

#[test]
fn what_comes_and_goes_is_registered_in_order() {
    let lookupd = Lookupd::start(Manner::Proper);
    let daemon = Daemon::start(&[&lookupd.flag()]);
    lookupd.take_lines(1);
    daemon.order("/topic/create?topic=t");
    let lines = lookupd.take_lines(2);
    assert_eq!(registrations(&lines), ["REGISTER t"]);
    daemon.order("/channel/create?topic=t&channel=c");
    assert_eq!(lookupd.take_lines(1), ["REGISTER t c"]);
    let consumer = daemon.consumer("t", "e#ephemeral");
    assert_eq!(lookupd.take_lines(1), ["REGISTER t e#ephemeral"]);
    drop(consumer);
    assert_eq!(lookupd.take_lines(1), ["UNREGISTER t e#ephemeral"]);
    daemon.order("/channel/delete?topic=t&channel=c");
    assert_eq!(lookupd.take_lines(1), ["UNREGISTER t c"]);
    daemon.order("/topic/delete?topic=t");
    assert_eq!(lookupd.take_lines(1), ["UNREGISTER t"]);
}

#[test]
fn everything_is_registered_after_a_reconnect_and_after_a_restart() {
    let lookupd = Lookupd::start(Manner::Proper);
    let mut daemon = Daemon::start(&[&lookupd.flag()]);
    lookupd.take_lines(1);
    for target in [
        "/topic/create?topic=a",
        "/channel/create?topic=a&channel=1",
        "/channel/create?topic=a&channel=2",
        "/topic/create?topic=b",
    ] {
        daemon.order(target);
    }
    let all = ["REGISTER a 1", "REGISTER a 2", "REGISTER b"];
    let mut seen = Vec::new();
    eventually("all is registered", || {
        seen.extend(lookupd.take_lines(0));
        all.iter().all(|line| seen.iter().any(|seen| seen == line))
    });
    if !is_original() {
        // The original notices with its next ping, and registers before it.
        lookupd.hang_up();
        assert_eq!(registrations(&lookupd.take_lines(4)), all);
    }
    daemon.restart();
    let lines = lookupd.take_lines(4);
    let mut lines = registrations(&lines);
    // The original says this besides.
    lines.retain(|line| *line != "REGISTER a");
    assert_eq!(lines, all);
}

/// A tombstone goes with UNREGISTER only: the new topic must not stay hidden behind it.
#[test]
fn a_topic_that_is_created_again_is_unregistered_first() {
    let lookupd = Lookupd::start(Manner::Proper);
    let daemon = Daemon::start(&[&lookupd.flag()]);
    lookupd.take_lines(1);
    daemon.publish("t", "x");
    lookupd.take_lines(2);
    daemon.order("/topic/delete?topic=t");
    daemon.publish("t", "x");
    let mut lines = Vec::new();
    eventually("it is registered again", || {
        lines.extend(lookupd.take_lines(0));
        lines.iter().any(|line| line == "REGISTER t")
    });
    lines.retain(|line| line.ends_with("REGISTER t"));
    assert_eq!(lines, ["UNREGISTER t", "REGISTER t"]);
}

#[test]
fn a_new_topic_gets_the_channels_that_any_nsqlookupd_knows() {
    let (one, other) = (Lookupd::start(Manner::Proper), Lookupd::start(Manner::Proper));
    // The original creates channels of any name.
    let bad = if is_original() { "b" } else { "not valid" };
    one.set_channels(Some(&format!(r#"["b","e#ephemeral","{bad}"]"#)));
    other.set_channels(Some(r#"["a","b"]"#));
    let daemon = Daemon::start(&[&one.flag(), &other.flag()]);
    one.take_lines(1);
    other.take_lines(1);
    daemon.publish("t", "x");
    eventually("the message is in both channels", || {
        ["a", "b"].iter().all(|name| daemon.channel("t", name)["depth"] == 1)
    });
    assert!(one.take_lines(0).contains(&"GET /channels?topic=t".to_owned()));
    let topic = daemon.topic("t");
    assert_eq!(topic["channels"].as_array().map(Vec::len), Some(2), "{topic}");
    assert_eq!(topic["depth"], 0);
}

/// Publishing goes on while nsqlookupd is asked, and a consumer gets what came meanwhile.
#[test]
fn an_nsqlookupd_that_does_not_answer_holds_up_nobody_for_long() {
    if is_original() {
        return;
    }
    let lookupd = Lookupd::start(Manner::Proper);
    lookupd.set_channels(None);
    let daemon = Daemon::start(&[&lookupd.flag(), "--http-client-request-timeout=300ms"]);
    lookupd.take_lines(1);
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(10);
    daemon.publish("t", "1");
    daemon.publish("t", "2");
    assert_eq!(consumer.expect_bodies(2), ["1", "2"]);
    // It is not asked again so soon.
    lookupd.take_lines(0);
    daemon.publish("t2", "1");
    eventually("the topic has begun", || lookupd.take_lines(0).contains(&"REGISTER t2".to_owned()));
}

#[test]
fn answers_that_make_no_sense_harm_nobody() {
    if is_original() {
        return;
    }
    for manner in [
        Manner::Answers(OVERSIZED),
        Manner::Answers(NEGATIVE),
        Manner::Answers(GARBAGE),
        Manner::Answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
        Manner::Silent,
    ] {
        let lookupd = Lookupd::start(manner);
        let daemon = Daemon::start(&[&lookupd.flag()]);
        lookupd.take_lines(1);
        daemon.publish("t", "x");
        let mut consumer = daemon.consumer("t", "c");
        consumer.ready(1);
        assert_eq!(consumer.expect_message().text(), "x", "{manner:?}");
        // And when it comes to its senses it is told everything.
        lookupd.set_manner(Manner::Proper);
        lookupd.hang_up();
        eventually("all is registered", || {
            lookupd.take_lines(0).contains(&"REGISTER t c".to_owned())
        });
    }
}

#[test]
fn peers_are_changed_at_run_time() {
    let (first, second) = (Lookupd::start(Manner::Proper), Lookupd::start(Manner::Proper));
    let daemon = Daemon::start(&[&first.flag()]);
    first.take_lines(1);
    daemon.publish("t", "x");
    first.take_lines(2);
    let value = |lookupd: &Lookupd| format!("[\"{}\"]", lookupd.tcp);
    let target = "/config/nsqlookupd_tcp_addresses";
    assert_eq!(daemon.get(target).text(), value(&first));
    for bad in ["x", "{}", "[1]", "\"a\""] {
        let answer = daemon.request("PUT", target, bad);
        assert_eq!(answer.line(), "400 {\"message\":\"INVALID_VALUE\"}", "{bad}");
    }
    let answer = daemon.request("PUT", target, value(&second));
    assert_eq!((answer.status, answer.text()), (200, value(&second).as_str()));
    assert_eq!(registrations(&second.take_lines(2)), ["REGISTER t"]);
    // The first one hears nothing more.
    first.take_lines(0);
    daemon.publish("t2", "x");
    eventually("the second one is told", || {
        second.take_lines(0).contains(&"REGISTER t2".to_owned())
    });
    assert_eq!(registrations(&first.take_lines(0)), [""; 0]);
    let none = if is_original() { "null" } else { "[]" };
    assert_eq!(daemon.request("PUT", target, "null").text(), none);
    assert_eq!(daemon.get(target).text(), none);
}
