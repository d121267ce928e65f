//! `nsq bench lookup`: an nsqlookupd that many nodes register many topics with.
//!
//! The nodes are connections that register and ping, so one machine can have thousands. Each
//! topic has the same number of producers: with one, all nodes have topics of their own; with as
//! many as there are nodes, all have the same topics.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use serde::Serialize;

use super::{report_growth, report_memory};
use crate::crew::{Crew, Switch};
use crate::http::HttpClient;
use crate::latency_book::LatencyBook;
use crate::lookup_node::LookupNode;
use crate::process_usage::ProcessUsage;
use crate::progress::Progress;
use crate::quantity::{parse_span, serialize_span};
use crate::report::Report;
use crate::settings::parse_name;
use crate::snapshot::per;
use crate::tally::{Tally, last_change, total};

/// How often nsqd says that it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How often the coordinator looks at the counts.
const TICK: Duration = Duration::from_millis(5);
/// Steps through the topics that are looked up; a prime, so that all of them are met.
const STRIDE: u32 = 7919;

/// Settings of `lookup`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct LookupArgs {
    /// TCP address of the nsqlookupd to measure
    #[arg(long, default_value = "127.0.0.1:4160")]
    address: String,
    /// HTTP address of the same nsqlookupd
    #[arg(long, default_value = "127.0.0.1:4161")]
    http_address: String,
    /// Process id of the same nsqlookupd, for its processor time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Nodes that register
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    nodes: u32,
    /// Topics of each node, each with one channel
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    topics: u32,
    /// Nodes that have the same topic
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    producers: u32,
    /// Name of the channels
    #[arg(long, default_value = "bench", value_parser = parse_name)]
    channel: String,
    /// Threads that register, and later look up, at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    requests_at_once: u32,
    /// Time to measure lookups, one at a time and then several at once
    #[arg(long, default_value = "5s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    duration: Duration,
    /// How often to ask for each of the long lists
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    list_requests: u32,
    /// Give up when nothing moves for this long
    #[arg(long, default_value = "60s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    timeout: Duration,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl LookupArgs {
    /// Nodes with the same topics form a group; the last one may be smaller.
    fn producers(&self) -> u32 {
        self.producers.min(self.nodes)
    }

    fn topic(&self, group: u32, index: u32) -> String {
        format!("bench_lookup_{group}_{index}")
    }

    fn different_topics(&self) -> u32 {
        self.nodes.div_ceil(self.producers()).saturating_mul(self.topics)
    }

    /// The path of the lookup with this number.
    fn path(&self, number: u32) -> String {
        let number = number.wrapping_mul(STRIDE) % self.different_topics();
        format!("/lookup?topic={}", self.topic(number / self.topics, number % self.topics))
    }

    fn usage(&self) -> Result<Option<ProcessUsage>> {
        self.pid.map(ProcessUsage::of).transpose()
    }
}

/// Registers, looks up while the nodes ping, disconnects.
pub(super) fn measure(args: &LookupArgs) -> Result<Report> {
    let mut report = Report::new("lookup", args);
    report.count("nodes", u64::from(args.nodes));
    report.count("registrations", u64::from(args.nodes) * u64::from(args.topics));
    report.count("different_topics", u64::from(args.different_topics()));
    let nodes = register(args, &mut report)?;
    let mut pinging = Crew::default();
    for (index, share) in nodes.into_iter().enumerate() {
        pinging.spawn(&format!("nodes {index}"), move |switch| ping(share, switch))?;
    }
    let alone = look_up(args, 1)?;
    alone.report(&mut report, ["lookup_p50_ms", "lookup_p99_ms", "lookup_max_ms"]);
    let together = look_up(args, args.requests_at_once)?;
    let names = ["lookups_at_once_p50_ms", "lookups_at_once_p99_ms", "lookups_at_once_max_ms"];
    together.report(&mut report, names);
    report.real("lookups_at_once_per_s", together.per_second);
    let topics = ["topics_p50_ms", "topics_max_ms"];
    list(args, &mut report, "/topics", topics, "topics_bytes")?;
    let nodes = ["nodes_p50_ms", "nodes_max_ms"];
    list(args, &mut report, "/nodes", nodes, "nodes_bytes")?;
    if let Some(usage) = args.usage()? {
        report.count("server_peak_rss_bytes", usage.peak_rss_bytes);
    }
    pinging.stop_and_wait(args.timeout)?;
    report.real("disconnect_s", wait_until_gone(args)?.as_secs_f64());
    report_memory(&mut report, "rss_after_bytes", args.usage()?);
    Ok(report)
}

