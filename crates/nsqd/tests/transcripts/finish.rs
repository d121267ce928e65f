//! tcp-protocol.md §13: FIN, REQ and TOUCH without the passing of time.

use crate::support::{Client, Daemon, eventually, is_original, publish, publish_many};

#[track_caller]
fn publish_all(daemon: &Daemon, bodies: &[&str]) {
    let mut client = daemon.client();
    client.send(publish_many("t", bodies));
    client.expect_ok();
}

#[test]
fn malformed_lines_are_fatal() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("FIN\n", "FIN insufficient number of params"),
        ("REQ\n", "REQ insufficient number of params"),
        ("REQ 0123456789abcdef\n", "REQ insufficient number of params"),
        ("REQ short\n", "REQ insufficient number of params"),
        ("TOUCH\n", "TOUCH insufficient number of params"),
        ("FIN \n", "invalid message ID"),
        ("FIN 0123456789abcde\n", "invalid message ID"),
        ("FIN 0123456789abcdef0\n", "invalid message ID"),
        ("REQ short x\n", "invalid message ID"),
        ("REQ  0\n", "invalid message ID"),
        ("TOUCH 0123456789abcde\n", "invalid message ID"),
        ("REQ 0123456789abcdef abc\n", "REQ could not parse timeout abc"),
        ("REQ 0123456789abcdef -1\n", "REQ could not parse timeout -1"),
        ("REQ 0123456789abcdef +1\n", "REQ could not parse timeout +1"),
        ("REQ 0123456789abcdef 1.5\n", "REQ could not parse timeout 1.5"),
    ];
    for (line, error) in cases {
        let mut client = daemon.consumer("t", "c");
        client.send(line);
        client.expect_last_error(format!("E_INVALID {error}"));
    }
}

#[track_caller]
fn expect_not_held(client: &mut Client, id: &[u8], why: &str) {
    for (verb, rest) in [("FIN", ""), ("REQ", " 0"), ("REQ", " 1000"), ("REQ", " "), ("TOUCH", "")]
    {
        let verb = verb.as_bytes();
        client.send([verb, b" ", id, rest.as_bytes(), b"\n"].concat());
        let code = [b"E_", verb, b"_FAILED ", verb, b" ", id].concat();
        client.expect_error([&code[..], b" failed ", why.as_bytes()].concat());
    }
}

#[test]
fn messages_that_are_not_held() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b"]);
    let mut client = daemon.consumer("t", "c");
    // Any sixteen bytes are an id.
    for id in [
        b"0000000000000000",
        b"zzzzzzzzzzzzzzzz",
        b"\xff\x00\x01\x02\x03\x04\x05\x06\xff\xff\xff\xff\xff\xff\xff!",
    ] {
        expect_not_held(&mut client, id, "ID not in flight");
    }
    client.ready(1);
    let message = client.expect_message();
    let mut other = daemon.consumer("t", "c");
    expect_not_held(&mut other, message.id.as_bytes(), "client does not own message");
    // In another channel it is not in flight.
    let mut elsewhere = daemon.consumer("t", "d");
    expect_not_held(&mut elsewhere, message.id.as_bytes(), "ID not in flight");
    client.ready(0);
    client.finish(&message);
    expect_not_held(&mut client, message.id.as_bytes(), "ID not in flight");
    // Requeued with a delay it is not in flight either.
    client.ready(1);
    let message = client.expect_message();
    client.ready(0);
    client.requeue(&message, 60_000);
    expect_not_held(&mut client, message.id.as_bytes(), "ID not in flight");
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
}

#[test]
fn a_finished_message_is_gone() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(2);
    let messages = [client.expect_message(), client.expect_message()];
    client.finish(&messages[1]);
    client.finish(&messages[0]);
    client.expect_nothing();
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["depth"], &channel["in_flight_count"]), (&0.into(), &0.into()));
    assert_eq!(channel["clients"][0]["finish_count"], 2);
    drop(client);
    let mut client = daemon.consumer("t", "c");
    client.ready(2);
    client.expect_nothing();
}

#[test]
fn requeue_goes_to_the_tail() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b", "c"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    let mut order = Vec::new();
    let a = client.expect_message();
    client.requeue(&a, 0);
    for _ in 0..3 {
        let message = client.expect_message();
        order.push(format!("{}{}", message.text(), message.attempts));
        client.finish(&message);
    }
    assert_eq!(order, ["b1", "c1", "a2"]);
    assert_eq!(daemon.channel_number("t", "c", "requeue_count"), 1);
}

