//! Kills an nsqd under load, again and again, and says whether anything was lost.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use nsq_sim::{CrashPlan, crash};

/// Kills an nsqd under load, again and again, and says whether anything was lost.
#[derive(Debug, Parser)]
struct Arguments {
    /// The nsqd to be killed.
    #[arg(long)]
    nsqd: PathBuf,
    /// How often it is killed.
    #[arg(long, default_value_t = 20)]
    rounds: u64,
    /// Where chance starts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many messages are published between two kills, at most.
    #[arg(long, default_value_t = 50_000)]
    messages: usize,
    /// The daemon's flag of that name: small, so that segments come and go.
    #[arg(long, default_value_t = 100_000)]
    max_bytes_per_file: u64,
    /// How many segment files may be left at the end.
    #[arg(long, default_value_t = 9)]
    segments_max: usize,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let outcome = crash(&CrashPlan {
        program: arguments.nsqd,
        data_path: directory.path().to_owned(),
        rounds: arguments.rounds,
        seed: arguments.seed,
        messages: arguments.messages,
        max_bytes_per_file: arguments.max_bytes_per_file,
        segments_max: arguments.segments_max,
    })?;
    print!("{outcome}");
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
