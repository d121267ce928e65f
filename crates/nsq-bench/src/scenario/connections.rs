//! `nsq bench connections`: what idle connections, topics and channels cost the daemon.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::command::{self, Identify};
use crate::connection::{Connection, Event, Received};
use crate::http::HttpClient;
use crate::process_usage::ProcessUsage;
use crate::progress::Progress;
use crate::quantity::{parse_span, serialize_span};
use crate::report::Report;
use crate::settings::{CommonArgs, parse_name, run_number};
use crate::snapshot::per;

/// Receive buffer of an idle connection: heartbeats are all that comes.
const BUFFER_BYTES: usize = 128;
/// How often heartbeats are looked for; nsqd sends them every 30 s and waits as long again.
const SWEEP_INTERVAL: Duration = Duration::from_secs(2);

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
    let mut connections = open_connections(args, topics)?;
    let opened_in = started.elapsed();
    let idle_before = usage(args)?;
    let held = Instant::now();
    while held.elapsed() < args.hold {
        let left = args.hold.saturating_sub(held.elapsed());
        thread::sleep(left.min(SWEEP_INTERVAL));
        sweep(&mut connections)?;
    }
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

fn open_connections(args: &ConnectionsArgs, topics: &[String]) -> Result<Vec<Connection>> {
    let count = args.count();
    let mut progress = Progress::new();
    let mut connections = Vec::new();
    let mut swept = Instant::now();
    let mut topics = topics.iter().cycle();
    for index in 0..count {
        let mut connection = open_connection(args, topics.next())
            .with_context(|| format!("connection {} of {count}", index + 1))?;
        connection.set_nonblocking()?;
        connections.push(connection);
        progress.update_count("connections", u64::from(index) + 1, u64::from(count));
        if swept.elapsed() > SWEEP_INTERVAL {
            sweep(&mut connections)?;
            swept = Instant::now();
        }
    }
    Ok(connections)
}

fn open_connection(args: &ConnectionsArgs, topic: Option<&String>) -> Result<Connection> {
    let common = &args.common;
    let mut connection =
        Connection::open(&common.address, &Identify::new(), BUFFER_BYTES, common.timeout)?;
    if let Some(topic) = topic.filter(|_| args.subscribes()) {
        connection.subscribe(topic, &args.channel)?;
        connection.send(&command::ready(1))?;
    }
    Ok(connection)
}

/// Answers the heartbeats that have come.
fn sweep(connections: &mut [Connection]) -> Result<()> {
    for connection in connections {
        match connection.receive()? {
            Received::Nothing => continue,
            Received::End => bail!("nsqd closed an idle connection"),
            Received::Bytes => {}
        }
        let mut heartbeat = false;
        while let Some(event) = connection.next_event()? {
            match event {
                Event::Heartbeat => heartbeat = true,
                other => bail!("unexpected {other:?} on an idle connection"),
            }
        }
        if heartbeat {
            connection.send(command::NOP)?;
        }
    }
    Ok(())
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

fn report_memory(report: &mut Report, name: &'static str, usage: Option<ProcessUsage>) {
    if let Some(usage) = usage {
        report.count(name, usage.rss_bytes);
    }
}

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
