//! tcp-protocol.md §10, §13 and §22.8: messages that come when they are due, not before.

use std::time::{Duration, Instant};

use crate::support::{Client, Daemon, deferred, eventually, is_original, publish};

#[track_caller]
fn publish_deferred(daemon: &Daemon, delay_ms: u64, body: &str) {
    let mut client = daemon.client();
    client.send(deferred("t", delay_ms, body));
    client.expect_ok();
}

#[track_caller]
fn expect_after(client: &mut Client, began: Instant, delay_ms: u64, body: &str, attempts: u16) {
    let message = client.expect_message();
    assert!(began.elapsed() >= Duration::from_millis(delay_ms), "{body} came before it was due");
    assert_eq!((message.text(), message.attempts), (body, attempts));
    client.finish(&message);
}

#[test]
fn a_deferred_publish_comes_when_due() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    let began = Instant::now();
    let mut publisher = daemon.client();
    let script =
        [deferred("t", 600, "late"), deferred("t", 300, "early"), publish("t", "now")].concat();
    publisher.send(script);
    assert_eq!(client.expect_message().text(), "now");
    if is_original() {
        // Its sweep may look for the first time when both are due.
        client.expect_bodies(2);
    } else {
        expect_after(&mut client, began, 300, "early", 1);
        expect_after(&mut client, began, 600, "late", 1);
    }
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 0);
}

#[test]
fn each_channel_defers_for_itself() {
    let daemon = Daemon::start(&[]);
    let mut channels = ["a", "b"].map(|channel| daemon.consumer("t", channel));
    let began = Instant::now();
    publish_deferred(&daemon, 300, "x");
    for client in &mut channels {
        client.ready(1);
        expect_after(client, began, 300, "x", 1);
    }
}

#[test]
fn the_delay_counts_from_publishing_even_before_the_first_channel() {
    // In the original it counts from when the channel sees the message.
    let daemon = Daemon::start(&[]);
    let began = Instant::now();
    publish_deferred(&daemon, 400, "x");
    publish_deferred(&daemon, 3_000_000, "y");
    assert_eq!(daemon.topic("t")["depth"], 2);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    expect_after(&mut client, began, 400, "x", 1);
    client.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
}

#[test]
fn a_delay_over_http() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    let began = Instant::now();
    assert_eq!(daemon.post("/pub?topic=t&defer=0", "now").line(), "200 OK");
    assert_eq!(daemon.post("/pub?topic=t&defer=300", "x").line(), "200 OK");
    assert_eq!(client.expect_message().text(), "now");
    expect_after(&mut client, began, 300, "x", 1);
}

#[test]
fn a_requeue_with_a_delay_comes_when_due() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    daemon.publish("t", "a");
    let a = client.expect_message();
    let began = Instant::now();
    client.requeue(&a, 300);
    expect_after(&mut client, began, 300, "a", 2);
    assert_eq!(daemon.channel_number("t", "c", "requeue_count"), 1);
}

#[test]
fn deferred_messages_do_not_hold_up_others() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    let mut publisher = daemon.client();
    for number in 0..20 {
        publisher.send(deferred("t", 60_000, format!("later{number}")));
        publisher.send(publish("t", format!("now{number}")));
        publisher.expect_ok();
        publisher.expect_ok();
    }
    for number in 0..20 {
        let message = client.expect_message();
        assert_eq!(message.text(), format!("now{number}"));
        client.finish(&message);
    }
    eventually("the others wait", || daemon.channel_number("t", "c", "deferred_count") == 20);
    let channel = daemon.channel("t", "c");
    assert_eq!((&channel["depth"], &channel["message_count"]), (&0.into(), &40.into()));
}
