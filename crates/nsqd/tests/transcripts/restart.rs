//! disk-format.md §13: what an orderly stop keeps, which here includes due times.

use std::time::{Duration, Instant};

use crate::support::{Client, Daemon, Message, deferred, eventually, is_original, publish_many};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

#[track_caller]
fn publish_all<B: AsRef<[u8]>>(daemon: &Daemon, bodies: &[B]) {
    let mut client = daemon.client();
    client.send(publish_many("t", bodies));
    client.expect_ok();
}

#[track_caller]
fn take(client: &mut Client, count: usize) -> Vec<Message> {
    client.ready(count);
    (0..count).map(|_| client.expect_message()).collect()
}

#[test]
fn messages_without_a_channel() {
    let mut daemon = Daemon::start(&[]);
    publish_all(&daemon, &numbered(7));
    daemon.restart();
    assert_eq!(daemon.topic("t")["depth"], 7);
    let mut client = daemon.consumer("t", "c");
    let messages = take(&mut client, 7);
    let bodies: Vec<_> = messages.iter().map(Message::text).collect();
    assert_eq!(bodies, numbered(7));
    assert!(messages.iter().all(|message| message.attempts == 1));
    client.expect_nothing();
}

#[test]
fn everything_a_channel_has_with_ids_timestamps_and_attempts() {
    let mut daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    publish_all(&daemon, &numbered(10));
    let before = take(&mut client, 5);
    client.ready(0);
    client.finish(&before[0]);
    client.finish(&before[3]);
    client.requeue(&before[1], 0);
    client.expect_nothing();
    // m2, m4 in flight; m1 requeued; m5 to m9 never delivered.
    daemon.restart();
    client.expect_closed();
    let mut other = daemon.consumer("t", "c");
    let mut after = take(&mut other, 8);
    other.expect_nothing();
    after.sort_by(|a, b| a.body.cmp(&b.body));
    let seen: Vec<_> = after.iter().map(|m| (m.text(), m.attempts)).collect();
    let expected =
        [("m1", 2), ("m2", 2), ("m4", 2), ("m5", 1), ("m6", 1), ("m7", 1), ("m8", 1), ("m9", 1)];
    assert_eq!(seen, expected);
    for (index, old) in [(0, 1), (1, 2), (2, 4)] {
        assert_eq!(after[index].id, before[old].id);
        assert_eq!(after[index].timestamp_ns, before[old].timestamp_ns);
    }
    // Finished means finished, also after another restart.
    for message in &after {
        other.finish(message);
    }
    other.expect_nothing();
    daemon.restart();
    let mut last = daemon.consumer("t", "c");
    last.ready(10);
    last.expect_nothing();
}

#[test]
fn counters_start_anew_and_depths_do_not() {
    let mut daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    drop(daemon.consumer("t", "d"));
    publish_all(&daemon, &numbered(5));
    let messages = take(&mut client, 3);
    client.ready(0);
    client.finish(&messages[0]);
    client.requeue(&messages[1], 0);
    client.expect_nothing();
    daemon.restart();
    let topic = daemon.topic("t");
    // Counted is what this process has accepted; what is there is there.
    assert_eq!((&topic["message_count"], &topic["message_bytes"]), (&0.into(), &0.into()));
    for (channel, depth) in [("c", 4), ("d", 5)] {
        eventually("all are in the channel", || {
            daemon.channel_number("t", channel, "depth") == depth
        });
        let channel = daemon.channel("t", channel);
        for field in ["in_flight_count", "deferred_count", "requeue_count", "timeout_count"] {
            assert_eq!(channel[field], 0, "{field}");
        }
    }
    let message_count = daemon.channel_number("t", "c", "message_count");
    assert_eq!(message_count, 0);
    publish_all(&daemon, &["new"]);
    eventually("one more", || daemon.channel_number("t", "c", "message_count") == 1);
    assert_eq!(daemon.topic("t")["message_count"], 1);
}

