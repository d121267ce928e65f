//! Statistics for statsd: what is sent, as a function of what was gathered now and last time.
//!
//! ```text
//!   nsq.127_0_0_1_4151.topic.orders.message_count:8|c      counters: the difference
//!   nsq.127_0_0_1_4151.topic.orders.depth:0|g              gauges
//!   <prefix><key>:<value>|<type>
//! ```

mod push;

use std::collections::HashMap;
use std::fmt::{Display, Write};
use std::time::Duration;

use nsq_api::{ChannelStats, Latency, MemoryStats, Stats, TopicStats, quantile_keys};

use crate::http::announced;
use crate::options::Options;

pub(crate) use self::push::push_all;

/// Of each interval, what Go NSQ leaves free for the next collection.
const REST: Duration = Duration::from_secs(1);

/// How the names of ephemeral topics and channels end.
const EPHEMERAL: &str = "#ephemeral";

/// `--statsd-prefix` as it is sent: every `%s` is replaced by the broadcast address, and a dot
/// separates it from the key. `http_port` is the port that was bound.
pub(crate) fn prefix(options: &Options, http_port: i32) -> String {
    let port = announced(options.broadcast_http_port, http_port);
    let host = match options.broadcast_address.as_str() {
        address if address.contains([':', '%']) => format!("[{address}]:{port}"),
        address => format!("{address}:{port}"),
    };
    let mut prefix = options.statsd_prefix.replace("%s", &host.replace(['.', ':'], "_"));
    if !prefix.is_empty() && !prefix.ends_with('.') {
        prefix.push('.');
    }
    prefix
}

/// What must be known besides the statistics.
#[derive(Clone, Debug)]
struct Form {
    prefix: String,
    skips_ephemeral: bool,
    /// The key of each quantile, in the order of the options.
    latency_keys: Vec<String>,
}

impl Form {
    fn new(options: &Options, http_port: i32) -> Self {
        Self {
            prefix: prefix(options, http_port),
            skips_ephemeral: options.statsd_exclude_ephemeral,
            latency_keys: quantile_keys(&options.e2e_processing_latency_percentiles),
        }
    }

    /// The lines of one collection, each with its line feed.
    fn lines(&self, now: &Stats, before: &Stats) -> Vec<String> {
        let mut lines = Lines { prefix: &self.prefix, lines: Vec::new() };
        let before_topics = by_name(before.topics.as_deref(), |topic| &topic.topic_name);
        for topic in now.topics.iter().flatten().filter(|t| !self.skips(&t.topic_name)) {
            let before = before_topics.get(topic.topic_name.as_str()).copied();
            self.topic(&mut lines, topic, before.unwrap_or(&TopicStats::default()));
        }
        if let Some(memory) = &now.memory {
            self.memory(&mut lines, memory, before.memory.as_ref());
        }
        lines.lines
    }

    fn topic(&self, lines: &mut Lines<'_>, topic: &TopicStats, before: &TopicStats) {
        let key = format!("topic.{}", topic.topic_name);
        lines.count(&key, "message_count", topic.message_count, before.message_count);
        lines.count(&key, "message_bytes", topic.message_bytes, before.message_bytes);
        lines.gauge(&key, "depth", topic.depth);
        lines.gauge(&key, "backend_depth", topic.backend_depth);
        self.latency(lines, &key, &topic.e2e_processing_latency);
        let before_channels = by_name(Some(&before.channels), |channel| &channel.channel_name);
        for channel in topic.channels.iter().filter(|c| !self.skips(&c.channel_name)) {
            let before = before_channels.get(channel.channel_name.as_str()).copied();
            let key = format!("{key}.channel.{}", channel.channel_name);
            self.channel(lines, &key, channel, before.unwrap_or(&ChannelStats::default()));
        }
    }

    fn channel(
        &self,
        lines: &mut Lines<'_>,
        key: &str,
        channel: &ChannelStats,
        before: &ChannelStats,
    ) {
        lines.count(key, "message_count", channel.message_count, before.message_count);
        lines.gauge(key, "depth", channel.depth);
        lines.gauge(key, "backend_depth", channel.backend_depth);
        lines.gauge(key, "in_flight_count", channel.in_flight_count);
        lines.gauge(key, "deferred_count", channel.deferred_count);
        lines.count(key, "requeue_count", channel.requeue_count, before.requeue_count);
        lines.count(key, "timeout_count", channel.timeout_count, before.timeout_count);
        lines.gauge(key, "clients", channel.client_count);
        self.latency(lines, key, &channel.e2e_processing_latency);
    }

