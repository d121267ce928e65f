//! tcp-protocol.md §17: what an operator does to a channel, and channels that come and go.

use crate::support::{Client, Daemon, Message, eventually, publish, publish_many};

#[track_caller]
fn publish_all(daemon: &Daemon, bodies: &[&str]) {
    let mut client = daemon.client();
    client.send(publish_many("t", bodies));
    client.expect_ok();
}

#[test]
fn a_paused_channel_delivers_nothing() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    let mut other = daemon.consumer("t", "other");
    publish_all(&daemon, &["a"]);
    client.ready(1);
    let a = client.expect_message();
    daemon.order("/channel/pause?topic=t&channel=c");
    daemon.order("/channel/pause?topic=t&channel=c");
    assert_eq!(daemon.channel("t", "c")["paused"], true);
    publish_all(&daemon, &["b"]);
    // What is in flight can be answered, and other channels do not care.
    client.send(format!("TOUCH {}\n", a.id));
    client.requeue(&a, 0);
    client.expect_nothing();
    other.ready(2);
    assert_eq!(other.expect_bodies(2), ["a", "b"]);
    eventually("both wait", || daemon.channel_number("t", "c", "depth") == 2);
    daemon.order("/channel/unpause?topic=t&channel=c");
    assert_eq!(daemon.channel("t", "c")["paused"], false);
    client.ready(2);
    let mut bodies = client.expect_bodies(2);
    bodies.sort();
    assert_eq!(bodies, ["a", "b"]);
}

/// A channel with two messages waiting, two in flight and two deferred.
#[track_caller]
fn mixed(daemon: &Daemon) -> (Client, Message) {
    let mut client = daemon.consumer("t", "c");
    publish_all(daemon, &["a", "b", "c", "d", "e", "f"]);
    client.ready(2);
    for _ in 0..2 {
        let message = client.expect_message();
        client.requeue(&message, 60_000);
    }
    let message = client.expect_message();
    client.expect_message();
    check_channel(daemon, [2, 2, 2, 6]);
    (client, message)
}

/// depth, in_flight_count, deferred_count, message_count
#[track_caller]
fn check_channel(daemon: &Daemon, expected: [i64; 4]) {
    let fields = ["depth", "in_flight_count", "deferred_count", "message_count"];
    eventually(&format!("{fields:?} are {expected:?}"), || {
        let channel = daemon.channel("t", "c");
        fields.map(|field| channel[field].as_i64().expect("a number")) == expected
    });
}

#[test]
fn emptying_a_channel_drops_all_it_has() {
    let daemon = Daemon::start(&[]);
    let (mut client, message) = mixed(&daemon);
    daemon.order("/channel/empty?topic=t&channel=c");
    check_channel(&daemon, [0, 0, 0, 6]);
    assert_eq!(daemon.channel("t", "c")["clients"][0]["in_flight_count"], 0);
    let id = &message.id;
    for (verb, rest) in [("FIN", ""), ("REQ", " 0"), ("TOUCH", "")] {
        client.send(format!("{verb} {id}{rest}\n"));
        client.expect_error(format!("E_{verb}_FAILED {verb} {id} failed ID not in flight"));
    }
    // All places are free again.
    publish_all(&daemon, &["g", "h", "i"]);
    assert_eq!(client.expect_bodies(2), ["g", "h"]);
    client.expect_nothing();
}

#[test]
fn deleting_a_channel_closes_its_consumers() {
    let daemon = Daemon::start(&[]);
    let (mut client, _) = mixed(&daemon);
    let mut idle = daemon.consumer("t", "c");
    let mut other = daemon.consumer("t", "other");
    daemon.order("/channel/delete?topic=t&channel=c");
    client.expect_closed();
    idle.expect_closed();
    assert!(daemon.channel("t", "c").is_null());
    other.expect_nothing();
    // A new one with the same name has nothing of it.
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    client.expect_nothing();
    check_channel(&daemon, [0, 0, 0, 0]);
    publish_all(&daemon, &["new"]);
    assert_eq!(client.expect_bodies(1), ["new"]);
}

#[test]
fn a_normal_channel_stays_without_consumers() {
    let daemon = Daemon::start(&[]);
    drop(daemon.consumer("t", "c"));
    eventually("it left", || daemon.channel_number("t", "c", "client_count") == 0);
    publish_all(&daemon, &["a"]);
    eventually("it waits", || daemon.channel_number("t", "c", "depth") == 1);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    assert_eq!(client.expect_bodies(1), ["a"]);
}

#[test]
fn an_ephemeral_channel_keeps_the_oldest_messages_and_goes_with_its_last_consumer() {
    let daemon = Daemon::start(&["--mem-queue-size=100"]);
    let mut client = daemon.consumer("t", "c#ephemeral");
    let second = daemon.consumer("t", "c#ephemeral");
    let mut publisher = daemon.client();
    let bodies: Vec<_> = (0..150).map(|number| number.to_string()).collect();
    for body in &bodies {
        publisher.send(publish("t", body));
        publisher.expect_ok();
    }
    eventually("it has seen all", || {
        daemon.channel_number("t", "c#ephemeral", "message_count") == 150
    });
    assert_eq!(daemon.channel_number("t", "c#ephemeral", "depth"), 100);
    client.ready(2500);
    assert_eq!(client.expect_bodies(100), bodies[..100]);
    client.expect_nothing();
    drop(client);
    eventually("one left", || daemon.channel_number("t", "c#ephemeral", "client_count") == 1);
    drop(second);
    eventually("it is gone", || daemon.channel("t", "c#ephemeral").is_null());
    assert!(!daemon.topic("t").is_null());
}

#[test]
fn names_of_one_dot_and_two_are_names() {
    let mut daemon = Daemon::start(&[]);
    for name in [".", "..", "-"] {
        let mut client = daemon.consumer(name, name);
        daemon.publish(name, name);
        client.ready(1);
        assert_eq!(client.expect_bodies(1), [name]);
    }
    daemon.restart();
    for name in [".", "..", "-"] {
        let mut client = daemon.consumer(name, name);
        client.ready(1);
        let message = client.expect_message();
        assert_eq!((message.text(), message.attempts), (name, 2));
        client.finish(&message);
        client.expect_nothing();
        daemon.order(&format!("/topic/delete?topic={name}"));
        client.expect_closed();
    }
    assert_eq!(daemon.stats()["topics"], serde_json::json!([]));
}
