//! tcp-protocol.md §17: what a topic does with its messages.

use crate::support::{Daemon, eventually, is_original, publish, publish_many};

#[track_caller]
fn publish_all(daemon: &Daemon, topic: &str, bodies: &[&str]) {
    let mut client = daemon.client();
    client.send(publish_many(topic, bodies));
    client.expect_ok();
}

#[track_caller]
fn check_counts(daemon: &Daemon, depth: i64, message_count: i64) {
    eventually(&format!("depth {depth}, message_count {message_count}"), || {
        let topic = daemon.topic("t");
        topic["depth"] == depth && topic["message_count"] == message_count
    });
}

#[test]
fn the_first_channel_gets_what_was_before_it() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, "t", &["a", "b"]);
    check_counts(&daemon, 2, 2);
    let mut first = daemon.consumer("t", "first");
    check_counts(&daemon, 0, 2);
    let mut second = daemon.consumer("t", "second");
    publish_all(&daemon, "t", &["c"]);
    first.ready(10);
    assert_eq!(first.expect_bodies(3), ["a", "b", "c"]);
    second.ready(10);
    assert_eq!(second.expect_bodies(1), ["c"]);
    second.expect_nothing();
    let count = |channel| daemon.channel_number("t", channel, "message_count");
    assert_eq!((count("first"), count("second")), (3, 1));
}

#[test]
fn without_channels_messages_gather_again() {
    let daemon = Daemon::start(&[]);
    let gone = daemon.consumer("t", "gone");
    publish_all(&daemon, "t", &["a"]);
    eventually("it is copied", || daemon.channel_number("t", "gone", "depth") == 1);
    daemon.order("/channel/delete?topic=t&channel=gone");
    drop(gone);
    publish_all(&daemon, "t", &["b", "c"]);
    check_counts(&daemon, 2, 3);
    let mut client = daemon.consumer("t", "new");
    client.ready(10);
    assert_eq!(client.expect_bodies(2), ["b", "c"]);
    client.expect_nothing();
}

#[test]
fn a_paused_topic_holds_back() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    publish_all(&daemon, "t", &["before"]);
    eventually("it is copied", || daemon.channel_number("t", "c", "depth") == 1);
    daemon.order("/topic/pause?topic=t");
    assert_eq!(daemon.topic("t")["paused"], true);
    publish_all(&daemon, "t", &["held", "back"]);
    check_counts(&daemon, 2, 3);
    client.ready(10);
    // What is in the channel flows on.
    assert_eq!(client.expect_bodies(1), ["before"]);
    client.expect_nothing();
    // A channel of this time gets everything held back.
    let mut late = daemon.consumer("t", "late");
    late.ready(10);
    late.expect_nothing();
    daemon.order("/topic/unpause?topic=t");
    assert_eq!(client.expect_bodies(2), ["held", "back"]);
    assert_eq!(late.expect_bodies(2), ["held", "back"]);
    assert_eq!(daemon.topic("t")["paused"], false);
    check_counts(&daemon, 0, 3);
}

#[test]
fn emptying_a_topic_leaves_its_channels_alone() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    publish_all(&daemon, "t", &["kept"]);
    eventually("it is copied", || daemon.channel_number("t", "c", "depth") == 1);
    daemon.order("/topic/pause?topic=t");
    publish_all(&daemon, "t", &["dropped", "too"]);
    check_counts(&daemon, 2, 3);
    daemon.order("/topic/empty?topic=t");
    check_counts(&daemon, 0, 3);
    daemon.order("/topic/unpause?topic=t");
    publish_all(&daemon, "t", &["new"]);
    client.ready(10);
    assert_eq!(client.expect_bodies(2), ["kept", "new"]);
    client.expect_nothing();
}

#[test]
fn emptying_a_topic_without_channels() {
    let daemon = Daemon::start(&[]);
    publish_all(&daemon, "t", &["a", "b"]);
    daemon.order("/topic/empty?topic=t");
    check_counts(&daemon, 0, 2);
    publish_all(&daemon, "t", &["c"]);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    assert_eq!(client.expect_bodies(1), ["c"]);
    client.expect_nothing();
}

#[test]
fn deleting_a_topic_closes_its_consumers_but_not_its_publishers() {
    let daemon = Daemon::start(&[]);
    let mut publisher = daemon.client();
    publisher.send(publish("t", "a"));
    publisher.expect_ok();
    let mut consumers = ["a", "b"].map(|channel| daemon.consumer("t", channel));
    let mut elsewhere = daemon.consumer("other", "c");
    daemon.order("/topic/delete?topic=t");
    for consumer in &mut consumers {
        // Without a frame.
        consumer.expect_closed();
    }
    assert!(daemon.topic("t").is_null());
    elsewhere.expect_nothing();
    // The next publish creates it anew, and nothing of the old one is there.
    publisher.send(publish("t", "new"));
    publisher.expect_ok();
    check_counts(&daemon, 1, 1);
    let mut client = daemon.consumer("t", "a");
    client.ready(10);
    assert_eq!(client.expect_bodies(1), ["new"]);
    client.expect_nothing();
}

