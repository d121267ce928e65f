//! The metrics page, in the OpenMetrics format. It is written from what is counted for it.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::daemon::{Daemon, VERSION};

/// What the page is served as.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What all names begin with.
const PREFIX: &str = "nsqlookupd";
const BUILD_HELP: &str =
    "The version of NSQ whose behaviour this is, and the compiler it was built with.";

/// What is told on one page.
#[derive(Debug, Default)]
struct Figures {
    topics: u64,
    channels: u64,
    producers: u64,
    registrations: u64,
    tcp_open: u64,
    tcp_accepted: u64,
    http_open: u64,
    http_accepted: u64,
    http_waiting: u64,
}

/// A name without prefix and unit, its unit, its type, its help, and its value.
type Family = (&'static str, &'static str, MetricType, &'static str, fn(&Figures) -> u64);

const FAMILIES: &[Family] = &[
    ("topics", "", MetricType::Gauge, "Topics that are registered.", |figures| figures.topics),
    ("channels", "", MetricType::Gauge, "Channels of all topics.", |figures| figures.channels),
    ("producers", "", MetricType::Gauge, "Connections that have identified.", |figures| {
        figures.producers
    }),
    ("registrations", "", MetricType::Counter, "REGISTER commands.", |figures| {
        figures.registrations
    }),
    ("tcp_open", "connections", MetricType::Gauge, "TCP clients that are connected.", |figures| {
        figures.tcp_open
    }),
    (
        "tcp_accepted",
        "connections",
        MetricType::Counter,
        "TCP clients that ever connected.",
        |figures| figures.tcp_accepted,
    ),
    ("http_open", "connections", MetricType::Gauge, "HTTP connections that are open.", |figures| {
        figures.http_open
    }),
    (
        "http_accepted",
        "connections",
        MetricType::Counter,
        "HTTP connections that were ever made.",
        |figures| figures.http_accepted,
    ),
    (
        "http_waiting",
        "requests",
        MetricType::Gauge,
        "HTTP requests that wait for a change.",
        |figures| figures.http_waiting,
    ),
];

/// The page as of now.
pub(crate) fn render(daemon: &Daemon) -> Result<String, fmt::Error> {
    let (topics, channels) = daemon.registry.counts();
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Figures {
        topics: topics as u64,
        channels: channels as u64,
        producers: daemon.registry.peers().len() as u64,
        registrations: daemon.registry.registrations(),
        tcp_open: daemon.tcp.open(),
        tcp_accepted: daemon.tcp.accepted(),
        http_open: daemon.http.open(),
        http_accepted: daemon.http.accepted(),
        http_waiting: daemon.waiters.taken() as u64,
    }));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let labels = [("version", VERSION), ("compiler", nsq_app::version::COMPILER)];
        let build = encoder.encode_descriptor("build", BUILD_HELP, None, MetricType::Info);
        build?.encode_info(&labels)?;
        for (name, unit, kind, help, value) in FAMILIES {
            let unit = (!unit.is_empty()).then(|| Unit::Other((*unit).to_owned()));
            let metric = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            let value = value(self);
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                _ => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_documented_as_it_is() {
        let mut expected = format!("| `{PREFIX}_build_info` | info | {BUILD_HELP} |\n");
        for (name, unit, kind, help, _) in FAMILIES {
            let unit = if unit.is_empty() { String::new() } else { format!("_{unit}") };
            let (suffix, kind) = match kind {
                MetricType::Counter => ("_total", "counter"),
                _ => ("", "gauge"),
            };
            expected += &format!("| `{PREFIX}_{name}{unit}{suffix}` | {kind} | {help} |\n");
        }
        let document = include_str!("../../../docs/discovery.md").split_inclusive('\n');
        let documented: String =
            document.filter(|line| line.starts_with("| `nsqlookupd_")).collect();
        assert!(documented == expected, "the table of docs/discovery.md must be:\n{expected}");
    }
}