#[test]
fn due_times_of_deferred_messages() {
    // The original forgets them and delivers at once.
    let mut daemon = Daemon::start(&[]);
    let mut client = daemon.consumer("t", "c");
    publish_all(&daemon, &["requeued", "far"]);
    let messages = take(&mut client, 2);
    let began = Instant::now();
    client.requeue(&messages[0], 1200);
    client.requeue(&messages[1], 3_000_000);
    client.send(deferred("t", 800, "published"));
    // The answer comes behind what was in the pipe.
    client.expect_ok();
    client.expect_nothing();
    daemon.restart();
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    if is_original() {
        client.expect_bodies(3);
        return;
    }
    for (body, attempts, delay_ms) in [("published", 1, 800), ("requeued", 2, 1200)] {
        let message = client.expect_message();
        assert!(began.elapsed() >= Duration::from_millis(delay_ms), "{body} was not due yet");
        assert_eq!((message.text(), message.attempts), (body, attempts));
        client.finish(&message);
    }
    client.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
}

#[test]
fn due_times_before_the_first_channel() {
    let mut daemon = Daemon::start(&[]);
    let mut publisher = daemon.client();
    let began = Instant::now();
    publisher.send(deferred("t", 900, "later"));
    publisher.send(deferred("t", 3_000_000, "far"));
    publisher.expect_ok();
    publisher.expect_ok();
    publish_all(&daemon, &["now"]);
    daemon.restart();
    assert_eq!(daemon.topic("t")["depth"], 3);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    if is_original() {
        client.expect_bodies(3);
        return;
    }
    assert_eq!(client.expect_message().text(), "now");
    assert_eq!(client.expect_message().text(), "later");
    assert!(began.elapsed() >= Duration::from_millis(900));
    client.expect_nothing();
}

#[test]
fn what_became_due_while_the_daemon_was_down_comes_at_once() {
    let mut daemon = Daemon::start(&[]);
    drop(daemon.consumer("t", "c"));
    let mut publisher = daemon.client();
    let began = Instant::now();
    publisher.send(deferred("t", 100, "due"));
    publisher.expect_ok();
    daemon.stop();
    eventually("it is due", || began.elapsed() > Duration::from_millis(100));
    daemon.restart();
    let mut client = daemon.consumer("t", "c");
    client.ready(1);
    assert_eq!(client.expect_bodies(1), ["due"]);
}

#[test]
fn a_backlog_beyond_memory() {
    let mut daemon = Daemon::start(&["--mem-queue-size=50", "--max-bytes-per-file=20000"]);
    drop(daemon.consumer("t", "c"));
    let bodies: Vec<_> = (0..1000).map(|number| format!("{number:0100}")).collect();
    for chunk in bodies.chunks(100) {
        publish_all(&daemon, chunk);
    }
    for _ in 0..2 {
        daemon.restart();
        eventually("all are there", || daemon.channel_number("t", "c", "depth") == 1000);
    }
    let mut client = daemon.consumer("t", "c");
    client.ready(1000);
    let mut seen = client.expect_bodies(1000);
    seen.sort();
    assert_eq!(seen, bodies);
    client.expect_nothing();
}

#[test]
fn emptied_and_deleted_stays_so() {
    let mut daemon = Daemon::start(&[]);
    for channel in ["emptied", "deleted", "kept"] {
        drop(daemon.consumer("t", channel));
    }
    publish_all(&daemon, &numbered(3));
    eventually("all are copied", || daemon.channel_number("t", "deleted", "depth") == 3);
    daemon.order("/channel/empty?topic=t&channel=emptied");
    daemon.order("/channel/delete?topic=t&channel=deleted");
    daemon.publish("gone", "x");
    daemon.order("/topic/delete?topic=gone");
    daemon.publish("hollow", "x");
    daemon.order("/topic/empty?topic=hollow");
    daemon.restart();
    assert!(daemon.topic("gone").is_null());
    assert_eq!(daemon.topic("hollow")["depth"], 0);
    assert!(daemon.channel("t", "deleted").is_null());
    assert_eq!(daemon.channel_number("t", "emptied", "depth"), 0);
    eventually("the others are kept", || daemon.channel_number("t", "kept", "depth") == 3);
}

#[test]
fn ids_after_a_restart_are_new() {
    let mut daemon = Daemon::start(&[]);
    let mut ids = std::collections::BTreeSet::new();
    for round in 1..=3 {
        let mut client = daemon.consumer("t", "c");
        publish_all(&daemon, &numbered(100));
        for message in take(&mut client, 100) {
            ids.insert(message.id.clone());
            client.finish(&message);
        }
        client.expect_nothing();
        assert_eq!(ids.len(), round * 100);
        daemon.restart();
    }
}
