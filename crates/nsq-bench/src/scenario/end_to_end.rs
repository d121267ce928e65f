//! `nsq bench e2e`: publishing and consuming at the same time.

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::{clean_up, report_delivered, report_fates, report_published};
use crate::layers::LayerArgs;
use crate::load::{ConsumeSide, Goal, Load, LoadPlan, PublishSide};
use crate::quantity::parse_count;
use crate::report::Report;
use crate::settings::{CommonArgs, ConsumeArgs, LimitArgs, PublishArgs, run_number};
use crate::stamp::STAMP_BYTES;
use crate::transport::Transport;

/// Settings of `e2e`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct EndToEndArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    #[serde(flatten)]
    layers: LayerArgs,
    #[command(flatten)]
    #[serde(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    #[serde(flatten)]
    publish: PublishArgs,
    #[command(flatten)]
    #[serde(flatten)]
    consume: ConsumeArgs,
    /// Publishing connections
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: u32,
    /// Consuming connections on each channel
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    consumers: u32,
    /// Hold publishers back while more messages than this are not delivered on every channel
    #[arg(long, value_parser = parse_count)]
    max_backlog: Option<u64>,
    /// Mark every message and count those that are delivered twice or never
    #[arg(long)]
    verify: bool,
}

/// Publishes and consumes, and reports both rates. The end waits for the last delivery.
pub(super) fn measure(args: &EndToEndArgs) -> Result<Report> {
    ensure_markable(args.verify, args.publish.size)?;
    let topic = args.common.topic_or_fresh("e2e");
    let channels = u64::from(args.consume.channels);
    let goal = match args.limit.messages {
        Some(messages) => Goal::Delivered(messages.saturating_mul(channels)),
        None => Goal::Elapsed(args.limit.duration()),
    };
    let load = Load::prepare(LoadPlan {
        common: args.common.clone(),
        layers: args.layers.layers()?,
        topic: topic.clone(),
        publish: Some(PublishSide {
            args: args.publish.clone(),
            transport: Transport::Tcp,
            connections: args.publishers as usize,
            messages: args.limit.messages,
            defer_ms: None,
        }),
        consume: Some(ConsumeSide {
            args: args.consume.clone(),
            consumers: args.consumers as usize,
        }),
        verify: args.verify.then(run_number),
        published_before: Vec::new(),
        max_backlog: args.max_backlog,
        warmup: args.limit.warmup(),
        goal,
    })?;
    let outcome = load.run()?;

    let mut report = Report::new("e2e", args);
    let measurement = &outcome.measurement;
    report.text("topic", &topic);
    report.real("elapsed_s", measurement.elapsed().as_secs_f64());
    report_published(&mut report, measurement, args.publish.size);
    report_delivered(&mut report, measurement);
    let end = &measurement.end;
    report.count("backlog_at_end", end.published.saturating_sub(end.delivered / channels));
    measurement.report_usage(&mut report, measurement.delivered());
    report.count("published_in_all", outcome.published);
    report.count("delivered_in_all", outcome.delivered);
    report_fates(&mut report, &outcome, Some(outcome.published * channels));
    clean_up(&args.common, &topic)?;
    Ok(report)
}

/// Marks need room in the body.
pub(super) fn ensure_markable(verify: bool, size_bytes: u64) -> Result<()> {
    ensure!(
        !verify || size_bytes >= STAMP_BYTES as u64,
        "--verify needs messages of at least {STAMP_BYTES} bytes"
    );
    Ok(())
}
