//! `nsq bench pub`: how fast messages are taken in.

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::{clean_up, report_published};
use crate::layers::LayerArgs;
use crate::load::{Goal, Load, LoadPlan, PublishSide};
use crate::report::Report;
use crate::settings::{CommonArgs, LimitArgs, PublishArgs};
use crate::transport::Transport;

/// Settings of `pub`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct PubArgs {
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
    /// Publishing connections
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// What to publish through; HTTP needs --http-address, and --depth 1 as its clients have it
    #[arg(long, value_enum, default_value_t)]
    over: Transport,
    /// Defer every message by this many milliseconds (DPUB)
    #[arg(long, value_name = "MS")]
    defer: Option<u64>,
}

/// Publishes, and reports the rate of acknowledged messages.
pub(super) fn measure(args: &PubArgs) -> Result<Report> {
    ensure!(args.defer.is_none() || args.publish.batch == 1, "--defer needs --batch 1");
    if args.over == Transport::Http {
        ensure!(args.common.http_address.is_some(), "--over http needs --http-address");
        ensure!(args.publish.depth == 1, "--over http needs --depth 1");
        let is_plain = !args.layers.are_asked_for();
        ensure!(is_plain, "--tls, --snappy and --deflate are for connections over TCP");
    }
    let topic = args.common.topic_or("bench");
    let goal = match args.limit.messages {
        Some(_) => Goal::Published,
        None => Goal::Elapsed(args.limit.duration()),
    };
    let load = Load::prepare(LoadPlan {
        common: args.common.clone(),
        layers: args.layers.layers()?,
        topic: topic.clone(),
        publish: Some(PublishSide {
            args: args.publish.clone(),
            transport: args.over,
            connections: args.connections as usize,
            messages: args.limit.messages,
            defer_ms: args.defer,
        }),
        consume: None,
        verify: None,
        published_before: Vec::new(),
        max_backlog: None,
        warmup: args.limit.warmup(),
        goal,
    })?;
    let outcome = load.run()?;

    let mut report = Report::new("pub", args);
    let measurement = &outcome.measurement;
    report.text("topic", &topic);
    report.real("elapsed_s", measurement.elapsed().as_secs_f64());
    report_published(&mut report, measurement, args.publish.size);
    report.count("published_in_all", outcome.published);
    measurement.report_usage(&mut report, measurement.published());
    clean_up(&args.common, &topic)?;
    Ok(report)
}
