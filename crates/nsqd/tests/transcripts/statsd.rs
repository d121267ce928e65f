//! http-api.md §12: what statsd gets.

use std::collections::BTreeMap;
use std::net::UdpSocket;

use crate::support::{Daemon, PATIENCE, is_original};

/// A statsd, and a daemon that pushes to it.
fn start(flags: &[&str]) -> (UdpSocket, Daemon) {
    let statsd = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    statsd.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let address = statsd.local_addr().expect("it is bound");
    let address = format!("--statsd-address={address}");
    // The original cannot do with an interval of a second or less.
    let interval = if is_original() { "1100ms" } else { "200ms" };
    let interval = format!("--statsd-interval={interval}");
    let daemon = Daemon::start(&[&[address.as_str(), &interval], flags].concat());
    (statsd, daemon)
}

/// Datagrams up to the one that holds the last key of a collection.
#[track_caller]
fn collection(statsd: &UdpSocket, last_key: &str) -> Vec<String> {
    let mut datagrams = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let length = statsd.recv(&mut buffer).expect("the daemon pushes");
        let datagram = std::str::from_utf8(&buffer[..length]).expect("UTF-8").to_owned();
        let is_last = datagram.contains(last_key);
        datagrams.push(datagram);
        if is_last {
            return datagrams;
        }
    }
}

/// `key:value|type`, checked: the name of the node is taken off.
#[track_caller]
fn read<'a>(line: &'a str, prefix: &str) -> (&'a str, &'static str, i64) {
    let (key, rest) = line.rsplit_once(':').expect("a key");
    let (value, kind) = rest.split_once('|').expect("a type");
    let kind = match kind {
        "c" => "c",
        "g" => "g",
        other => panic!("unexpected type {other}"),
    };
    let key = key.strip_prefix(prefix).expect(prefix);
    (key, kind, value.parse().expect("an integer"))
}

#[test]
fn a_collection() {
    let (statsd, daemon) = start(&["--e2e-processing-latency-percentile=0.99,1.0"]);
    daemon.publish("b", "12");
    daemon.order("/topic/create?topic=a%23ephemeral");
    daemon.order("/channel/create?topic=a%23ephemeral&channel=c");
    daemon.order("/channel/create?topic=b&channel=c");
    let prefix = format!("nsq.127_0_0_1_{}.", daemon.http().port());
    // What came before does not count: the topics may not have been there.
    while !collection(&statsd, "mem.gc_runs").concat().contains("topic.b.channel.c.") {}
    let datagrams = collection(&statsd, "mem.gc_runs");
    assert!(datagrams.len() > 2);
    assert!(datagrams.iter().all(|d| d.len() <= 508 && d.ends_with('\n')), "{datagrams:?}");
    let text = datagrams.concat();
    let lines: Vec<_> = text.lines().map(|line| read(line, &prefix)).collect();
    let topic = |name: &str| {
        let key = |field| format!("topic.{name}.{field}");
        [
            (key("message_count"), "c"),
            (key("message_bytes"), "c"),
            (key("depth"), "g"),
            (key("backend_depth"), "g"),
            (key("e2e_processing_latency_100"), "g"),
            (key("e2e_processing_latency_99"), "g"),
            (key("channel.c.message_count"), "c"),
            (key("channel.c.depth"), "g"),
            (key("channel.c.backend_depth"), "g"),
            (key("channel.c.in_flight_count"), "g"),
            (key("channel.c.deferred_count"), "g"),
            (key("channel.c.requeue_count"), "c"),
            (key("channel.c.timeout_count"), "c"),
            (key("channel.c.clients"), "g"),
            (key("channel.c.e2e_processing_latency_100"), "g"),
            (key("channel.c.e2e_processing_latency_99"), "g"),
        ]
    };
    let memory = [
        ("mem.heap_objects".to_owned(), "g"),
        ("mem.heap_idle_bytes".to_owned(), "g"),
        ("mem.heap_in_use_bytes".to_owned(), "g"),
        ("mem.heap_released_bytes".to_owned(), "g"),
        ("mem.gc_pause_usec_100".to_owned(), "g"),
        ("mem.gc_pause_usec_99".to_owned(), "g"),
        ("mem.gc_pause_usec_95".to_owned(), "g"),
        ("mem.next_gc_bytes".to_owned(), "g"),
        ("mem.gc_runs".to_owned(), "c"),
    ];
    let mut expected = [topic("a#ephemeral"), topic("b")].concat();
    let mut shown: Vec<_> = lines.iter().map(|(key, kind, _)| ((*key).to_owned(), *kind)).collect();
    expected.extend(memory);
    let sorted = |list: &[(String, &'static str)]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    assert_eq!(sorted(&shown), sorted(&expected));
    // The order of percentiles is that of the options.
    shown.retain(|(key, _)| !key.contains("latency"));
    expected.retain(|(key, _)| !key.contains("latency"));
    assert_eq!(shown, expected);
    let values: BTreeMap<_, _> = lines.iter().map(|(key, _, value)| (*key, *value)).collect();
    assert_eq!(values["topic.b.channel.c.depth"], 1);
    assert!(values["mem.heap_in_use_bytes"] > 0);
}

#[test]
fn what_can_be_left_out() {
    let flags = [
        "--statsd-mem-stats=false",
        "--statsd-exclude-ephemeral",
        "--statsd-prefix=plain",
        "--statsd-udp-packet-size=1",
    ];
    let (statsd, daemon) = start(&flags);
    daemon.publish("a#ephemeral", "1");
    daemon.order("/topic/create?topic=t");
    daemon.order("/channel/create?topic=t&channel=b%23ephemeral");
    daemon.order("/channel/create?topic=t&channel=c");
    collection(&statsd, "channel.c.clients");
    let datagrams = collection(&statsd, "channel.c.clients");
    assert_eq!(datagrams.len(), 4 + 8);
    for datagram in &datagrams {
        assert!(datagram.ends_with('\n') && datagram.matches('\n').count() == 1, "{datagram}");
        let (key, ..) = read(datagram.trim_end(), "plain.");
        assert!(key.starts_with("topic.t.") && !key.contains('#'), "{key}");
    }
}

#[test]
fn counters_are_sent_once_and_never_negative() {
    let (statsd, daemon) = start(&["--statsd-mem-stats=false"]);
    let mut total = 0;
    let mut count = |until: i64| {
        while total < until {
            let datagrams = collection(&statsd, "topic.t.backend_depth").concat();
            let lines = datagrams.lines().filter(|line| line.contains(".topic.t.message_count:"));
            for line in lines {
                let value = line.rsplit_once(':').and_then(|(_, value)| value.split_once('|'));
                let value: i64 = value.expect("a value").0.parse().expect("an integer");
                // The original sends the difference to what is gone.
                assert!(value >= 0 || is_original(), "{line}");
                total += value;
            }
        }
        assert_eq!(total, until);
    };
    (0..3).for_each(|_| daemon.publish("t", "1"));
    count(3);
    if is_original() {
        return;
    }
    daemon.order("/topic/delete?topic=t");
    daemon.publish("t", "1");
    count(4);
    (0..2).for_each(|_| daemon.publish("t", "1"));
    count(6);
}
