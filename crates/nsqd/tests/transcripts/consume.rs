//! tcp-protocol.md §11 and §16: SUB, RDY, delivery, ids.

use crate::support::{Daemon, eventually, identify, publish_many};

fn bodies(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("m{number}")).collect()
}

#[track_caller]
fn publish_numbered(daemon: &Daemon, topic: &str, count: usize) {
    let mut client = daemon.client();
    client.send(publish_many(topic, &bodies(count)));
    client.expect_ok();
}

#[test]
fn sub_refusals() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("SUB\n", "E_INVALID SUB insufficient number of parameters"),
        ("SUB t\n", "E_INVALID SUB insufficient number of parameters"),
        ("SUB a!\n", "E_INVALID SUB insufficient number of parameters"),
        ("SUB a! b!\n", "E_BAD_TOPIC SUB topic name \"a!\" is not valid"),
        ("SUB t b!\n", "E_BAD_CHANNEL SUB channel name \"b!\" is not valid"),
        ("SUB t  c\n", "E_BAD_CHANNEL SUB channel name \"\" is not valid"),
    ];
    for (line, error) in cases {
        daemon.refuses(line, error);
    }
    assert!(daemon.topic("t").is_null());
    // Heartbeats come before the parameters.
    for line in ["SUB t c\n", "SUB\n"] {
        let mut client = daemon.client();
        client.send(identify(r#"{"heartbeat_interval":-1}"#));
        client.expect_ok();
        client.send(line);
        client.expect_last_error("E_INVALID cannot SUB with heartbeats disabled");
    }
}

#[test]
fn max_channel_consumers() {
    let daemon = Daemon::start(&["--max-channel-consumers=2"]);
    let first = daemon.consumer("mcc", "c");
    let _second = daemon.consumer("mcc", "c");
    let error = "E_SUB_FAILED SUB failed consumers for mcc:c exceeds limit of 2";
    daemon.refuses("SUB mcc c\n", error);
    // Each channel has its own limit, and a place becomes free.
    let _other = daemon.consumer("mcc", "d");
    drop(first);
    eventually("the place is free", || daemon.channel_number("mcc", "c", "client_count") == 1);
    let _third = daemon.consumer("mcc", "c");
    daemon.refuses("SUB mcc c\n", error);
}

#[test]
fn rdy_refusals() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("RDY abc\n", "RDY could not parse count abc"),
        ("RDY -1\n", "RDY could not parse count -1"),
        ("RDY +1\n", "RDY could not parse count +1"),
        ("RDY 1.0\n", "RDY could not parse count 1.0"),
        ("RDY 2501\n", "RDY count 2501 out of range 0-2500"),
        ("RDY 9223372036854775808\n", "RDY count -9223372036854775808 out of range 0-2500"),
        ("RDY 9223372036854775807\n", "RDY count 9223372036854775807 out of range 0-2500"),
    ];
    for (line, error) in cases {
        let mut client = daemon.consumer("t", "c");
        client.send(line);
        client.expect_last_error(format!("E_INVALID {error}"));
    }
    let daemon = Daemon::start(&["--max-rdy-count=5"]);
    let mut client = daemon.consumer("t", "c");
    client.send("RDY 5\nRDY 6\n");
    client.expect_last_error("E_INVALID RDY count 6 out of range 0-5");
}

#[test]
fn forms_of_rdy() {
    let daemon = Daemon::start(&[]);
    // Line and the ready count that it means.
    let cases = [
        ("RDY\n", 1),
        ("RDY \n", 0),
        ("RDY 0\n", 0),
        ("RDY 007\n", 7),
        ("RDY 2500\n", 2500),
        ("RDY 18446744073709551616\n", 0),
    ];
    for (line, count) in cases {
        let mut client = daemon.consumer("t", "c#ephemeral");
        client.send(line);
        client.expect_nothing();
        let seen = &daemon.channel("t", "c#ephemeral")["clients"][0]["ready_count"];
        assert_eq!(seen, count, "{line}");
        drop(client);
        eventually("it left", || daemon.channel("t", "c#ephemeral").is_null());
    }
}

#[test]
fn rdy_bounds_what_is_in_flight() {
    let daemon = Daemon::start(&[]);
    publish_numbered(&daemon, "t", 10);
    let in_flight = || daemon.channel_number("t", "c", "in_flight_count");
    let mut client = daemon.consumer("t", "c");
    client.expect_nothing();
    client.ready(3);
    let first: Vec<_> = (0..3).map(|_| client.expect_message()).collect();
    client.expect_nothing();
    assert_eq!(in_flight(), 3);
    // Each FIN admits one more, without another RDY.
    client.finish(&first[0]);
    let fourth = client.expect_message();
    client.expect_nothing();
    assert_eq!(in_flight(), 3);
    // Lowered to 1 with 3 in flight: nothing until fewer than 1 are.
    client.ready(1);
    client.finish(&first[1]);
    client.finish(&first[2]);
    client.expect_nothing();
    assert_eq!(in_flight(), 1);
    client.finish(&fourth);
    let fifth = client.expect_message();
    client.expect_nothing();
    // 0 stops, more goes on at once.
    client.ready(0);
    client.finish(&fifth);
    client.expect_nothing();
    assert_eq!(in_flight(), 0);
    client.ready(100);
    assert_eq!(client.expect_bodies(5), ["m5", "m6", "m7", "m8", "m9"]);
    client.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "depth"), 0);
}

