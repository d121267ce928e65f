//! `/metrics`, which Go NSQ does not have: what every scraper of OpenMetrics relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use crate::support::{Daemon, Lookupd, Manner, eventually, is_original};

/// A family as its descriptors say.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    unit: Option<String>,
    help: String,
}

/// A page that was checked by [`lint`].
#[derive(Debug, Default)]
struct Page {
    families: BTreeMap<String, Family>,
    /// Name with labels, and value.
    samples: BTreeMap<String, f64>,
}

/// Suffixes of the samples of a type.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        other => panic!("unexpected type {other}"),
    }
}

fn is_snake_case(name: &str) -> bool {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with("nsqd_") && name.chars().all(valid) && !name.contains("__")
}

/// Reads a page and checks all that the format demands of it.
#[track_caller]
fn lint(text: &str) -> Page {
    let body = text.strip_suffix("# EOF\n").expect("the last line says that all is there");
    let mut page = Page::default();
    let mut current = String::new();
    for line in body.lines() {
        if let Some(described) = line.strip_prefix("# ") {
            let mut words = described.splitn(3, ' ');
            let (what, name) = (words.next().expect("a word"), words.next().expect("a name"));
            let rest = words.next().expect("what it is").to_owned();
            if name != current {
                assert!(is_snake_case(name), "{line}");
                let again = page.families.insert(name.to_owned(), Family::default());
                assert!(again.is_none(), "samples of one family stand together: {line}");
                name.clone_into(&mut current);
            }
            let family = page.families.get_mut(name).expect("it was added");
            match what {
                "HELP" => family.help = rest,
                "TYPE" => family.kind = rest,
                "UNIT" => family.unit = Some(rest),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').expect("a value");
        let name = sample.split('{').next().expect("a name");
        let family = page.families.get(&current).expect("it was described before");
        let allowed = suffixes(&family.kind).iter();
        let allowed: BTreeSet<_> = allowed.map(|suffix| format!("{current}{suffix}")).collect();
        assert!(allowed.contains(name), "{line} is not of {current}, a {}", family.kind);
        let value: f64 = value.parse().expect("a number");
        let again = page.samples.insert(sample.to_owned(), value);
        assert!(again.is_none(), "twice: {line}");
        labels(sample);
    }
    for (name, family) in &page.families {
        assert!(family.help.ends_with('.'), "{name}: {family:?}");
        if let Some(unit) = &family.unit {
            assert!(name.ends_with(&format!("_{unit}")), "{name}: {family:?}");
        }
        if family.kind == "histogram" {
            histogram(&page, name);
        }
    }
    page
}

/// The labels of a sample: each a name in snake case with a value in quotes.
#[track_caller]
fn labels(sample: &str) -> Vec<(&str, &str)> {
    let Some((_, rest)) = sample.split_once('{') else { return Vec::new() };
    let inside = rest.strip_suffix('}').expect("a closing brace");
    let pairs = inside.split(',').map(|pair| pair.split_once('=').expect("name and value"));
    pairs
        .map(|(name, value)| {
            assert!(name.chars().all(|c| c.is_ascii_lowercase()), "{sample}");
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            (name, value.expect("quotes"))
        })
        .collect()
}

/// Buckets grow, and the last holds all.
#[track_caller]
fn histogram(page: &Page, name: &str) {
    let bucket = format!("{name}_bucket{{le=\"");
    let buckets = page.samples.iter().filter_map(|(sample, count)| {
        let end = sample.strip_prefix(&bucket)?.strip_suffix("\"}")?;
        Some((end.replace("+Inf", "inf").parse::<f64>().expect("a number"), *count))
    });
    let mut buckets: Vec<_> = buckets.collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    assert!(buckets.iter().map(|(_, count)| count).is_sorted(), "{buckets:?}");
    let (end, count) = buckets.last().expect("buckets");
    assert_eq!((*end, *count), (f64::INFINITY, page.samples[&format!("{name}_count")]));
    assert!(page.samples.contains_key(&format!("{name}_sum")));
}

#[track_caller]
fn scrape(daemon: &Daemon) -> Page {
    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("Content-Type"), Some(content_type));
    assert_eq!(answer.header("X-NSQ-Content-Type"), None);
    lint(answer.text())
}

#[test]
fn an_empty_node() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let page = scrape(&daemon);
    let value = |name: &str| page.samples[name];
    assert_eq!(value("nsqd_healthy"), 1.0);
    assert_eq!(value("nsqd_tcp_open_connections"), 0.0);
    assert_eq!(value("nsqd_append_duration_seconds_count"), 0.0);
    assert!(value("nsqd_start_time_seconds") > 1.7e9);
    assert!(value("nsqd_resident_memory_bytes") >= value("nsqd_anonymous_memory_bytes"));
    assert!(value("nsqd_free_disk_bytes") > 0.0);
    assert!(value("nsqd_http_accepted_connections_total") >= 1.0);
    assert!(page.samples.keys().any(|name| name.starts_with("nsqd_build_info{version=\"1.3.0\"")));
}

