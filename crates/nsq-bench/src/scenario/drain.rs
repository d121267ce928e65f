//! `nsq bench drain`: a backlog is published first and consumed afterwards.

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::end_to_end::ensure_markable;
use super::{clean_up, report_fates};
use crate::connection::Connection;
use crate::layers::LayerArgs;
use crate::load::{ConsumeSide, Goal, Load, LoadPlan, Outcome, PublishSide};
use crate::quantity::{parse_bytes, parse_count};
use crate::report::Report;
use crate::settings::{CommonArgs, ConsumeArgs, PublishArgs, share};
use crate::transport::Transport;

/// Settings of `drain`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct DrainArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    #[serde(flatten)]
    layers: LayerArgs,
    #[command(flatten)]
    #[serde(flatten)]
    publish: PublishArgs,
    #[command(flatten)]
    #[serde(flatten)]
    consume: ConsumeArgs,
    /// Messages in the backlog; 1 M when neither this nor --backlog-bytes is given
    #[arg(long, value_parser = parse_count, conflicts_with = "backlog_bytes")]
    messages: Option<u64>,
    /// Size of the backlog: 5GB, 500MiB; the number of messages follows from --size
    #[arg(long, value_parser = parse_bytes)]
    backlog_bytes: Option<u64>,
    /// Publishing connections
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,
    /// Consuming connections on each channel
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    consumers: u32,
    /// Only publish the backlog; drain it later with --drain-only and the same settings
    #[arg(long, conflicts_with = "drain_only")]
    publish_only: bool,
    /// Only drain a backlog published with --publish-only and the same settings
    #[arg(long)]
    drain_only: bool,
    /// Where the backlog waits: in channels that exist before it, or in a topic without channel
    #[arg(long, value_enum, default_value_t = Place::Channel)]
    backlog_in: Place,
    /// Mark every message and count those that are delivered twice or never
    #[arg(long)]
    verify: bool,
}

/// Where a backlog waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Channel,
    Topic,
}

/// Publishes, then drains; reports both rates.
pub(super) fn measure(args: &DrainArgs) -> Result<Report> {
    ensure_markable(args.verify, args.publish.size)?;
    ensure!(
        args.backlog_in == Place::Channel || args.consume.channels == 1,
        "only one channel can take over the backlog of a topic"
    );
    // The two halves of a run with a restart in between must find each other's topic.
    let topic = if args.publish_only || args.drain_only {
        args.common.topic_or("bench_drain")
    } else {
        args.common.topic_or_fresh("drain")
    };
    let mut report = Report::new("drain", args);
    report.text("topic", &topic);
    report.count("backlog_messages", args.messages());
    report.count("backlog_bytes", args.messages().saturating_mul(args.publish.size));
    if !args.drain_only {
        publish(args, &topic, &mut report)?;
    }
    if !args.publish_only {
        drain(args, &topic, &mut report)?;
        clean_up(&args.common, &topic)?;
    }
    Ok(report)
}

impl DrainArgs {
    fn messages(&self) -> u64 {
        let from_bytes = self.backlog_bytes.map(|bytes| bytes / self.publish.size.max(1));
        self.messages.or(from_bytes).unwrap_or(1_000_000).max(1)
    }

    fn plan(&self, topic: &str, goal: Goal) -> Result<LoadPlan> {
        Ok(LoadPlan {
            common: self.common.clone(),
            layers: self.layers.layers()?,
            topic: topic.to_owned(),
            publish: None,
            consume: None,
            verify: self.verify.then(|| run_of(topic)),
            published_before: Vec::new(),
            max_backlog: None,
            warmup: std::time::Duration::ZERO,
            goal,
        })
    }
}

fn publish(args: &DrainArgs, topic: &str, report: &mut Report) -> Result<()> {
    if args.backlog_in == Place::Channel {
        create_channels(args, topic)?;
    }
    let load = Load::prepare(LoadPlan {
        publish: Some(PublishSide {
            args: args.publish.clone(),
            transport: Transport::Tcp,
            connections: args.publishers as usize,
            messages: Some(args.messages()),
            defer_ms: None,
        }),
        ..args.plan(topic, Goal::Published)?
    })?;
    let Outcome { measurement, published, .. } = load.run()?;
    report.count("published", published);
    report.real("publish_elapsed_s", measurement.elapsed().as_secs_f64());
    report.real("publishes_per_s", measurement.rate(published));
    if let (Some(begin), Some(end)) = (measurement.begin.server, measurement.end.server) {
        let cpu_s = end.cpu.saturating_sub(begin.cpu).as_secs_f64();
        report.real("publish_server_cpu_us_per_message", cpu_s * 1e6 / published.max(1) as f64);
        report.count("backlog_server_rss_bytes", end.rss_bytes);
        report.count("backlog_server_peak_rss_bytes", end.peak_rss_bytes);
    }
    Ok(())
}

fn drain(args: &DrainArgs, topic: &str, report: &mut Report) -> Result<()> {
    let publishers = args.publishers as usize;
    let messages = args.messages();
    let expected = messages.saturating_mul(u64::from(args.consume.channels));
    let load = Load::prepare(LoadPlan {
        consume: Some(ConsumeSide {
            args: args.consume.clone(),
            consumers: args.consumers as usize,
        }),
        published_before: (0..publishers).map(|index| share(messages, publishers, index)).collect(),
        ..args.plan(topic, Goal::Delivered(expected))?
    })?;
    let outcome = load.run()?;
    let measurement = &outcome.measurement;
    let delivered = measurement.delivered();
    report.count("drained", delivered);
    report.real("drain_elapsed_s", measurement.elapsed().as_secs_f64());
    report.real("drained_per_s", measurement.rate(delivered));
    let megabytes = delivered.saturating_mul(args.publish.size) as f64 / 1e6;
    report.real("drained_mb_per_s", megabytes * measurement.rate(1));
    measurement.report_usage(report, delivered);
    report_fates(report, &outcome, Some(expected));
    Ok(())
}

/// Subscribing creates topic and channel; they stay when the connection goes.
fn create_channels(args: &DrainArgs, topic: &str) -> Result<()> {
    let common = &args.common;
    let (identify, layers) = (args.consume.identify(), args.layers.layers()?);
    for channel in args.consume.channel_names() {
        Connection::open(&common.address, &identify, &layers, 4096, common.timeout)?
            .subscribe(topic, &channel)
            .context("create the channel")?;
    }
    Ok(())
}

/// The mark of the messages: the same in both halves of a run, another for another topic (FNV-1a).
fn run_of(topic: &str) -> u64 {
    topic.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
