//! What graphite calls what nsqd sends to statsd.

use nsq_api::quantile_keys;

use crate::options::Options;

/// How keys are made; as the flags say.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    counter_format: String,
    gauge_format: String,
}

/// Of which nodes something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nodes<'a> {
    All,
    /// By `address:port`.
    One(&'a str),
}

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Series<'a> {
    Topic(&'a str, Figure),
    /// By topic and channel.
    Channel((&'a str, &'a str), Figure),
    /// The time from publish to FIN: of a topic or of one of its channels, by quantile.
    Latency(&'a str, Option<&'a str>, &'a [f64]),
    /// Of a node.
    Memory(Memory),
    /// The messages of all channels.
    AllMessages,
}

/// A number of a topic or a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Depth,
    InFlight,
    Deferred,
    Requeued,
    TimedOut,
    Messages,
    Clients,
}

/// Numbers of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    Bytes,
    CollectorPauses,
    CollectorRuns,
    Objects,
}

/// As statsd knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
}

/// Over how many points runs of the collector are averaged: there are few.
const RUNS_AVERAGED: usize = 45;
/// Latencies are sent in nanoseconds and shown in milliseconds.
const NANOSECOND_MS: &str = "0.000001";

impl Keys {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            prefix: options.statsd_prefix.clone(),
            counter_format: options.statsd_counter_format.clone(),
            gauge_format: options.statsd_gauge_format.clone(),
        }
    }

    /// What graphite is to draw, a line for each; in the terms of its render API.
    pub(crate) fn targets(&self, series: &Series<'_>, nodes: Nodes<'_>) -> Vec<String> {
        let prefix = self.prefix(nodes);
        match *series {
            Series::Topic(topic, figure) => {
                let key = format!("{prefix}topic.{}.{}", sanitized(topic), figure.key());
                vec![format!("sumSeries({})", self.formatted(figure.kind(), &key))]
            }
            Series::Channel((topic, channel), figure) => {
                let (topic, channel) = (sanitized(topic), sanitized(channel));
                let key = format!("{prefix}topic.{topic}.channel.{channel}.{}", figure.key());
                vec![format!("sumSeries({})", self.formatted(figure.kind(), &key))]
            }
            Series::Latency(topic, channel, quantiles) => {
                let topic = sanitized(topic);
                let channel = channel.map(|channel| format!("channel.{}.", sanitized(channel)));
                let stem = format!("{prefix}topic.{topic}.{}", channel.unwrap_or_default());
                let target = |percent| self.latency(&stem, percent, nodes);
                quantile_keys(quantiles).iter().map(|percent| target(percent)).collect()
            }
            Series::Memory(memory) => {
                let key = format!("{prefix}mem.{}", memory.key());
                let formatted = self.formatted(memory.kind(), &key);
                vec![match memory {
                    Memory::CollectorRuns => format!("movingAverage({formatted},{RUNS_AVERAGED})"),
                    _ => formatted,
                }]
            }
            Series::AllMessages => {
                let key = format!("{prefix}topic.*.channel.*.{}", Figure::Messages.key());
                vec![format!("sumSeries({})", self.formatted(Kind::Counter, &key))]
            }
        }
    }

    fn latency(&self, stem: &str, percent: &str, nodes: Nodes<'_>) -> String {
        let key = format!("{stem}e2e_processing_latency_{percent}");
        let formatted = self.formatted(Kind::Gauge, &key);
        let one = match nodes {
            Nodes::All => format!("averageSeries({formatted})"),
            Nodes::One(_) => formatted,
        };
        format!("scale({one},{NANOSECOND_MS})")
    }

    /// As nsqd makes it: with a dot behind it, unless there is none.
    fn prefix(&self, nodes: Nodes<'_>) -> String {
        let host = match nodes {
            Nodes::All => "*".to_owned(),
            Nodes::One(address) => sanitized(&address.replace(['.', ':'], "_")),
        };
        let mut prefix = self.prefix.replace("%s", &host);
        if !prefix.is_empty() && !prefix.ends_with('.') {
            prefix.push('.');
        }
        prefix
    }

    /// As statsd calls it in graphite.
    fn formatted(&self, kind: Kind, key: &str) -> String {
        let format = match kind {
            Kind::Counter => &self.counter_format,
            Kind::Gauge => &self.gauge_format,
        };
        if format.is_empty() { key.to_owned() } else { format.replace("%s", key) }
    }
}

impl Series<'_> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Topic(_, figure) | Self::Channel(_, figure) => figure.kind(),
            Self::Latency(..) => Kind::Gauge,
            Self::Memory(memory) => memory.kind(),
            Self::AllMessages => Kind::Counter,
        }
    }
}