/// Connects and registers all nodes over several threads; each returns its share of them.
fn register(args: &LookupArgs, report: &mut Report) -> Result<Vec<Vec<LookupNode>>> {
    let before = args.usage()?;
    report_memory(report, "rss_before_bytes", before);
    let started = Instant::now();
    let threads = args.requests_at_once;
    let tallies: Vec<_> = (0..threads).map(|_| Tally::new(started)).collect();
    let wanted = u64::from(args.nodes) * u64::from(args.topics);
    let nodes = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .zip(&tallies)
            .map(|(index, tally)| scope.spawn(move || register_share(args, index, tally)))
            .collect();
        let mut progress = Progress::new();
        while workers.iter().any(|worker| !worker.is_finished()) {
            progress.update_count("registrations", total(&tallies), wanted);
            thread::sleep(TICK);
        }
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a thread with nodes panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let ended = last_change(&tallies).unwrap_or(started);
    let elapsed_s = ended.duration_since(started).as_secs_f64();
    report.real("register_s", elapsed_s);
    report.real("registrations_per_s", per(wanted as f64, elapsed_s));
    let after = args.usage()?;
    report_memory(report, "rss_with_topics_bytes", after);
    let registrations = u32::try_from(wanted).unwrap_or(u32::MAX);
    report_growth(report, "bytes_per_registration", before, after, registrations);
    if let (Some(begin), Some(end)) = (before, after) {
        let cpu = end.cpu.saturating_sub(begin.cpu);
        report.real("server_cpu_us_per_registration", per(cpu.as_secs_f64() * 1e6, wanted as f64));
    }
    Ok(nodes)
}

fn register_share(args: &LookupArgs, index: u32, tally: &Arc<Tally>) -> Result<Vec<LookupNode>> {
    let share = (index..args.nodes).step_by(args.requests_at_once as usize);
    share
        .map(|number| {
            let name = format!("node-{number}.bench");
            let mut node = LookupNode::open(&args.address, &name, args.timeout)
                .with_context(|| format!("node {number} of {}", args.nodes))?;
            let group = number / args.producers();
            let topics: Vec<_> = (0..args.topics).map(|index| args.topic(group, index)).collect();
            let topics = topics.iter().map(String::as_str);
            node.register(topics, &args.channel, |count| tally.add(count))?;
            Ok(node)
        })
        .collect()
}

/// Keeps the nodes alive until told to stop: each pings in its turn, as it is among real ones.
fn ping(mut nodes: Vec<LookupNode>, switch: &Switch) -> Result<()> {
    let count = nodes.len().max(1);
    let turn = PING_EVERY / u32::try_from(count).unwrap_or(u32::MAX);
    for index in (0..nodes.len()).cycle() {
        let due = Instant::now() + turn;
        while Instant::now() < due {
            if switch.is_stopped() {
                return Ok(());
            }
            thread::sleep(TICK.min(due.saturating_duration_since(Instant::now())));
        }
        if let Some(node) = nodes.get_mut(index) {
            node.ping()?;
        }
    }
    Ok(())
}

/// How long lookups took.
struct Lookups {
    book: LatencyBook,
    per_second: f64,
}

impl Lookups {
    fn report(&self, report: &mut Report, names: [&'static str; 3]) {
        for (name, percent) in names.into_iter().zip([50.0, 99.0, 100.0]) {
            report.real(name, self.book.percentile_ms(percent));
        }
    }
}

/// Looks up one topic after the other, over so many connections at once.
fn look_up(args: &LookupArgs, at_once: u32) -> Result<Lookups> {
    let started = Instant::now();
    let latencies = thread::scope(|scope| {
        let work = |index: u32| -> Result<Vec<u64>> {
            let mut http = HttpClient::new(&args.http_address, args.timeout);
            let mut latencies = Vec::new();
            for number in (index * (args.different_topics() / at_once)).. {
                if started.elapsed() >= args.duration {
                    break;
                }
                let (path, asked) = (args.path(number), Instant::now());
                ensure!(http.page_size(&path)?.is_some(), "{path}: there is no such topic");
                latencies.push(u64::try_from(asked.elapsed().as_nanos())?);
            }
            Ok(latencies)
        };
        let workers: Vec<_> = (0..at_once).map(|index| scope.spawn(move || work(index))).collect();
        let joined = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| anyhow!("a thread with lookups panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let mut book = LatencyBook::new();
    let count: usize = latencies.iter().map(Vec::len).sum();
    latencies.into_iter().flatten().for_each(|latency_ns| book.note(latency_ns));
    Ok(Lookups { book, per_second: per(count as f64, started.elapsed().as_secs_f64()) })
}

/// Asks for one of the long lists.
fn list(
    args: &LookupArgs,
    report: &mut Report,
    path: &str,
    latency_names: [&'static str; 2],
    size_name: &'static str,
) -> Result<()> {
    let mut http = HttpClient::new(&args.http_address, args.timeout);
    let mut book = LatencyBook::new();
    let mut size_bytes = 0;
    for _ in 0..args.list_requests {
        let asked = Instant::now();
        size_bytes = http.page_size(path)?.with_context(|| format!("there is no {path}"))?;
        book.note(u64::try_from(asked.elapsed().as_nanos())?);
    }
    for (name, percent) in latency_names.into_iter().zip([50.0, 100.0]) {
        report.real(name, book.percentile_ms(percent));
    }
    report.count(size_name, size_bytes);
    Ok(())
}

/// Waits until no node is listed any more, all connections being closed.
fn wait_until_gone(args: &LookupArgs) -> Result<Duration> {
    let started = Instant::now();
    let mut http = HttpClient::new(&args.http_address, args.timeout);
    let nothing = r#"{"producers":[]}"#.len() as u64;
    while http.page_size("/nodes")?.context("there is no /nodes")? > nothing {
        ensure!(started.elapsed() < args.timeout, "nodes are listed that are gone");
        thread::sleep(TICK);
    }
    Ok(started.elapsed())
}