    fn latency(&self, lines: &mut Lines<'_>, key: &str, latency: &Latency) {
        let percentiles = latency.percentiles.iter().flatten();
        for (percentile, percent) in percentiles.zip(&self.latency_keys) {
            let value = percentile.value as i64;
            lines.gauge(key, format_args!("e2e_processing_latency_{percent}"), value);
        }
    }

    fn memory(&self, lines: &mut Lines<'_>, now: &MemoryStats, before: Option<&MemoryStats>) {
        let gauges = [
            ("heap_objects", now.heap_objects),
            ("heap_idle_bytes", now.heap_idle_bytes),
            ("heap_in_use_bytes", now.heap_in_use_bytes),
            ("heap_released_bytes", now.heap_released_bytes),
            ("gc_pause_usec_100", now.gc_pause_usec_100),
            ("gc_pause_usec_99", now.gc_pause_usec_99),
            ("gc_pause_usec_95", now.gc_pause_usec_95),
            ("next_gc_bytes", now.next_gc_bytes),
        ];
        gauges.iter().for_each(|(name, value)| lines.gauge("mem", name, value));
        let runs_before = before.map_or(0, |before| before.gc_total_runs);
        lines.count("mem", "gc_runs", now.gc_total_runs, runs_before);
    }

    fn skips(&self, name: &str) -> bool {
        self.skips_ephemeral && name.ends_with(EPHEMERAL)
    }
}

struct Lines<'a> {
    prefix: &'a str,
    lines: Vec<String>,
}

impl Lines<'_> {
    /// A counter went from `before` to `now`. One that is smaller belongs to something that was
    /// deleted and created again: it counts from 0. Go NSQ sends a negative difference.
    fn count(&mut self, key: &str, name: impl Display, now: u64, before: u64) {
        let added = now.checked_sub(before).unwrap_or(now);
        self.push(key, name, added, 'c');
    }

    fn gauge(&mut self, key: &str, name: impl Display, value: impl Display) {
        self.push(key, name, value, 'g');
    }

    fn push(&mut self, key: &str, name: impl Display, value: impl Display, kind: char) {
        let mut line = String::with_capacity(self.prefix.len() + key.len() + 32);
        writeln!(line, "{}{key}.{name}:{value}|{kind}", self.prefix)
            .expect("a String takes everything");
        self.lines.push(line);
    }
}

fn by_name<T>(list: Option<&[T]>, name: impl Fn(&T) -> &String) -> HashMap<&str, &T> {
    list.unwrap_or_default().iter().map(|item| (name(item).as_str(), item)).collect()
}

/// Lines in datagrams of at most `size_bytes`; a longer line goes alone.
fn pack(lines: &[String], size_bytes: usize) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in lines {
        match datagrams.last_mut() {
            Some(last) if last.len() + line.len() <= size_bytes => last.push_str(line),
            _ => datagrams.push(line.clone()),
        }
    }
    datagrams
}

