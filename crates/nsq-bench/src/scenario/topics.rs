//! `nsq bench topics`: what thousands of topics do to the daemon, its statistics and its traffic.
//!
//! The topics are created, paused, unpaused and deleted over several HTTP connections at once.
//! While they are there, the daemon is left alone for a while, asked for its statistics, and
//! given messages to deliver on one of the topics, without and with somebody asking all the time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use serde::Serialize;

use super::latency::{LatencyArgs, LatencyRun};
use super::{report_growth, report_memory};
use crate::command::Identify;
use crate::connection::Connection;
use crate::content::Content;
use crate::crew::{Crew, Switch};
use crate::http::HttpClient;
use crate::idle_connections::{IDLE_BUFFER_BYTES, IdleConnections};
use crate::latency_book::LatencyBook;
use crate::layers::{LayerArgs, Layers};
use crate::process_usage::ProcessUsage;
use crate::progress::Progress;
use crate::quantity::{parse_span, serialize_span};
use crate::report::Report;
use crate::settings::{CommonArgs, parse_name, run_number};
use crate::snapshot::per;
use crate::tally::Tally;

/// The pages with statistics. Go NSQ has no `/metrics`: then there are no figures for it.
const PAGES: [Page; 3] = [
    Page {
        path: "/stats?format=json",
        latency_names: ["stats_json_p50_ms", "stats_json_p99_ms"],
        size_name: "stats_json_bytes",
    },
    Page {
        path: "/stats",
        latency_names: ["stats_text_p50_ms", "stats_text_p99_ms"],
        size_name: "stats_text_bytes",
    },
    Page {
        path: "/metrics",
        latency_names: ["metrics_p50_ms", "metrics_p99_ms"],
        size_name: "metrics_bytes",
    },
];
/// Names of the latencies while nobody asks for statistics, and while somebody does.
const LATENCY: [&str; 3] = ["latency_p50_ms", "latency_p99_ms", "latency_max_ms"];
const LATENCY_WITH_STATISTICS: [&str; 3] = [
    "latency_with_statistics_p50_ms",
    "latency_with_statistics_p99_ms",
    "latency_with_statistics_max_ms",
];
/// Body size of the messages whose latency is measured, as in `nsq bench latency`.
const MESSAGE_BYTES: u64 = 200;
/// Ready count of their consumer.
const READY_COUNT: u32 = 100;
/// How often the coordinator looks at the counts.
const TICK: Duration = Duration::from_millis(5);

/// Settings of `topics`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct TopicsArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonArgs,
    /// Topics with one channel each; --topic is what their names begin with
    #[arg(long, default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    topics: u32,
    /// Idle connections
    #[arg(long, default_value_t = 2000)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    connections: u32,
    /// HTTP connections that create, pause, unpause and delete at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    requests_at_once: u32,
    /// Name of the channels
    #[arg(long, default_value = "bench", value_parser = parse_name)]
    channel: String,
    /// How long to leave the daemon alone before its memory is read
    #[arg(long, default_value = "5s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    hold: Duration,
    /// How often to ask for each page of statistics
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    statistics_requests: u32,
    /// Messages per second on one topic, for the latency
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Time to measure the latency, without and with requests for statistics
    #[arg(long, default_value = "5s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    duration: Duration,
    /// Keep the topics, for example to time a restart with them
    #[arg(long, conflicts_with = "delete_topic")]
    keep: bool,
}

struct Page {
    path: &'static str,
    latency_names: [&'static str; 2],
    size_name: &'static str,
}

/// One call for each topic, over several connections at once.
struct Rounds<'a> {
    args: &'a TopicsArgs,
    address: &'a str,
    topics: Vec<String>,
}

/// Creates the topics, measures with them, deletes them.
pub(super) fn measure(args: &TopicsArgs) -> Result<Report> {
    let address = args.common.http_address.as_deref().context("--http-address is needed")?;
    let mut report = Report::new("topics", args);
    let prefix = args.common.topic_or(&format!("bench_topics_{:x}", run_number()));
    let topics = (0..args.topics).map(|index| format!("{prefix}_{index}")).collect();
    let rounds = Rounds { args, address, topics };
    report.text("topic_prefix", &prefix);
    report.count("topics", u64::from(args.topics));

    create(&rounds, &mut report)?;
    rounds.report(&mut report, "pause_topics_s", HttpClient::pause_topic)?;
    rounds.report(&mut report, "unpause_topics_s", HttpClient::unpause_topic)?;
    let idle = hold_connections(args, &mut report)?;
    let mut holding = Crew::default();
    holding.spawn("idle connections", move |switch| idle.hold_until_stopped(switch))?;
    let pages = measure_pages(args, address, &mut report)?;
    measure_latencies(&rounds, &pages, &mut report)?;
    holding.stop_and_wait(args.common.timeout)?;
    if let Some(usage) = usage(args)? {
        report.count("server_peak_rss_bytes", usage.peak_rss_bytes);
    }
    if !args.keep {
        rounds.report(&mut report, "delete_topics_s", HttpClient::delete_topic)?;
    }
    Ok(report)
}

fn create(rounds: &Rounds<'_>, report: &mut Report) -> Result<()> {
    let args = rounds.args;
    let before = usage(args)?;
    report_memory(report, "rss_before_bytes", before);
    rounds.report(report, "create_topics_s", HttpClient::create_topic)?;
    rounds.report(report, "create_channels_s", |http, topic| {
        http.create_channel(topic, &args.channel)
    })?;
    thread::sleep(args.hold);
    let after = usage(args)?;
    report_memory(report, "rss_with_topics_bytes", after);
    report_growth(report, "bytes_per_topic_and_channel", before, after, args.topics);
    Ok(())
}

