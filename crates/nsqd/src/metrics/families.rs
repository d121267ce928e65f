//! The families of the metrics page, each declared once.

use nsq_api::{ChannelStats, TopicStats};
use prometheus_client::metrics::MetricType;

use super::Page;
use crate::lookup::LookupPeer;

/// What all samples of one name have in common.
#[derive(Debug)]
pub(super) struct Family {
    /// Without the prefix and without the unit.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The end of the name; empty for what has none.
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

/// Families with what tells their values.
pub(super) type Table<T, Value = u64> = [(Family, fn(&T) -> Value)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Kind {
    pub(super) fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
            Self::Info => MetricType::Info,
        }
    }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Counter, unit, help }
}

const fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Family {
    Family { name, kind: Kind::Gauge, unit, help }
}

pub(super) const BUILD: Family = Family {
    name: "build",
    kind: Kind::Info,
    unit: "",
    help: "The version of NSQ whose behaviour this is, and the compiler it was built with.",
};

/// Of the node; nothing where the system does not tell.
pub(super) const NODE: &Table<Page, Option<u64>> = &[
    (gauge("start_time", "seconds", "When the daemon started, in seconds since 1970."), |page| {
        u64::try_from(page.stats.start_time).ok()
    }),
    (gauge("healthy", "", "1 while the disk takes writes, 0 after a write failed."), |page| {
        Some(u64::from(page.figures.is_healthy))
    }),
    (gauge("resident_memory", "bytes", "Memory of the process, mapped files included."), |page| {
        Some(page.figures.memory.resident_bytes)
    }),
    (
        gauge("anonymous_memory", "bytes", "Memory of the process of its own: heap, stacks."),
        |page| Some(page.figures.memory.anonymous_bytes),
    ),
    (gauge("recent_messages", "bytes", "Memory held for the newest messages."), |page| {
        Some(page.figures.recent_bytes)
    }),
    (gauge("recent_messages_limit", "bytes", "What should not be exceeded by it."), |page| {
        Some(page.figures.recent_bytes_limit)
    }),
    (gauge("free_disk", "bytes", "Room on the disk of the data directory."), |page| {
        page.figures.free_disk_bytes
    }),
    (gauge("tcp_open", "connections", "TCP clients that are connected."), |page| {
        Some(page.figures.tcp_open)
    }),
    (counter("tcp_accepted", "connections", "TCP clients that ever connected."), |page| {
        Some(page.figures.tcp_accepted)
    }),
    (gauge("http_open", "connections", "HTTP connections that are open."), |page| {
        Some(page.figures.http_open)
    }),
    (counter("http_accepted", "connections", "HTTP connections that were ever made."), |page| {
        Some(page.figures.http_accepted)
    }),
];

/// Of each nsqlookupd; nothing where there is nothing to tell.
pub(super) const LOOKUP_PEERS: &Table<LookupPeer, Option<u64>> = &[
    (gauge("lookup_peer_connected", "", "1 while it knows of this nsqd, 0 otherwise."), |peer| {
        Some(u64::from(peer.is_connected))
    }),
    (
        counter(
            "lookup_peer",
            "failures",
            "Attempts to connect to it that failed, and connections to it that were lost.",
        ),
        |peer| Some(peer.failures),
    ),
    (
        gauge(
            "lookup_peer_answer_time",
            "seconds",
            "When it last answered to what it was told, in seconds since 1970.",
        ),
        |peer| peer.answered_at,
    ),
];

pub(super) const APPENDS: Family = Family {
    name: "append_duration",
    kind: Kind::Histogram,
    unit: "seconds",
    help: "How long it took to append a batch of messages to a log.",
};

pub(super) const SYNCS: Family = Family {
    name: "sync_duration",
    kind: Kind::Histogram,
    unit: "seconds",
    help: "How long it took to sync a log to the disk.",
};

