//! `/stats` as text, byte for byte as Go NSQ writes it.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nsq_api::{ChannelStats, ClientStats, Latency, MemoryStats, Stats, TopicStats};
use nsq_app::duration::DurationText;
use nsq_app::local_time::LocalTime;

/// When and where statistics are shown.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) now: SystemTime,
    /// Since the start of the daemon.
    pub(crate) uptime: Duration,
    pub(crate) local_time: LocalTime,
}

/// Statistics as text; `version` is the first line.
pub(crate) fn render(stats: &Stats, version: &str, moment: &Moment) -> String {
    let mut text = String::new();
    write(&mut text, stats, version, moment).expect("a String takes everything");
    text
}

fn write(out: &mut String, stats: &Stats, version: &str, moment: &Moment) -> fmt::Result {
    let started = UNIX_EPOCH + Duration::from_secs(u64::try_from(stats.start_time).unwrap_or(0));
    writeln!(out, "{version}")?;
    writeln!(out, "start_time {}", moment.local_time.rfc3339(started))?;
    writeln!(out, "uptime {}", DurationText(moment.uptime))?;
    writeln!(out, "\nHealth: {}", stats.health)?;
    if let Some(memory) = &stats.memory {
        write_memory(out, memory)?;
    }
    match stats.topics.as_deref() {
        None | Some([]) => writeln!(out, "\nTopics: None")?,
        Some(topics) => {
            write!(out, "\nTopics:")?;
            topics.iter().try_for_each(|topic| write_topic(out, topic, moment))?;
        }
    }
    match stats.producers.as_deref() {
        None | Some([]) => writeln!(out, "\nProducers: None"),
        Some(producers) => {
            writeln!(out, "\nProducers:")?;
            let mut producers = producers.iter();
            producers.try_for_each(|client| writeln!(out, "   {}", ClientLine(client, moment)))
        }
    }
}

fn write_memory(out: &mut String, memory: &MemoryStats) -> fmt::Result {
    writeln!(out, "\nMemory:")?;
    let lines = [
        ("heap_objects", memory.heap_objects),
        ("heap_idle_bytes", memory.heap_idle_bytes),
        ("heap_in_use_bytes", memory.heap_in_use_bytes),
        ("heap_released_bytes", memory.heap_released_bytes),
        ("gc_pause_usec_100", memory.gc_pause_usec_100),
        ("gc_pause_usec_99", memory.gc_pause_usec_99),
        ("gc_pause_usec_95", memory.gc_pause_usec_95),
        ("next_gc_bytes", memory.next_gc_bytes),
        ("gc_total_runs", memory.gc_total_runs),
    ];
    lines.iter().try_for_each(|(name, value)| writeln!(out, "   {name:<25}\t{value}"))
}

fn write_topic(out: &mut String, topic: &TopicStats, moment: &Moment) -> fmt::Result {
    writeln!(
        out,
        "\n{}[{:<15}] depth: {:<5} be-depth: {:<5} msgs: {:<8} e2e%: {}",
        if topic.paused { "*P " } else { "   " },
        topic.topic_name,
        topic.depth,
        topic.backend_depth,
        topic.message_count,
        Percentiles(&topic.e2e_processing_latency),
    )?;
    topic.channels.iter().try_for_each(|channel| write_channel(out, channel, moment))
}

fn write_channel(out: &mut String, channel: &ChannelStats, moment: &Moment) -> fmt::Result {
    writeln!(
        out,
        "{}[{:<25}] depth: {:<5} be-depth: {:<5} inflt: {:<4} def: {:<4} re-q: {:<5} \
         timeout: {:<5} msgs: {:<8} e2e%: {}",
        if channel.paused { "   *P " } else { "      " },
        channel.channel_name,
        channel.depth,
        channel.backend_depth,
        channel.in_flight_count,
        channel.deferred_count,
        channel.requeue_count,
        channel.timeout_count,
        channel.message_count,
        Percentiles(&channel.e2e_processing_latency),
    )?;
    let mut clients = channel.clients.iter().flatten();
    clients.try_for_each(|client| writeln!(out, "        {}", ClientLine(client, moment)))
}

/// A client that has published shows what, any other what it consumes.
struct ClientLine<'a>(&'a ClientStats, &'a Moment);