/// Opens the idle connections; with everything there, the daemon has nothing to do for a while.
fn hold_connections(args: &TopicsArgs, report: &mut Report) -> Result<IdleConnections> {
    let common = &args.common;
    let before = usage(args)?;
    report_memory(report, "rss_before_connections_bytes", before);
    let started = Instant::now();
    let mut idle = IdleConnections::open(args.connections, || {
        Connection::open(
            &common.address,
            &Identify::new(),
            &Layers::default(),
            IDLE_BUFFER_BYTES,
            common.timeout,
        )
    })?;
    report.count("connections", u64::from(args.connections));
    report.real("open_connections_s", started.elapsed().as_secs_f64());
    let idle_before = usage(args)?;
    let held = Instant::now();
    idle.hold(args.hold)?;
    let after = usage(args)?;
    let elapsed_s = held.elapsed().as_secs_f64();
    report_memory(report, "rss_with_connections_bytes", after);
    if args.connections > 0 {
        report_growth(report, "bytes_per_connection", before, after, args.connections);
    }
    if let (Some(begin), Some(end)) = (idle_before, after) {
        let cpu = end.cpu.saturating_sub(begin.cpu);
        report.real("idle_server_cpu_percent", per(cpu.as_secs_f64() * 100.0, elapsed_s));
    }
    Ok(idle)
}

/// Asks for each page several times; returns the pages that are there.
fn measure_pages(
    args: &TopicsArgs,
    address: &str,
    report: &mut Report,
) -> Result<Vec<&'static str>> {
    let mut http = HttpClient::new(address, args.common.timeout);
    let mut found = Vec::new();
    for page in &PAGES {
        let mut book = LatencyBook::new();
        let mut size_bytes = None;
        for _ in 0..args.statistics_requests {
            let started = Instant::now();
            size_bytes = http.page_size(page.path)?;
            book.note(u64::try_from(started.elapsed().as_nanos())?);
        }
        let Some(size_bytes) = size_bytes else { continue };
        found.push(page.path);
        for (name, percent) in page.latency_names.into_iter().zip([50.0, 99.0]) {
            report.real(name, book.percentile_ms(percent));
        }
        report.count(page.size_name, size_bytes);
    }
    ensure!(!found.is_empty(), "http://{address} has no statistics");
    Ok(found)
}

/// Measures the latency on one topic, alone and while one connection asks for the pages in turn.
fn measure_latencies(
    rounds: &Rounds<'_>,
    pages: &[&'static str],
    report: &mut Report,
) -> Result<()> {
    let topic = rounds.topics.first().context("there is at least one topic")?;
    let args = rounds.args;
    let latency_args = LatencyArgs {
        common: args.common.clone(),
        layers: LayerArgs::default(),
        rate: args.rate,
        size: MESSAGE_BYTES,
        content: Content::Alphabet,
        rdy: READY_COUNT,
        channel: args.channel.clone(),
        duration: args.duration,
        warmup: args.duration / 5,
    };
    let alone = LatencyRun::finish(&latency_args, topic)?;
    alone.report_brief(report, LATENCY);
    alone.report_problem(report);

    let mut asking = Crew::default();
    let answers = Tally::new(Instant::now());
    let (mut http, counted) =
        (HttpClient::new(rounds.address, args.common.timeout), answers.clone());
    let pages = pages.to_vec();
    asking.spawn("statistics", move |switch| ask(&mut http, &pages, &counted, switch))?;
    let disturbed = LatencyRun::finish(&latency_args, topic)?;
    asking.stop_and_wait(args.common.timeout)?;
    disturbed.report_brief(report, LATENCY_WITH_STATISTICS);
    disturbed.report_problem(report);
    report.count("statistics_answers_meanwhile", answers.count());
    Ok(())
}

/// Asks for the pages in turn, without a pause.
fn ask(
    http: &mut HttpClient,
    pages: &[&'static str],
    answers: &Tally,
    switch: &Switch,
) -> Result<()> {
    for page in pages.iter().cycle() {
        if switch.is_stopped() {
            break;
        }
        http.page_size(page)?;
        answers.add(1);
    }
    Ok(())
}

impl Rounds<'_> {
    /// Makes the call for each topic and adds the time for all of them.
    fn report(
        &self,
        report: &mut Report,
        name: &'static str,
        call: impl Fn(&mut HttpClient, &str) -> Result<()> + Sync,
    ) -> Result<()> {
        let elapsed = self.run(call).context(name)?;
        report.real(name, elapsed.as_secs_f64());
        Ok(())
    }

    fn run(&self, call: impl Fn(&mut HttpClient, &str) -> Result<()> + Sync) -> Result<Duration> {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let done = Tally::new(started);
        let work = || -> Result<()> {
            let mut http = HttpClient::new(self.address, self.args.common.timeout);
            while let Some(topic) = self.topics.get(next.fetch_add(1, Ordering::Relaxed)) {
                call(&mut http, topic).inspect_err(|_| {
                    // The others need not go on.
                    next.store(self.topics.len(), Ordering::Relaxed);
                })?;
                done.add(1);
            }
            Ok(())
        };
        let mut progress = Progress::new();
        thread::scope(|scope| {
            let workers: Vec<_> =
                (0..self.args.requests_at_once).map(|_| scope.spawn(work)).collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                progress.update_count("topics", done.count(), u64::from(self.args.topics));
                thread::sleep(TICK);
            }
            workers.into_iter().try_for_each(|worker| {
                worker.join().map_err(|_| anyhow!("a thread with HTTP calls panicked"))?
            })
        })?;
        Ok(done.changed_at().duration_since(started))
    }
}

fn usage(args: &TopicsArgs) -> Result<Option<ProcessUsage>> {
    args.common.pid.map(ProcessUsage::of).transpose()
}
