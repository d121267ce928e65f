//! tcp-protocol.md §14, §15: signs of life, and what happens without them.

use std::time::{Duration, Instant};

use crate::support::{Client, Daemon, Frame, eventually, is_original, publish_many};

const SECOND: Duration = Duration::from_secs(1);

/// A client that identified with a heartbeat interval of one second, the shortest there is.
fn watched(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.identify(r#"{"heartbeat_interval":1000}"#);
    client
}

fn heartbeat() -> Frame {
    Frame::response("_heartbeat_")
}

#[test]
fn a_client_that_answers_stays() {
    let daemon = Daemon::start(&[]);
    let began = Instant::now();
    let mut client = watched(&daemon);
    for beat in 1..=3 {
        client.expect(&heartbeat());
        assert!(began.elapsed() >= beat * SECOND, "no heartbeat before its time");
        client.send("NOP\n");
    }
    client.subscribe("t", "c");
}

#[test]
fn a_silent_client_is_closed_after_two_intervals() {
    let daemon = Daemon::start(&[]);
    let began = Instant::now();
    let mut client = watched(&daemon);
    client.expect(&heartbeat());
    // The second heartbeat and the end fall on the same instant: either may win.
    while let Some(frame) = client.next_frame() {
        assert_eq!(frame, heartbeat());
    }
    assert!(began.elapsed() >= 2 * SECOND);
}

#[test]
fn any_command_is_a_sign_of_life() {
    let daemon = Daemon::start(&[]);
    let mut client = watched(&daemon);
    client.subscribe("t", "c");
    for command in ["RDY 1\n", "NOP\n", "RDY 0\n"] {
        client.expect(&heartbeat());
        client.send(command);
    }
    client.expect(&heartbeat());
    client.expect_nothing();
}

#[test]
fn half_a_line_is_no_sign_of_life() {
    let daemon = Daemon::start(&[]);
    let mut client = watched(&daemon);
    client.send("NO");
    client.expect(&heartbeat());
    client.send("P");
    while let Some(frame) = client.next_frame() {
        assert_eq!(frame, heartbeat());
    }
}

#[test]
fn a_body_that_does_not_come_is_told() {
    let daemon = Daemon::start(&[]);
    let mut client = watched(&daemon);
    client.send("PUB t\n\0\0\0\x05abc");
    let mut last = client.next_frame().expect("a heartbeat");
    while let Some(frame) = client.next_frame() {
        last = frame;
    }
    assert_eq!(last, Frame::error("E_BAD_MESSAGE PUB failed to read message body"));
    assert!(daemon.topic("t").is_null());
}

#[test]
fn without_heartbeats_a_client_may_be_silent() {
    let daemon = Daemon::start(&[]);
    let mut silent = daemon.client();
    silent.identify(r#"{"heartbeat_interval":-1}"#);
    // Its neighbour is closed meanwhile.
    let mut client = watched(&daemon);
    while client.next_frame().is_some() {}
    silent.send(publish_many("t", &["still there"]));
    silent.expect_ok();
}

#[test]
fn heartbeats_go_on_after_cls() {
    let daemon = Daemon::start(&[]);
    let mut client = watched(&daemon);
    client.subscribe("t", "c");
    client.send("CLS\n");
    client.expect(&Frame::response("CLOSE_WAIT"));
    for _ in 0..2 {
        client.expect(&heartbeat());
        client.send("NOP\n");
    }
    client.expect_nothing();
}

#[test]
fn deadlines_follow_a_later_identify_but_heartbeats_do_not() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.identify(r#"{"heartbeat_interval":30000}"#);
    let began = Instant::now();
    client.identify(r#"{"heartbeat_interval":1000}"#);
    client.expect_closed();
    assert!(began.elapsed() >= 2 * SECOND);
}

/// A consumer that takes messages of 256 kB and does not read them.
fn clogged(daemon: &Daemon) -> Client {
    let mut client = watched(daemon);
    client.subscribe("t", "clogged");
    client.ready(2500);
    let body = vec![b'x'; 256 << 10];
    let mut publisher = daemon.client();
    for _ in 0..10 {
        publisher.send(publish_many("t", &[&body; 16]));
        publisher.expect_ok();
    }
    client
}

#[test]
fn a_consumer_that_does_not_read_is_closed_and_others_go_on() {
    // In the original it stays for ever, without getting anything.
    let daemon = Daemon::start(&[]);
    let mut other = daemon.consumer("t", "other");
    other.ready(1);
    let mut client = clogged(&daemon);
    for _ in 0..160 {
        let message = other.expect_message();
        other.finish(&message);
    }
    if is_original() {
        return;
    }
    eventually("it is closed, whatever it says", || {
        // Commands alone are no sign that it reads; sending fails once it is closed.
        let closed = client.try_send("NOP\n").is_err();
        closed || daemon.channel_number("t", "clogged", "client_count") == 0
    });
    eventually("what it held is back", || {
        let channel = daemon.channel("t", "clogged");
        channel["in_flight_count"] == 0 && channel["depth"] == 160
    });
}