impl fmt::Display for ClientLine<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(client, moment) = self;
        let port = client.remote_address.rsplit_once(':').map_or("", |(_, port)| port);
        let who = format!("{}:{port} {}", client.hostname, client.user_agent);
        write!(out, "[{} {who:<21}] ", client.version)?;
        if client.pub_counts.is_empty() {
            write!(
                out,
                "state: {} inflt: {:<4} rdy: {:<4} fin: {:<8} re-q: {:<8} msgs: {:<8}",
                client.state,
                client.in_flight_count,
                client.ready_count,
                client.finish_count,
                client.requeue_count,
                client.message_count,
            )?;
        } else {
            let total: u64 = client.pub_counts.iter().map(|published| published.count).sum();
            let topics = client.pub_counts.iter();
            let topics: Vec<_> = topics.map(|p| format!("{}={}", p.topic, p.count)).collect();
            write!(out, "msgs: {total:<8} topics: {}", topics.join(","))?;
        }
        let connected = UNIX_EPOCH + Duration::from_secs(client.connect_ts.unsigned_abs());
        let age = moment.now.duration_since(connected).unwrap_or_default();
        write!(out, " connected: {}", DurationText(Duration::from_secs(age.as_secs())))
    }
}

struct Percentiles<'a>(&'a Latency);

impl fmt::Display for Percentiles<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percentiles = self.0.percentiles.iter().flatten();
        for (percentile, index) in percentiles.zip(0..) {
            let separator = if index > 0 { ", " } else { "" };
            let (value, unit) = match percentile.value {
                value if value > 1e9 => (value / 1e9, "s"),
                value if value > 1e6 => (value / 1e6, "ms"),
                value if value > 1e3 => (value / 1e3, "us"),
                value => (value, "ns"),
            };
            write!(out, "{separator}{value:.1}{unit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nsq_api::LatencyPercentile;

    use super::*;

    const VERSION: &str = "nsqd v1.3.0 (built w/go1.27.3)";
    /// What the original answers as JSON and as text in one moment.
    const JSON: &str = include_str!("../../tests/golden/stats.json");
    const TEXT: &str = include_str!("../../tests/golden/stats.txt");

    fn moment() -> Moment {
        Moment {
            now: UNIX_EPOCH + Duration::new(1_795_371_739, 900_000_000),
            uptime: Duration::from_nanos(1_382_815_873),
            local_time: LocalTime::utc(),
        }
    }

    fn shown(stats: &Stats) -> String {
        render(stats, VERSION, &moment())
    }

    #[test]
    fn the_text_of_the_original() {
        let stats: Stats = serde_json::from_str(JSON).expect("the sample is a body of /stats");
        assert_eq!(shown(&stats), TEXT);
    }

    #[test]
    fn nothing_to_show() {
        let head = "nsqd v1.3.0 (built w/go1.27.3)\nstart_time 1970-01-01T00:00:00Z\n\
                    uptime 1.382815873s\n\nHealth: NOK - disk full\n";
        let end = "\nTopics: None\n\nProducers: None\n";
        for topics in [None, Some(Vec::new())] {
            let health = "NOK - disk full".to_owned();
            let stats = Stats { health, topics, ..Stats::default() };
            assert_eq!(shown(&stats), format!("{head}{end}"));
        }
    }

    #[test]
    fn what_is_paused_is_marked() {
        let channels = vec![ChannelStats { paused: true, ..ChannelStats::default() }];
        let topic = TopicStats { paused: true, channels, ..TopicStats::default() };
        let text = shown(&Stats { topics: Some(vec![topic]), ..Stats::default() });
        assert!(text.contains("\nTopics:\n*P [               ] depth: 0 "), "{text}");
        assert!(text.contains("\n   *P [                         ] depth: 0 "), "{text}");
    }

    #[test]
    fn latencies_for_humans() {
        for (values, expected) in [
            (&[][..], ""),
            (&[0.0], "0.0ns"),
            (&[1_000.0, 1_001.0], "1000.0ns, 1.0us"),
            (
                &[1e6, 4_483_630.0, 1e9, 1e9 + 1.0, 61.26e9],
                "1000.0us, 4.5ms, 1000.0ms, 1.0s, 61.3s",
            ),
        ] {
            let percentile = |&value| LatencyPercentile { quantile: 0.5, value };
            let percentiles = Some(values.iter().map(percentile).collect());
            let latency = Latency { count: 1, percentiles };
            assert_eq!(Percentiles(&latency).to_string(), expected);
        }
    }
}
