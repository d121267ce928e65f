//! `cargo xtask bench admin`: nsqadmin with a large cluster, which is simulated.

mod cluster;
mod consumption;
mod json;
mod page;
mod responder;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;

use self::cluster::{Cluster, Size};
use self::consumption::Consumption;
use self::page::{Page, Target};
use crate::daemon::Daemon;
use crate::http;
use crate::workspace::Workspace;

/// How long nsqadmin may take to answer for the first time.
const START: Duration = Duration::from_secs(120);
/// How often it is asked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKUPDS: usize = 2;

/// Settings of `cargo xtask bench admin`.
#[derive(Args, Debug)]
pub(crate) struct AdminArgs {
    /// Another nsqadmin instead of this one: a program that takes nsqadmin's flags
    #[arg(long, value_name = "PATH")]
    nsqadmin: Option<PathBuf>,
    /// More flags for it, one at a time
    #[arg(long = "flag", value_name = "FLAG", allow_hyphen_values = true)]
    flags: Vec<String>,
    /// How many nsqd there are
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// How many topics each of them has
    #[arg(long, default_value_t = 2000)]
    topics: usize,
    /// How many channels each topic has
    #[arg(long, default_value_t = 5)]
    channels: usize,
    /// How often each page is asked for
    #[arg(long, default_value_t = 5)]
    requests: usize,
    /// Seconds without any request, before the first one, whose cost is told
    #[arg(long, default_value_t = 30)]
    rest: u64,
    /// Only the pages with this in their path
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Measures and prints tables in the form of the documents.
pub(crate) fn run(workspace: &Workspace, arguments: &AdminArgs) -> Result<()> {
    let AdminArgs { nodes, topics, channels, requests, .. } = *arguments;
    ensure!(nodes.min(topics).min(channels).min(requests) > 0, "counts must be at least 1");
    let nsqadmin = match &arguments.nsqadmin {
        Some(other) => other.clone(),
        None => {
            let programs = workspace.build(&["--release", "--package=nsqadmin", "--bins"])?;
            programs.path("nsqadmin")?.to_owned()
        }
    };
    let size = Size { nodes, lookupds: LOOKUPDS, topics, channels };
    let cluster = Cluster::start(size)?;
    let lookupds = cluster.lookupds.iter();
    let mut flags: Vec<_> = lookupds.map(|it| format!("--lookupd-http-address={it}")).collect();
    flags.extend(arguments.flags.iter().cloned());
    let admin = Daemon::nsqadmin(&nsqadmin, &flags)?;
    await_answer(&admin)?;
    println!("{nodes} nsqd, {topics} topics, {channels} channels each; {requests} requests\n");
    rest(&admin, Duration::from_secs(arguments.rest))?;
    println!("\n{}", page::HEADING);
    let only = arguments.only.as_deref().unwrap_or_default();
    for target in Target::all(&cluster).filter(|target| target.path.contains(only)) {
        println!("{}", Page::measure(&admin, &target, requests)?);
    }
    let used = Consumption::of(admin.pid())?;
    println!(
        "\nafter all: {} MB of memory, {} s of processor time",
        used.memory_mb(),
        used.cpu_s()
    );
    admin.stop()
}

/// Waits until the first answer that needs the cluster.
fn await_answer(admin: &Daemon) -> Result<()> {
    let started = Instant::now();
    loop {
        let answer = http::ask(&admin.http, "GET /api/topics", &[], &[])?;
        if answer.status == 200 {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&answer.body);
        ensure!(started.elapsed() < START, "no answer within {START:?}: {said}");
        thread::sleep(LOOK_EVERY);
    }
}

/// What nsqadmin uses while nobody asks it anything.
fn rest(admin: &Daemon, time: Duration) -> Result<()> {
    let before = Consumption::of(admin.pid())?;
    thread::sleep(time);
    let after = Consumption::of(admin.pid())?;
    println!(
        "at rest for {time:?}: {} MB of memory, {} MB at its peak, {:.2} s of processor time",
        after.memory_mb(),
        after.peak_mb(),
        after.cpu_s() - before.cpu_s()
    );
    Ok(())
}
