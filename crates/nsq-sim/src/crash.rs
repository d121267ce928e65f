//! A daemon that is killed again and again, under load.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::consumer::Temper;
use crate::drain::drain;
use crate::ledger::{Ledger, Totals};
use crate::program::Program;
use crate::publisher::Style;
use crate::seed::Seed;
use crate::traffic::Traffic;

/// How long a daemon may take to acknowledge something, or to deliver something when all is over.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest time between two kills, in microseconds, beyond what the first messages take.
const MAX_ROUND_MICROS: usize = 700_000;

/// What to do.
#[derive(Clone, Debug)]
pub struct CrashPlan {
    /// The nsqd to be killed.
    pub program: PathBuf,
    /// Its data directory.
    pub data_path: PathBuf,
    /// How often it is killed.
    pub rounds: u64,
    /// Where chance starts.
    pub seed: u64,
    /// How many messages are published between two kills, at most.
    pub messages: usize,
    /// `--max-bytes-per-file`.
    pub max_bytes_per_file: u64,
    /// How many segment files may be left at the end: until then it is waited.
    pub segments_max: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Sums over all rounds.
    pub totals: Totals,
    /// Messages that were acknowledged and did not come.
    pub missing: Vec<String>,
    /// Other things that must not happen.
    pub faults: Vec<String>,
    /// What the daemon complained about.
    pub said: Vec<String>,
    /// Longest start.
    pub slowest_start: Duration,
    /// Segment files, when everything was delivered.
    pub segments: usize,
}

impl Outcome {
    /// Whether nothing happened that must not.
    pub fn is_good(&self) -> bool {
        self.missing.is_empty() && self.faults.is_empty() && self.said.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { sent, acknowledged, deliveries, again } = self.totals;
        writeln!(f, "published {sent}, acknowledged {acknowledged}, delivered {deliveries}")?;
        writeln!(f, "delivered again after FIN: {again}")?;
        writeln!(f, "slowest start: {:?}", self.slowest_start)?;
        writeln!(f, "segment files at the end: {}", self.segments)?;
        for (what, lines) in
            [("missing", &self.missing), ("faults", &self.faults), ("complaints", &self.said)]
        {
            writeln!(f, "{what}: {}", lines.len())?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

/// Kills the daemon so many times under load, then lets it deliver everything.
pub fn crash(plan: &CrashPlan) -> Result<Outcome> {
    let ledger = Arc::new(Ledger::default());
    let mut outcome = Outcome::default();
    let mut seed = Seed(plan.seed);
    for round in 0..plan.rounds {
        let program = start(plan, &mut outcome)?;
        let mut traffic = Traffic::new(program.addresses, &ledger, plan.messages, seed.draw());
        employ(&mut traffic, round, plan.rounds);
        let before = ledger.acknowledged();
        ensure!(ledger.wait_for_acknowledged(before + 1, PATIENCE), "nothing is acknowledged");
        std::thread::sleep(Duration::from_micros(seed.below(MAX_ROUND_MICROS) as u64));
        outcome.said.extend(program.kill());
        traffic.stop();
    }
    let program = start(plan, &mut outcome)?;
    ledger.open_first_channel("unread", "first");
    outcome.missing = drain(program.addresses, &ledger, PATIENCE);
    outcome.segments = settled_segments(&plan.data_path, plan.segments_max);
    outcome.said.extend(program.kill());
    outcome.faults = ledger.faults();
    outcome.totals = ledger.totals();
    Ok(outcome)
}

/// Some of everybody. A third channel comes in the middle of the run.
fn employ(traffic: &mut Traffic, round: u64, rounds: u64) {
    for style in Style::ALL {
        traffic.publish("orders", style);
    }
    traffic.publish("events", Style::Batch);
    traffic.publish("events", Style::Deferred);
    traffic.publish("unread", Style::Single);
    traffic.publish("unread", Style::Deferred);
    for channel in ["archive", "billing"] {
        traffic.consume("orders", channel, Temper::Moody);
        traffic.consume("orders", channel, Temper::Moody);
    }
    traffic.consume("events", "archive", Temper::Moody);
    if round >= rounds / 2 {
        traffic.consume("orders", "late", Temper::Moody);
    }
}

fn start(plan: &CrashPlan, outcome: &mut Outcome) -> Result<Program> {
    let started = Instant::now();
    let flags = [format!("--max-bytes-per-file={}", plan.max_bytes_per_file)];
    let program = Program::start(&plan.program, &plan.data_path, &flags)?;
    outcome.slowest_start = outcome.slowest_start.max(started.elapsed());
    Ok(program)
}

/// How many segment files there are, once the daemon has given back what it can.
fn settled_segments(data_path: &Path, wanted: usize) -> usize {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = segment_files(data_path);
        if found <= wanted || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many segment files all topics of a data directory have.
pub fn segment_files(data_path: &Path) -> usize {
    let topics = std::fs::read_dir(data_path.join("topics")).into_iter().flatten().flatten();
    let files = topics.filter_map(|topic| std::fs::read_dir(topic.path()).ok()).flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|suffix| suffix == "log")).count()
}