#[test]
fn attempts_grow_and_the_rest_stays() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    let first = client.expect_message();
    client.requeue(&first, 0);
    for attempts in 2..=300 {
        let again = client.expect_message();
        assert_eq!((again.attempts, &again.id), (attempts, &first.id));
        assert_eq!((again.timestamp_ns, &again.body), (first.timestamp_ns, &first.body));
        client.requeue(&again, 0);
    }
    client.expect_message();
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["requeue_count"], &channel["message_count"]), (&300.into(), &1.into()));
    assert_eq!(channel["clients"][0]["requeue_count"], 300);
}

#[test]
fn requeue_frees_the_place_at_once() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    let a = client.expect_message();
    client.requeue(&a, 60_000);
    assert_eq!(client.expect_message().text(), "b");
    client.expect_nothing();
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["deferred_count"], &channel["in_flight_count"]), (&1.into(), &1.into()));
}

#[test]
fn a_large_delay_is_clamped() {
    let daemon = Daemon::start(&["--max-req-timeout=100ms"]);
    publish_all(&daemon, &["a", "b"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(2);
    let (a, b) = (client.expect_message(), client.expect_message());
    client.requeue(&a, 3_600_000);
    client.requeue(&b, 101);
    assert_eq!(client.expect_bodies(2), ["a", "b"]);
}

#[test]
fn numbers_beyond_64_bits_are_no_error() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    let a = client.expect_message();
    // The original wraps around, which makes this no delay; here it is a very long one.
    client.send(format!("REQ {} 18446744073709551616\n", a.id));
    if is_original() {
        assert_eq!(client.expect_message().attempts, 2);
    } else {
        client.expect_nothing();
        assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
    }
}

#[test]
fn finish_after_cls() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, &["a", "b", "c", "d"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(3);
    let [a, b, c] = [(); 3].map(|()| client.expect_message());
    client.send("CLS\n");
    client.expect(&crate::support::Frame::response("CLOSE_WAIT"));
    client.send("RDY 100\n");
    client.send(format!("TOUCH {}\n", a.id));
    client.finish(&a);
    client.requeue(&b, 0);
    client.expect_nothing();
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["depth"], &channel["in_flight_count"]), (&2.into(), &1.into()));
    assert_eq!(channel["clients"][0]["ready_count"], 0);
    client.finish(&c);
    client.send(publish("other", "publishing goes on"));
    client.expect_ok();
    client.send("CLS\n");
    client.expect_last_error("E_INVALID cannot CLS in current state");
}

/// A daemon that gives back what a client held. The original waits for the message timeout,
/// although the client's FIN can never come.
fn returning() -> Daemon {
    let timeout = if is_original() { "--msg-timeout=1s" } else { "--msg-timeout=60s" };
    Daemon::start(&[timeout])
}

#[test]
fn what_a_client_held_comes_back_when_it_goes() {
    let daemon = returning();
    publish_all(&daemon, &["a", "b"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(2);
    let mut other = daemon.consumer("t", "c");
    let held = [client.expect_message(), client.expect_message()];
    drop(client);
    other.ready(2);
    let mut again = [other.expect_message(), other.expect_message()];
    again.sort_by(|a, b| a.body.cmp(&b.body));
    for (held, again) in held.iter().zip(&again) {
        assert_eq!((&again.id, again.attempts), (&held.id, 2));
    }
    // Nothing had timed out.
    let timeouts = if is_original() { 2 } else { 0 };
    assert_eq!(daemon.channel_number("t", "c", "timeout_count"), timeouts);
}

#[test]
fn a_client_that_goes_leaves_its_answers_behind() {
    let daemon = returning();
    publish_all(&daemon, &["a", "b", "c"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(3);
    let [a, b, _c] = [(); 3].map(|()| client.expect_message());
    client.finish(&a);
    client.requeue(&b, 60_000);
    drop(client);
    eventually("it has left", || daemon.channel_number("t", "c", "client_count") == 0);
    let mut other = daemon.consumer("t", "c");
    other.ready(3);
    assert_eq!(other.expect_message().text(), "c");
    other.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
}
