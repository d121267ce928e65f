//! `nsq bench connections`: what idle connections, topics and channels cost the daemon.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{report_growth, report_memory};
use crate::command::{self, Identify};
use crate::connection::Connection;
use crate::http::HttpClient;
use crate::idle_connections::{IDLE_BUFFER_BYTES, IdleConnections};
use crate::layers::Layers;
use crate::process_usage::ProcessUsage;
use crate::progress::Progress;
use crate::quantity::{parse_span, serialize_span};
use crate::report::Report;
use crate::settings::{CommonArgs, parse_name, run_number};
use crate::snapshot::per;

/// Settings of `connections`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct ConnectionsArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonArgs,
    /// Idle connections to open (default: 1000; with --topics one for each topic, or none when
    /// topics are created through --http-address)
    #[arg(long, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    count: Option<u32>,
    /// Subscribe each connection to a channel, with a ready count of 1
    #[arg(long)]
    sub: bool,
    /// Topics with one channel each: created through --http-address, else by subscribing
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    topics: u32,
    /// Name of the channels
    #[arg(long, default_value = "bench", value_parser = parse_name)]
    channel: String,
    /// How long to hold everything before memory is read
    #[arg(long, default_value = "5s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    hold: Duration,
}

impl ConnectionsArgs {
    fn creates_by_http(&self) -> bool {
        self.topics > 0 && self.common.http_address.is_some()
    }

    fn count(&self) -> u32 {
        let default = match self.topics {
            0 => 1000,
            _ if self.creates_by_http() => 0,
            topics => topics,
        };
        self.count.unwrap_or(default)
    }

    /// Subscribing is the other way to create topics.
    fn subscribes(&self) -> bool {
        self.sub || (self.topics > 0 && !self.creates_by_http())
    }
}

/// Creates topics, opens connections, and reports what the daemon's memory grew by.
pub(super) fn measure(args: &ConnectionsArgs) -> Result<Report> {
    let mut report = Report::new("connections", args);
    let prefix = args.common.topic_or(&format!("bench_idle_{:x}", run_number()));
    let topics: Vec<String> = match args.topics {
        0 => vec![prefix],
        count => (0..count).map(|index| format!("{prefix}_{index}")).collect(),
    };
    let before = usage(args)?;
    report_memory(&mut report, "rss_before_bytes", before);
    if args.creates_by_http() {
        create_topics(args, &topics)?;
        thread::sleep(args.hold);
        let after = usage(args)?;
        report.count("topics", u64::from(args.topics));
        report_memory(&mut report, "rss_with_topics_bytes", after);
        report_growth(&mut report, "bytes_per_topic_and_channel", before, after, args.topics);
    }
    if args.count() > 0 {
        hold_connections(args, &topics, &mut report)?;
    }
    if args.creates_by_http() || args.subscribes() {
        clean_up(args, &topics)?;
    }
    Ok(report)
}

fn hold_connections(args: &ConnectionsArgs, topics: &[String], report: &mut Report) -> Result<()> {
    let before = usage(args)?;
    let started = Instant::now();
    let mut names = topics.iter().cycle();
    let mut connections =
        IdleConnections::open(args.count(), || open_connection(args, names.next()))?;
    let opened_in = started.elapsed();
    let idle_before = usage(args)?;
    let held = Instant::now();
    connections.hold(args.hold)?;
    let after = usage(args)?;
    report.count("connections", u64::from(args.count()));
    report.real("connections_per_s", per(f64::from(args.count()), opened_in.as_secs_f64()));
    report_memory(report, "rss_with_connections_bytes", after);
    let by_subscribing = args.topics > 0 && !args.creates_by_http();
    if by_subscribing {
        let name = "bytes_per_topic_channel_and_consumer";
        report_growth(report, name, before, after, args.topics);
    } else {
        report_growth(report, "bytes_per_connection", before, after, args.count());
    }
    if let (Some(begin), Some(end)) = (idle_before, after) {
        let cpu = end.cpu.saturating_sub(begin.cpu);
        let per_s = per(cpu.as_secs_f64() * 1e3, held.elapsed().as_secs_f64());
        report.real("idle_server_cpu_ms_per_s", per_s);
        report.count("server_peak_rss_bytes", end.peak_rss_bytes);
    }
    Ok(())
}

fn open_connection(args: &ConnectionsArgs, topic: Option<&String>) -> Result<Connection> {
    let common = &args.common;
    let mut connection = Connection::open(
        &common.address,
        &Identify::new(),
        &Layers::default(),
        IDLE_BUFFER_BYTES,
        common.timeout,
    )?;
    if let Some(topic) = topic.filter(|_| args.subscribes()) {
        connection.subscribe(topic, &args.channel)?;
        connection.send(&command::ready(1))?;
    }
    Ok(connection)
}

fn create_topics(args: &ConnectionsArgs, topics: &[String]) -> Result<()> {
    let Some(mut http) = http(args) else { return Ok(()) };
    let mut progress = Progress::new();
    for (index, topic) in topics.iter().enumerate() {
        http.create_topic(topic)?;
        http.create_channel(topic, &args.channel)?;
        progress.update_count("topics", index as u64 + 1, u64::from(args.topics));
    }
    Ok(())
}

fn clean_up(args: &ConnectionsArgs, topics: &[String]) -> Result<()> {
    let Some(mut http) = http(args).filter(|_| args.common.delete_topic) else { return Ok(()) };
    topics.iter().try_for_each(|topic| http.delete_topic(topic))
}

fn http(args: &ConnectionsArgs) -> Option<HttpClient> {
    let address = args.common.http_address.as_deref()?;
    Some(HttpClient::new(address, args.common.timeout))
}

fn usage(args: &ConnectionsArgs) -> Result<Option<ProcessUsage>> {
    args.common.pid.map(ProcessUsage::of).transpose()
}
