//! The metrics page: everything the daemon counts and measures, in the OpenMetrics format.
//!
//! A family is declared once, in the tables below; `docs/metrics.md` is compared with them. The
//! page is written from what was gathered for it, so nothing is registered or kept per topic.

mod families;

use std::fmt;

use nsq_api::{Latency, Stats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use self::families::{
    APPENDS, BUILD, CHANNEL_LATENCY, CHANNELS, Family, Kind, LOG_BYTES, LOOKUP_PEERS, NODE, SYNCS,
    TOPIC_LATENCY, TOPICS,
};
use crate::lookup::LookupPeer;
use crate::meters::Durations;
use crate::node::{Node, VERSION};
use crate::process::{self, ProcessMemory};

/// What the page is served as.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What all names begin with.
const PREFIX: &str = "nsqd";

/// The page as of now. Waits for the disk to tell how much of it is free.
pub(crate) fn render(node: &Node, stats: Stats) -> Result<String, fmt::Error> {
    page(Page { figures: Figures::gather(node), stats })
}

fn page(page: Page) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(page));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// What is known of the node besides its topics.
#[derive(Clone, Debug, PartialEq)]
struct Figures {
    memory: ProcessMemory,
    recent_bytes: u64,
    recent_bytes_limit: u64,
    /// None when the system does not tell.
    free_disk_bytes: Option<u64>,
    tcp_open: u64,
    tcp_accepted: u64,
    http_open: u64,
    http_accepted: u64,
    is_healthy: bool,
    lookup_peers: Vec<LookupPeer>,
    /// By topic.
    log_bytes: Vec<(String, u64)>,
    appends: Durations,
    syncs: Durations,
}

impl Figures {
    fn gather(node: &Node) -> Self {
        let path = crate::node::data_path(&node.options);
        let disk = rustix::fs::statvfs(&path).ok();
        let budget = node.store.memory();
        let meters = &node.meters;
        let logs = node.topics().into_iter();
        let logs = logs.filter_map(|t| Some((t.name.to_string(), t.backing.disk()?.disk_bytes())));
        Self {
            memory: process::memory(),
            recent_bytes: budget.used() as u64,
            recent_bytes_limit: budget.limit() as u64,
            free_disk_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            tcp_open: meters.tcp.open(),
            tcp_accepted: meters.tcp.accepted(),
            http_open: meters.http.open(),
            http_accepted: meters.http.accepted(),
            is_healthy: node.health.failure().is_none(),
            lookup_peers: node.lookup.report(),
            log_bytes: logs.collect(),
            appends: meters.appends.read(),
            syncs: meters.syncs.read(),
        }
    }
}

#[derive(Debug)]
struct Page {
    figures: Figures,
    stats: Stats,
}

type Label<'a> = (&'static str, &'a str);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.node(&mut encoder)?;
        self.lookup_peers(&mut encoder)?;
        self.topics(&mut encoder)?;
        self.channels(&mut encoder)
    }
}

impl Page {
    fn node(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let unit = unit(&BUILD);
        let labels = [("version", VERSION), ("compiler", nsq_app::version::COMPILER)];
        begin(encoder, &BUILD, unit.as_ref())?.encode_info(&labels)?;
        for (family, value) in NODE {
            let Some(value) = value(self) else { continue };
            let unit = self::unit(family);
            sample(begin(encoder, family, unit.as_ref())?, family, value)?;
        }
        for (family, durations) in
            [(&APPENDS, &self.figures.appends), (&SYNCS, &self.figures.syncs)]
        {
            let unit = self::unit(family);
            let mut metric = begin(encoder, family, unit.as_ref())?;
            let (total, count) = (durations.total_seconds, durations.count());
            metric.encode_histogram::<[Label<'_>; 0]>(total, count, &durations.buckets, None)?;
        }
        Ok(())
    }

    fn lookup_peers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (family, value) in LOOKUP_PEERS {
            let unit = unit(family);
            let mut metric = begin(encoder, family, unit.as_ref())?;
            for peer in &self.figures.lookup_peers {
                let Some(value) = value(peer) else { continue };
                let labels = [("address", peer.address.as_str())];
                sample(metric.encode_family(&labels)?, family, value)?;
            }
        }
        Ok(())
    }

    fn topics(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (family, value) in TOPICS {
            let unit = unit(family);
            let mut metric = begin(encoder, family, unit.as_ref())?;
            for topic in self.stats.topics.iter().flatten() {
                let labels = [("topic", topic.topic_name.as_str())];
                sample(metric.encode_family(&labels)?, family, value(topic))?;
            }
        }
        let unit = unit(&LOG_BYTES);
        let mut metric = begin(encoder, &LOG_BYTES, unit.as_ref())?;
        for (topic, bytes) in &self.figures.log_bytes {
            let labels = [("topic", topic.as_str())];
            sample(metric.encode_family(&labels)?, &LOG_BYTES, *bytes)?;
        }
        let unit = self::unit(&TOPIC_LATENCY);
        let mut metric = begin(encoder, &TOPIC_LATENCY, unit.as_ref())?;
        for topic in self.stats.topics.iter().flatten() {
            let labels = [("topic", topic.topic_name.as_str())];
            latency(&mut metric, &labels, &topic.e2e_processing_latency)?;
        }
        Ok(())
    }

    fn channels(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let topics = || self.stats.topics.iter().flatten();
        let channels = || topics().flat_map(|topic| topic.channels.iter().map(move |c| (topic, c)));
        for (family, value) in CHANNELS {
            let unit = unit(family);
            let mut metric = begin(encoder, family, unit.as_ref())?;
            for (topic, channel) in channels() {
                let names = (topic.topic_name.as_str(), channel.channel_name.as_str());
                let labels = [("topic", names.0), ("channel", names.1)];
                sample(metric.encode_family(&labels)?, family, value(channel))?;
            }
        }
        let unit = unit(&CHANNEL_LATENCY);
        let mut metric = begin(encoder, &CHANNEL_LATENCY, unit.as_ref())?;
        for (topic, channel) in channels() {
            let names = (topic.topic_name.as_str(), channel.channel_name.as_str());
            let labels = [("topic", names.0), ("channel", names.1)];
            latency(&mut metric, &labels, &channel.e2e_processing_latency)?;
        }
        Ok(())
    }
}

/// Writes what describes a family.
fn begin<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    family: &'a Family,
    unit: Option<&'a Unit>,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(family.name, family.help, unit, family.kind.metric_type())
}

fn unit(family: &Family) -> Option<Unit> {
    (!family.unit.is_empty()).then(|| Unit::Other(family.unit.to_owned()))
}

fn sample(metric: MetricEncoder<'_>, family: &Family, value: u64) -> fmt::Result {
    match family.kind {
        Kind::Counter => ConstCounter::new(value).encode(metric),
        _ => ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(metric),
    }
}

/// The percentiles; nothing before there is a sample.
fn latency<const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &[Label<'_>; N],
    latency: &Latency,
) -> fmt::Result {
    for percentile in latency.percentiles.iter().flatten().filter(|_| latency.count > 0) {
        let quantile = percentile.quantile.to_string();
        let labels = (*labels, [("quantile", quantile.as_str())]);
        let seconds = ConstGauge::new(percentile.value / 1e9);
        seconds.encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}