#[test]
fn any_output_buffer_carries_any_message() {
    let daemon = Daemon::start(&[]);
    let bodies: Vec<_> =
        [1, 63, 64, 65, 16_383, 16_384, 40_000, 1_000_000].map(|length| "x".repeat(length)).into();
    let mut publisher = daemon.client();
    for (number, buffer) in [-1, 0, 64, 65536].into_iter().enumerate() {
        let topic = format!("t{number}");
        publisher.send(publish_many(&topic, &bodies));
        publisher.expect_ok();
        let mut client = daemon.client();
        client.identify(&format!(r#"{{"output_buffer_size":{buffer}}}"#));
        client.subscribe(&topic, "c");
        client.ready(100);
        assert!(client.expect_bodies(bodies.len()) == bodies, "output_buffer_size {buffer}");
    }
}

#[test]
fn a_buffered_message_comes_without_anything_behind_it() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.identify(r#"{"output_buffer_timeout":250,"output_buffer_size":65536}"#);
    client.subscribe("t", "c");
    client.ready(100);
    for number in 0..5 {
        daemon.publish("t", number.to_string());
        assert_eq!(client.expect_message().text(), number.to_string());
    }
}

#[test]
fn without_a_memory_queue_everything_works() {
    let mut daemon = Daemon::start(&["--mem-queue-size=0"]);
    publish_numbered(&daemon, "t", 100);
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    for number in 0..50 {
        let message = client.expect_message();
        assert_eq!(message.text(), format!("m{number}"));
        client.finish(&message);
    }
    client.ready(0);
    eventually("all FINs have come", || {
        daemon.channel("t", "c")["clients"][0]["finish_count"] == 50
    });
    daemon.restart();
    let mut client = daemon.consumer("t", "c");
    client.ready(100);
    let mut seen = client.expect_bodies(50);
    seen.sort();
    let mut expected = bodies(100).split_off(50);
    expected.sort();
    assert_eq!(seen, expected);
    client.expect_nothing();
}

#[test]
fn one_message_goes_to_one_consumer_of_each_channel() {
    let daemon = Daemon::start(&[]);
    let mut channels: Vec<_> = ["a", "b"]
        .map(|channel| [daemon.consumer("t", channel), daemon.consumer("t", channel)])
        .into();
    publish_numbered(&daemon, "t", 20);
    for pair in &mut channels {
        // Each takes ten and keeps them: together that is every message once.
        let mut seen = Vec::new();
        for consumer in pair {
            consumer.ready(10);
            seen.extend(consumer.expect_bodies(10));
        }
        seen.sort_by_key(|body| body[1..].parse::<u32>().expect("a number"));
        assert_eq!(seen, bodies(20));
    }
}

#[test]
fn sample_rate_99_is_all() {
    let daemon = Daemon::start(&[]);
    publish_numbered(&daemon, "t", 1000);
    let mut client = daemon.client();
    client.identify(r#"{"sample_rate":99}"#);
    client.subscribe("t", "c");
    client.ready(2500);
    assert_eq!(client.expect_bodies(1000), bodies(1000));
}

#[test]
fn sample_rate_1_is_one_more_than_a_percent() {
    // Two of a hundred on average: of 5000 that is 100, with a standard deviation of 10.
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.identify(r#"{"sample_rate":1}"#);
    client.subscribe("t", "c");
    client.ready(2500);
    publish_numbered(&daemon, "t", 5000);
    eventually("all are delivered or dropped", || daemon.channel_number("t", "c", "depth") == 0);
    let channel = daemon.channel("t", "c");
    let delivered = channel["in_flight_count"].as_u64().expect("a number");
    assert!((40..=180).contains(&delivered), "{delivered} of 5000");
    assert_eq!(channel["message_count"], 5000);
    let seen = client.expect_bodies(usize::try_from(delivered).expect("small"));
    assert!(seen.iter().all(|body| body.starts_with('m')));
    client.expect_nothing();
    // What was dropped is gone for the whole channel.
    let mut other = daemon.consumer("t", "c");
    other.ready(10);
    other.expect_nothing();
}

#[test]
fn ids_timestamps_and_attempts() {
    let before = now_ns();
    let daemon = Daemon::start(&["--node-id=617"]);
    publish_numbered(&daemon, "t", 3000);
    let after = now_ns();
    let (mut a, mut b) = (daemon.consumer("t", "a"), daemon.consumer("t", "b"));
    a.ready(1);
    b.ready(1);
    // The channel that came second gets later messages only.
    publish_numbered(&daemon, "t", 1);
    let late = b.expect_message();
    assert_eq!((late.text(), late.attempts), ("m0", 1));
    let mut ids = std::collections::BTreeSet::new();
    for number in 0..3000 {
        let message = a.expect_message();
        assert_eq!((message.text(), message.attempts), (&*format!("m{number}"), 1));
        assert!((before..=after).contains(&message.timestamp_ns));
        assert_eq!(message.id.len(), 16);
        assert_eq!(message.id, message.id.to_lowercase());
        let id = u64::from_str_radix(&message.id, 16).expect("hexadecimal");
        assert_eq!((id >> 12) & 0x3ff, 617, "the node id is in {}", message.id);
        ids.insert(id);
        a.finish(&message);
    }
    assert_eq!(ids.len(), 3000);
    // All channels of a topic see the same id.
    assert_eq!(a.expect_message(), late);
}

fn now_ns() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_nanos()).expect("before 2262")
}
