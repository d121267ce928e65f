//! `nsq bench sub`: how fast messages are given out and finished.

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{clean_up, report_delivered, report_fates};
use crate::layers::LayerArgs;
use crate::load::{ConsumeSide, Goal, Load, LoadPlan};
use crate::report::Report;
use crate::settings::{CommonArgs, ConsumeArgs, LimitArgs};

/// Settings of `sub`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct SubArgs {
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
    consume: ConsumeArgs,
    /// Consuming connections on each channel
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
}

/// Consumes, and reports the rate of deliveries over all channels.
pub(super) fn measure(args: &SubArgs) -> Result<Report> {
    let topic = args.common.topic_or("bench");
    let goal = match args.limit.messages {
        Some(messages) => Goal::Delivered(messages),
        None => Goal::Elapsed(args.limit.duration()),
    };
    let load = Load::prepare(LoadPlan {
        common: args.common.clone(),
        layers: args.layers.layers()?,
        topic: topic.clone(),
        publish: None,
        consume: Some(ConsumeSide {
            args: args.consume.clone(),
            consumers: args.connections as usize,
        }),
        verify: None,
        published_before: Vec::new(),
        max_backlog: None,
        warmup: args.limit.warmup(),
        goal,
    })?;
    let outcome = load.run()?;

    let mut report = Report::new("sub", args);
    let measurement = &outcome.measurement;
    report.text("topic", &topic);
    report.real("elapsed_s", measurement.elapsed().as_secs_f64());
    report_delivered(&mut report, measurement);
    report.count("delivered_in_all", outcome.delivered);
    measurement.report_usage(&mut report, measurement.delivered());
    report_fates(&mut report, &outcome, None);
    clean_up(&args.common, &topic)?;
    Ok(report)
}