impl Figure {
    fn key(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::InFlight => "in_flight_count",
            Self::Deferred => "deferred_count",
            Self::Requeued => "requeue_count",
            Self::TimedOut => "timeout_count",
            Self::Messages => "message_count",
            Self::Clients => "clients",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Depth | Self::InFlight | Self::Deferred | Self::Clients => Kind::Gauge,
            Self::Requeued | Self::TimedOut | Self::Messages => Kind::Counter,
        }
    }
}

impl Memory {
    fn key(self) -> &'static str {
        match self {
            Self::Bytes => "*_bytes",
            Self::CollectorPauses => "gc_pause_*",
            Self::CollectorRuns => "gc_runs",
            Self::Objects => "heap_objects",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::CollectorRuns => Kind::Counter,
            Self::Bytes | Self::CollectorPauses | Self::Objects => Kind::Gauge,
        }
    }
}

/// What statsd leaves of a name. So no name, which nodes choose for themselves, can be more of a
/// target than a part of a key.
fn sanitized(name: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('_'),
        '/' => Some('-'),
        '-' | '_' | '.' => Some(letter),
        letter => letter.is_ascii_alphanumeric().then_some(letter),
    };
    name.chars().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Nodes<'_> = Nodes::One("10.0.0.1:4151");
    /// What `--statsd-prefix`, `--statsd-counter-format` and `--statsd-gauge-format` are.
    type Flags = (&'static str, &'static str, &'static str);
    const DEFAULT: Flags = ("nsq.%s", "stats.counters.%s.count", "stats.gauges.%s");
    const PLAIN: Flags = ("nsq.%s", "%s", "%s");

    #[track_caller]
    fn check(flags: Flags, series: Series<'_>, nodes: Nodes<'_>, expected: &[&str]) {
        let (prefix, counter_format, gauge_format) = flags;
        let (prefix, gauge_format) = (prefix.to_owned(), gauge_format.to_owned());
        let keys = Keys { prefix, counter_format: counter_format.to_owned(), gauge_format };
        assert_eq!(keys.targets(&series, nodes), expected, "{series:?} {nodes:?}");
    }

    /// What the page of Go NSQ 1.3 makes of the same.
    #[test]
    fn targets_as_in_go_nsq() {
        const DEPTH: Figure = Figure::Depth;
        let topic = |node: Nodes<'_>, name, figure, expected: &str| {
            check(DEFAULT, Series::Topic(name, figure), node, &[expected]);
        };
        topic(Nodes::All, "clicks", DEPTH, "sumSeries(stats.gauges.nsq.*.topic.clicks.depth)");
        topic(
            Nodes::All,
            "clicks",
            Figure::Messages,
            "sumSeries(stats.counters.nsq.*.topic.clicks.message_count.count)",
        );
        topic(
            NODE,
            "clicks",
            DEPTH,
            "sumSeries(stats.gauges.nsq.10_0_0_1_4151.topic.clicks.depth)",
        );
        topic(
            Nodes::One("nsqd-1.example:4151"),
            "clicks.v2",
            Figure::Messages,
            "sumSeries(stats.counters.nsq.nsqd-1_example_4151.topic.clicks.v2.message_count.count)",
        );
        for (name, part) in [
            ("tmp#ephemeral", "tmpephemeral"),
            ("a b/c(d)\"e", "a_b-cde"),
            ("主题", ""),
            ("a*{b,c}[d]%", "abcd"),
        ] {
            let expected = format!("sumSeries(stats.gauges.nsq.*.topic.{part}.depth)");
            topic(Nodes::All, name, DEPTH, &expected);
        }
    }

    #[test]
    fn targets_of_channels_as_in_go_nsq() {
        for (figure, expected) in [
            (Figure::Depth, "gauges.{}.depth"),
            (Figure::InFlight, "gauges.{}.in_flight_count"),
            (Figure::Deferred, "gauges.{}.deferred_count"),
            (Figure::Requeued, "counters.{}.requeue_count.count"),
            (Figure::TimedOut, "counters.{}.timeout_count.count"),
            (Figure::Messages, "counters.{}.message_count.count"),
            (Figure::Clients, "gauges.{}.clients"),
        ] {
            let series = Series::Channel(("clicks", "archive#ephemeral"), figure);
            let key = expected.replace("{}", "nsq.*.topic.clicks.channel.archiveephemeral");
            check(DEFAULT, series, Nodes::All, &[&format!("sumSeries(stats.{key})")]);
        }
        let odd = Series::Channel(("a b", "c/d"), Figure::Depth);
        let expected = "sumSeries(stats.gauges.nsq.10_0_0_1_4151.topic.a_b.channel.c-d.depth)";
        check(DEFAULT, odd, NODE, &[expected]);
        let expected = "sumSeries(stats.counters.nsq.*.topic.*.channel.*.message_count.count)";
        check(DEFAULT, Series::AllMessages, Nodes::All, &[expected]);
    }

    #[test]
    fn formats_as_in_go_nsq() {
        let other = ("x.%s.%s.y", "c.%s", "%s.g.%s");
        let depth = Series::Topic("clicks", Figure::Depth);
        let key = "x.10_0_0_1_4151.10_0_0_1_4151.y.topic.clicks.depth";
        check(other, depth, NODE, &[&format!("sumSeries({key}.g.{key})")]);
        let expected = "sumSeries(c.x.*.*.y.topic.*.channel.*.message_count)";
        check(other, Series::AllMessages, Nodes::All, &[expected]);
        check(PLAIN, depth, Nodes::All, &["sumSeries(nsq.*.topic.clicks.depth)"]);
    }

    #[test]
    fn targets_of_memory_as_in_go_nsq() {
        let mem = "nsq.10_0_0_1_4151.mem";
        for (memory, key) in [
            (Memory::Bytes, "*_bytes"),
            (Memory::CollectorPauses, "gc_pause_*"),
            (Memory::Objects, "heap_objects"),
        ] {
            let expected = format!("stats.gauges.{mem}.{key}");
            check(DEFAULT, Series::Memory(memory), NODE, &[&expected]);
        }
        let expected = format!("movingAverage({mem}.gc_runs,45)");
        check(PLAIN, Series::Memory(Memory::CollectorRuns), NODE, &[&expected]);
    }

    #[test]
    fn targets_of_latencies_as_in_go_nsq() {
        let of_topic = Series::Latency("clicks", None, &[0.99, 0.5]);
        let of_channel = Series::Latency("clicks", Some("archive"), &[0.99, 0.95]);
        let all = |percent| {
            format!(
                "scale(averageSeries(nsq.*.topic.clicks.e2e_processing_latency_{percent}),0.000001)"
            )
        };
        check(PLAIN, of_topic, Nodes::All, &[&all("99"), &all("50")]);
        let key = "nsq.10_0_0_1_4151.topic.clicks.channel.archive.e2e_processing_latency_";
        let one = |percent| format!("scale(stats.gauges.{key}{percent},0.000001)");
        check(DEFAULT, of_channel, NODE, &[&one("99"), &one("95")]);
    }

    /// There Go NSQ's page asks for what graphite cannot have, or cannot read.
    #[test]
    fn targets_unlike_in_go_nsq() {
        let depth = Series::Topic("clicks", Figure::Depth);
        // `sumSeries()`
        check(("nsq.%s", "", ""), depth, Nodes::All, &["sumSeries(nsq.*.topic.clicks.depth)"]);
        // `nsq.10_0_0_1_4151..topic`
        let expected = ["sumSeries(nsq.10_0_0_1_4151.topic.clicks.depth)"];
        check(("nsq.%s.", "%s", "%s"), depth, NODE, &expected);
        // `.topic`
        check(("", "%s", "%s"), depth, NODE, &["sumSeries(topic.clicks.depth)"]);
        // `[__1]_4151`: statsd drops the brackets, and graphite reads them as a choice of letters.
        let expected = ["sumSeries(nsq.__1_4151.topic.clicks.depth)"];
        check(PLAIN, depth, Nodes::One("[::1]:4151"), &expected);
        let expected = ["sumSeries(nsq.aaliasxb_1.topic.clicks.depth)"];
        check(PLAIN, depth, Nodes::One("a),alias(x,\"b:1"), &expected);
        // `stats.counters.movingAverage(nsq.10_0_0_1_4151.mem.gc_runs,45).count`
        let runs = "movingAverage(stats.counters.nsq.10_0_0_1_4151.mem.gc_runs.count,45)";
        check(DEFAULT, Series::Memory(Memory::CollectorRuns), NODE, &[runs]);
        // `scale(stats.gauges.averageSeries(nsq.*.topic.….channel.tmp#ephemeral.…_100),0.000001)`
        let channel = "stats.gauges.nsq.*.topic.clicks.channel.tmpephemeral";
        let expected =
            format!("scale(averageSeries({channel}.e2e_processing_latency_100),0.000001)");
        let series = Series::Latency("clicks", Some("tmp#ephemeral"), &[1.0]);
        check(DEFAULT, series, Nodes::All, &[&expected]);
    }
}