/// Over how much of an interval its datagrams are spread. Go NSQ always leaves a second, and
/// cannot do with an interval that is not longer.
fn spread(interval: Duration) -> Duration {
    match interval.checked_sub(REST) {
        Some(spread) if !spread.is_zero() => spread,
        _ => interval.mul_f64(0.9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the original answers to `/stats`, and what it sends in the same moment.
    const STATS: &str = include_str!("../tests/golden/stats.json");
    const DATAGRAM: &str = include_str!("../tests/golden/statsd.txt");

    fn options(prefix: &str, address: &str, http_port: u16) -> Options {
        Options {
            statsd_prefix: prefix.to_owned(),
            broadcast_address: address.to_owned(),
            broadcast_http_port: http_port,
            e2e_processing_latency_percentiles: vec![0.99, 0.95, 0.5],
            ..Options::default()
        }
    }

    fn form() -> Form {
        Form::new(&options("nsq.%s", "127.0.0.1", 22021), 1)
    }

    fn sample() -> Stats {
        serde_json::from_str(STATS).expect("the sample is a body of /stats")
    }

    #[test]
    fn prefixes() {
        for (prefix_flag, address, port, expected) in [
            ("nsq.%s", "127.0.0.1", 22021, "nsq.127_0_0_1_22021."),
            ("nsq.%s", "127.0.0.1", 0, "nsq.127_0_0_1_4151."),
            ("%s.%s.", "host", 1, "host_1.host_1."),
            ("nsq.%s", "::1", 1, "nsq.[__1]_1."),
            ("plain", "host", 1, "plain."),
            ("", "host", 1, ""),
        ] {
            assert_eq!(prefix(&options(prefix_flag, address, port), 4151), expected);
        }
    }

    #[test]
    fn the_first_datagram_of_the_original() {
        let lines = form().lines(&sample(), &Stats::default());
        let datagrams = pack(&lines, 508);
        assert_eq!(datagrams[0], DATAGRAM);
        assert_eq!(lines.concat(), datagrams.concat());
        assert!(datagrams.iter().all(|datagram| datagram.len() <= 508));
    }

    #[test]
    fn keys_in_their_order() {
        let lines = Form { prefix: String::new(), ..form() }.lines(&sample(), &Stats::default());
        let keys: Vec<_> = lines.iter().filter_map(|line| line.split_once(':')).collect();
        let keys: Vec<_> = keys.iter().map(|(key, rest)| format!("{key} {rest}")).collect();
        let topic = ["message_count 8|c", "message_bytes 80|c", "depth 0|g", "backend_depth 0|g"];
        let latency = ["99", "95", "50"].map(|p| format!("e2e_processing_latency_{p} 4483630|g"));
        let channel = [
            "message_count 8|c",
            "depth 4|g",
            "backend_depth 1|g",
            "in_flight_count 2|g",
            "deferred_count 1|g",
            "requeue_count 1|c",
            "timeout_count 0|c",
            "clients 1|g",
        ];
        let other = ["message_count 1|c", "message_bytes 1|c", "depth 1|g", "backend_depth 0|g"];
        let memory = [
            "heap_objects 3739|g",
            "heap_idle_bytes 2080768|g",
            "heap_in_use_bytes 1523712|g",
            "heap_released_bytes 2015232|g",
            "gc_pause_usec_100 0|g",
            "gc_pause_usec_99 0|g",
            "gc_pause_usec_95 0|g",
            "next_gc_bytes 4194304|g",
            "gc_runs 0|c",
        ];
        let all = |prefix: &str, names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("{prefix}{name}\n")).collect()
        };
        let latency: Vec<_> = latency.iter().map(String::as_str).collect();
        let expected = [
            all("topic.st.", &topic),
            all("topic.st.", &latency),
            all("topic.st.channel.ch.", &channel),
            all("topic.st.channel.ch.", &latency),
            all("topic.st2.", &other),
            all("mem.", &memory),
        ];
        assert_eq!(keys, expected.concat());
    }

    #[test]
    fn counters_are_differences_and_never_negative() {
        let stats = |messages: u64| {
            let topic = TopicStats {
                topic_name: "t".into(),
                message_count: messages,
                ..Default::default()
            };
            Stats { topics: Some(vec![topic]), ..Stats::default() }
        };
        for (before, now, expected) in [(0, 5, 5), (5, 7, 2), (7, 7, 0), (7, 2, 2)] {
            let lines = form().lines(&stats(now), &stats(before));
            assert!(lines[0].ends_with(&format!("topic.t.message_count:{expected}|c\n")));
        }
    }

    #[test]
    fn ephemeral_ones_can_be_left_out() {
        let channel = |name: &str| ChannelStats { channel_name: name.into(), ..Default::default() };
        let topic = |name: &str| TopicStats {
            topic_name: name.into(),
            channels: vec![channel("c"), channel("c#ephemeral")],
            ..TopicStats::default()
        };
        let topics = Some(vec![topic("t"), topic("t#ephemeral")]);
        let stats = Stats { topics, ..Stats::default() };
        let all = form().lines(&stats, &Stats::default()).concat();
        assert!(all.contains("topic.t#ephemeral.channel.c#ephemeral.depth:0|g\n"));
        let form = Form { skips_ephemeral: true, ..form() };
        let some = form.lines(&stats, &Stats::default());
        assert!(!some.concat().contains('#'));
        assert_eq!(some.len(), 4 + 8);
    }

    #[test]
    fn no_line_is_split() {
        let lines: Vec<_> = (0..200).map(|n| format!("{}\n", "x".repeat(n % 37))).collect();
        for size in [0, 1, 36, 37, 38, 100, 508, 100_000] {
            let datagrams = pack(&lines, size);
            assert_eq!(datagrams.concat(), lines.concat(), "{size}");
            for datagram in &datagrams {
                assert!(datagram.ends_with('\n'));
                assert!(datagram.len() <= size || datagram.matches('\n').count() == 1);
            }
        }
    }

    #[test]
    fn datagrams_are_spread_within_the_interval() {
        for (interval_ms, expected_ms) in [(60_000, 59_000), (1_500, 500), (1_000, 900), (100, 90)]
        {
            let spread = spread(Duration::from_millis(interval_ms));
            assert_eq!(spread, Duration::from_millis(expected_ms));
        }
    }
}