#[test]
fn a_consumer_that_comes_while_a_topic_goes_finds_a_new_one() {
    // The original may answer `exiting`.
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            for _ in 0..200 {
                // A publish may still meet the old one, which is exiting; a SUB must not.
                let mut publisher = daemon.client();
                publisher.send(publish("t", "a"));
                publisher.next_frame().expect("an answer");
                daemon.consumer("t", "c");
                daemon.consumer("u", "c");
                daemon.consumer("u", "c#ephemeral");
            }
        });
        while !others.is_finished() {
            daemon.post("/topic/delete?topic=t", "");
            daemon.post("/channel/delete?topic=u&channel=c", "");
        }
    });
}

#[test]
fn statistics_of_a_topic() {
    let daemon = Daemon::start(&["--mem-queue-size=10"]);
    let mut client = daemon.client();
    for number in 0..25 {
        client.send(publish("t", format!("body{number:04}")));
        client.expect_ok();
    }
    let topic = daemon.topic("t");
    let fields = ["depth", "backend_depth", "message_count", "message_bytes"];
    let numbers = fields.map(|field| topic[field].as_i64().expect("a number"));
    assert_eq!(numbers, [25, 15, 25, 200]);
    assert_eq!((&topic["channels"], &topic["paused"]), (&serde_json::json!([]), &false.into()));
}

#[test]
fn an_ephemeral_topic_goes_with_its_last_channel() {
    let daemon = Daemon::start(&[]);
    // Not before it had one.
    daemon.publish("t#ephemeral", "a");
    assert_eq!(daemon.topic("t#ephemeral")["depth"], 1);
    let mut first = daemon.consumer("t#ephemeral", "x#ephemeral");
    let second = daemon.consumer("t#ephemeral", "y#ephemeral");
    first.ready(1);
    assert_eq!(first.expect_bodies(1), ["a"]);
    drop(first);
    eventually("the first channel is gone", || {
        daemon.channel("t#ephemeral", "x#ephemeral").is_null()
    });
    assert_eq!(daemon.topic("t#ephemeral")["topic_name"], "t#ephemeral");
    drop(second);
    eventually("the topic is gone", || daemon.topic("t#ephemeral").is_null());
    // A normal channel keeps it until it is deleted.
    let normal = daemon.consumer("t#ephemeral", "normal");
    drop(normal);
    eventually("it left", || daemon.channel_number("t#ephemeral", "normal", "client_count") == 0);
    assert!(!daemon.topic("t#ephemeral").is_null());
    daemon.order("/channel/delete?topic=t%23ephemeral&channel=normal");
    eventually("the topic is gone", || daemon.topic("t#ephemeral").is_null());
}

#[test]
fn an_ephemeral_topic_keeps_the_oldest_messages() {
    let daemon = Daemon::start(&["--mem-queue-size=100"]);
    let bodies: Vec<_> = (0..150).map(|number| number.to_string()).collect();
    let mut client = daemon.client();
    for body in &bodies {
        client.send(publish("t#ephemeral", body));
        client.expect_ok();
    }
    let topic = daemon.topic("t#ephemeral");
    assert_eq!((&topic["depth"], &topic["message_count"]), (&100.into(), &150.into()));
    let mut consumer = daemon.consumer("t#ephemeral", "c");
    consumer.ready(2500);
    assert_eq!(consumer.expect_bodies(100), bodies[..100]);
    consumer.expect_nothing();
}

#[test]
fn nothing_of_an_ephemeral_topic_is_on_disk() {
    let mut daemon = Daemon::start(&[]);
    let consumer = daemon.consumer("t#ephemeral", "c#ephemeral");
    daemon.publish("t#ephemeral", "a");
    daemon.publish("normal", "a");
    let other = daemon.consumer("normal", "c#ephemeral");
    daemon.stop();
    drop((consumer, other));
    let mut directories = vec![daemon.data_path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            assert!(!name.contains("ephemeral"), "{name}");
            match entry.file_type().unwrap().is_dir() {
                true => directories.push(entry.path()),
                false => {
                    let content = std::fs::read(entry.path()).unwrap();
                    let text = String::from_utf8_lossy(&content);
                    assert!(!text.contains("ephemeral"), "{name}");
                }
            }
        }
    }
    daemon.restart();
    assert_eq!(daemon.stats()["topics"].as_array().unwrap().len(), 1);
}