#[test]
fn what_happens_is_counted() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&["--e2e-processing-latency-percentile=0.99,0.5", "--sync-every=1"]);
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(2);
    for body in ["one", "two", "three"] {
        daemon.publish("t", body);
    }
    let first = consumer.expect_message();
    let second = consumer.expect_message();
    consumer.finish(&first);
    consumer.requeue(&second, 60_000);
    consumer.expect_message();
    daemon.order("/topic/create?topic=e%23ephemeral");
    daemon.order("/topic/pause?topic=e%23ephemeral");
    let of_channel = |page: &Page, name: &str| {
        page.samples[&format!("nsqd_channel_{name}{{topic=\"t\",channel=\"c\"}}")]
    };
    eventually("the channel saw everything", || {
        of_channel(&scrape(&daemon), "deferred_messages") == 1.0
    });
    let page = scrape(&daemon);
    let table = [
        ("depth_messages", 0.0),
        ("in_flight_messages", 1.0),
        ("messages_total", 3.0),
        ("requeued_messages_total", 1.0),
        ("timed_out_messages_total", 0.0),
        ("consumers", 1.0),
        ("paused", 0.0),
    ];
    for (name, expected) in table {
        assert_eq!(of_channel(&page, name), expected, "{name}");
    }
    let table = [
        ("nsqd_topic_messages_total{topic=\"t\"}", 3.0),
        ("nsqd_topic_message_bytes_total{topic=\"t\"}", 11.0),
        ("nsqd_topic_paused{topic=\"e#ephemeral\"}", 1.0),
        ("nsqd_tcp_open_connections", 1.0),
        ("nsqd_tcp_accepted_connections_total", 1.0),
        ("nsqd_append_duration_seconds_count", 3.0),
    ];
    for (name, expected) in table {
        assert_eq!(page.samples[name], expected, "{name}");
    }
    for name in [
        "nsqd_topic_log_bytes{topic=\"t\"}",
        "nsqd_recent_messages_bytes",
        "nsqd_sync_duration_seconds_count",
        "nsqd_topic_e2e_latency_seconds{topic=\"t\",quantile=\"0.99\"}",
        "nsqd_channel_e2e_latency_seconds{topic=\"t\",channel=\"c\",quantile=\"0.5\"}",
    ] {
        assert!(page.samples[name] > 0.0, "{name}");
    }
    assert!(!page.samples.contains_key("nsqd_topic_log_bytes{topic=\"e#ephemeral\"}"));
}

#[test]
fn nsqlookupds_that_are_there_and_not() {
    if is_original() {
        return;
    }
    let lookupd = Lookupd::start(Manner::Proper);
    let absent = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let there = lookupd.tcp;
    let daemon = Daemon::start(&[&lookupd.flag(), &format!("--lookupd-tcp-address={absent}")]);
    let value = |name: &str, address| {
        let page = scrape(&daemon);
        page.samples.get(&format!("nsqd_lookup_peer_{name}{{address=\"{address}\"}}")).copied()
    };
    eventually("it is connected", || value("connected", there) == Some(1.0));
    eventually("the other was tried", || value("failures_total", absent) > Some(0.0));
    assert_eq!(value("failures_total", there), Some(0.0));
    assert!(value("answer_time_seconds", there) > Some(1.7e9));
    assert_eq!(value("connected", absent), Some(0.0));
    assert_eq!(value("answer_time_seconds", absent), None);
    lookupd.hang_up();
    eventually("the loss is counted", || value("failures_total", there) == Some(1.0));
    eventually("it is connected again", || value("connected", there) == Some(1.0));
    let answer = daemon.get("/debug/lookup");
    let text = answer.text();
    let (first, other) = text.split_once(&format!("{absent}\n")).expect("in their order");
    assert!(first.starts_with(&format!("{there}\n  connected yes\n  failures 1\n")), "{text}");
    assert!(other.starts_with("  connected no\n"), "{text}");
    assert!(other.ends_with("  last_error connection refused\n"), "{text}");
}
