//! `Scenario`: what can be measured, and the figures most of the measurements share.

mod connections;
mod drain;
mod end_to_end;
mod latency;
mod lookup;
mod publish;
mod subscribe;
mod topics;

use anyhow::{Context, Result};
use clap::Subcommand;

use self::connections::ConnectionsArgs;
use self::drain::DrainArgs;
use self::end_to_end::EndToEndArgs;
use self::latency::LatencyArgs;
use self::lookup::LookupArgs;
use self::publish::PubArgs;
use self::subscribe::SubArgs;
use self::topics::TopicsArgs;
use crate::descriptors;
use crate::http::HttpClient;
use crate::load::Outcome;
use crate::process_usage::ProcessUsage;
use crate::report::Report;
use crate::settings::CommonArgs;
use crate::snapshot::{Measurement, per};

/// One kind of measurement with its settings.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Publish only: PUB, MPUB or DPUB
    Pub(PubArgs),
    /// Consume and finish only
    Sub(SubArgs),
    /// Publish and consume at the same time
    E2e(EndToEndArgs),
    /// Time from publishing a message to receiving it, at a fixed rate
    Latency(LatencyArgs),
    /// Memory of idle connections, topics and channels
    Connections(ConnectionsArgs),
    /// Thousands of topics: creating and deleting them, memory, statistics, latency meanwhile
    Topics(TopicsArgs),
    /// Publish a backlog, then consume all of it
    Drain(DrainArgs),
    /// An nsqlookupd with thousands of nodes: registering, lookups, memory
    Lookup(LookupArgs),
}

impl Scenario {
    /// Runs the measurement.
    pub(crate) fn measure(&self) -> Result<Report> {
        descriptors::raise_limit()?;
        match self {
            Self::Pub(args) => publish::measure(args),
            Self::Sub(args) => subscribe::measure(args),
            Self::E2e(args) => end_to_end::measure(args),
            Self::Latency(args) => latency::measure(args),
            Self::Connections(args) => connections::measure(args),
            Self::Topics(args) => topics::measure(args),
            Self::Drain(args) => drain::measure(args),
            Self::Lookup(args) => lookup::measure(args),
        }
    }

    /// Whether the report shall be one JSON object.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            Self::Pub(args) => args.common.json,
            Self::Sub(args) => args.common.json,
            Self::E2e(args) => args.common.json,
            Self::Latency(args) => args.common.json,
            Self::Connections(args) => args.common.json,
            Self::Topics(args) => args.common.json,
            Self::Drain(args) => args.common.json,
            Self::Lookup(args) => args.json,
        }
    }
}

/// Adds what was published within the measurement.
fn report_published(report: &mut Report, measurement: &Measurement, size_bytes: u64) {
    let published = measurement.published();
    report.count("published", published);
    report.real("publishes_per_s", measurement.rate(published));
    report.real("published_mb_per_s", measurement.rate(published * size_bytes) / 1e6);
}

/// Adds what was delivered within the measurement.
fn report_delivered(report: &mut Report, measurement: &Measurement) {
    report.count("delivered", measurement.delivered());
    report.real("deliveries_per_s", measurement.rate(measurement.delivered()));
}

/// Adds what became of the messages in the whole run; `expected` is what had to be delivered.
fn report_fates(report: &mut Report, outcome: &Outcome, expected: Option<u64>) {
    if let Some(ledger) = outcome.ledger {
        report.count("duplicates", ledger.duplicates);
        report.count("foreign", ledger.foreign);
    }
    if let Some(expected) = expected {
        let missing = expected.saturating_sub(outcome.delivered);
        report.count("missing", missing);
        report.count("surplus", outcome.delivered.saturating_sub(expected));
        if missing > 0 {
            report.problem(format!("{missing} of {expected} deliveries are missing"));
        }
    }
    let failures = &outcome.finish_failures;
    report.count("finish_failures", failures.count);
    if let Some(text) = &failures.first {
        report.problem(format!("{} FINs refused, the first with {text}", failures.count));
    }
}

/// Adds the daemon's memory, if it is known.
fn report_memory(report: &mut Report, name: &'static str, usage: Option<ProcessUsage>) {
    if let Some(usage) = usage {
        report.count(name, usage.rss_bytes);
    }
}

/// Adds what the daemon's memory grew by, for each of the `parts` that made it grow.
fn report_growth(
    report: &mut Report,
    name: &'static str,
    before: Option<ProcessUsage>,
    after: Option<ProcessUsage>,
    parts: u32,
) {
    if let (Some(before), Some(after)) = (before, after) {
        let growth = after.rss_bytes.saturating_sub(before.rss_bytes);
        report.real(name, per(growth as f64, f64::from(parts)));
    }
}

/// Deletes the topic of a finished scenario if that was asked for.
fn clean_up(common: &CommonArgs, topic: &str) -> Result<()> {
    if !common.delete_topic {
        return Ok(());
    }
    let address = common.http_address.as_deref().context("--delete-topic needs --http-address")?;
    HttpClient::new(address, common.timeout).delete_topic(topic)
}