/// Of each topic.
pub(super) const TOPICS: &Table<TopicStats> = &[
    (gauge("topic_depth", "messages", "Messages that wait in the topic itself."), |topic| {
        whole(topic.depth)
    }),
    (gauge("topic_backend_depth", "messages", "The part of them not in memory."), |topic| {
        whole(topic.backend_depth)
    }),
    (counter("topic", "messages", "Messages published to the topic."), |topic| topic.message_count),
    (counter("topic_message", "bytes", "Size of the bodies of these messages."), |topic| {
        topic.message_bytes
    }),
    (gauge("topic_paused", "", "1 while the topic is paused."), |topic| u64::from(topic.paused)),
];

pub(super) const LOG_BYTES: Family =
    gauge("topic_log", "bytes", "What the log of the topic takes on the disk.");

pub(super) const TOPIC_LATENCY: Family = gauge(
    "topic_e2e_latency",
    "seconds",
    "Percentiles of the time from publish to FIN, over all channels.",
);

/// Of each channel.
pub(super) const CHANNELS: &Table<ChannelStats> = &[
    (gauge("channel_depth", "messages", "Messages that wait in the channel."), |channel| {
        whole(channel.depth)
    }),
    (gauge("channel_backend_depth", "messages", "The part of them not in memory."), |channel| {
        whole(channel.backend_depth)
    }),
    (gauge("channel_in_flight", "messages", "Messages that consumers have."), |channel| {
        whole(channel.in_flight_count)
    }),
    (gauge("channel_deferred", "messages", "Messages that wait for a due time."), |channel| {
        whole(channel.deferred_count)
    }),
    (counter("channel", "messages", "Messages that the channel received."), |channel| {
        channel.message_count
    }),
    (counter("channel_requeued", "messages", "REQ commands of consumers."), |channel| {
        channel.requeue_count
    }),
    (counter("channel_timed_out", "messages", "Messages not answered in time."), |channel| {
        channel.timeout_count
    }),
    (gauge("channel", "consumers", "Consumers that are connected."), |channel| {
        whole(channel.client_count)
    }),
    (gauge("channel_paused", "", "1 while the channel is paused."), |channel| {
        u64::from(channel.paused)
    }),
];

pub(super) const CHANNEL_LATENCY: Family =
    gauge("channel_e2e_latency", "seconds", "Percentiles of the time from publish to FIN.");

fn whole(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::metrics::PREFIX;

    const DOCUMENT: &str = include_str!("../../../../docs/metrics.md");

    fn lines(families: &[&Family], labels: &str) -> String {
        let mut lines = String::new();
        for Family { name, kind, unit, help } in families {
            let unit = if unit.is_empty() { String::new() } else { format!("_{unit}") };
            let (suffix, kind) = match kind {
                Kind::Counter => ("_total", "counter"),
                Kind::Gauge => ("", "gauge"),
                Kind::Histogram => ("", "histogram"),
                Kind::Info => ("_info", "info"),
            };
            writeln!(lines, "| `{PREFIX}_{name}{unit}{suffix}` | {kind} | {labels} | {help} |")
                .expect("a String takes everything");
        }
        lines
    }

    #[test]
    fn every_family_is_documented_as_it_is() {
        let node: Vec<_> =
            NODE.iter().map(|(family, _)| family).chain([&APPENDS, &SYNCS]).collect();
        let lookup_peers: Vec<_> = LOOKUP_PEERS.iter().map(|(family, _)| family).collect();
        let topics: Vec<_> = TOPICS.iter().map(|(family, _)| family).chain([&LOG_BYTES]).collect();
        let channels: Vec<_> = CHANNELS.iter().map(|(family, _)| family).collect();
        let expected = [
            lines(&[&BUILD], "`version`, `compiler`"),
            lines(&node, ""),
            lines(&lookup_peers, "`address`"),
            lines(&topics, "`topic`"),
            lines(&[&TOPIC_LATENCY], "`topic`, `quantile`"),
            lines(&channels, "`topic`, `channel`"),
            lines(&[&CHANNEL_LATENCY], "`topic`, `channel`, `quantile`"),
        ]
        .concat();
        let documented: String =
            DOCUMENT.split_inclusive('\n').filter(|line| line.starts_with("| `nsqd_")).collect();
        assert!(documented == expected, "the table of docs/metrics.md must be:\n{expected}");
    }
}
