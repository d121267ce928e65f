//! Measures an nsqd over the wire: `nsq bench <pub|sub|e2e|latency|connections|topics|drain>`; and
//! an nsqlookupd: `nsq bench lookup`.
//!
//! Any nsqd can be measured, the original one too. The load costs far less processor time than the
//! daemon: publish commands are encoded once and written again and again, frames are looked at
//! where a large read has put them, and finishing a message copies its id and nothing else.
//!
//! Connections can be encrypted and compressed. Publish commands are compressed once as well, if
//! they stay as they are; encrypting, and all of the consuming side, is work for every message.
//!
//! With the daemon's process id (`--pid`) a report says what a message costs the daemon; what it
//! costs the load is always said, so that one can see which of the two was measured.

mod command;
mod connection;
mod consumer;
mod consumer_group;
mod content;
mod crew;
mod descriptors;
mod finish_block;
mod frame_buffer;
mod http;
mod http_head;
mod idle_connections;
mod latency_book;
mod layered;
mod layers;
mod ledger;
mod load;
mod lookup_node;
mod packer;
mod process_usage;
mod progress;
mod publish_block;
mod publisher;
mod publisher_group;
mod quantity;
mod readiness;
mod report;
mod scenario;
mod settings;
mod snappy;
mod snapshot;
mod socket;
mod stamp;
mod tally;
mod throttle;
mod tls;
mod transport;
mod wishes;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Parser};

pub use crate::report::Report;
use crate::scenario::Scenario;

/// Arguments of `nsq bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    scenario: Scenario,
}

/// Runs a benchmark and prints its report; problems found by the run are an error as well.
pub fn run(args: &BenchArgs) -> Result<()> {
    let report = measure(args)?;
    let text = if args.scenario.wants_json() {
        format!("{}\n", report.to_json())
    } else {
        report.to_string()
    };
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    match report.problems() {
        [] => Ok(()),
        [problem, ..] => bail!("{problem}"),
    }
}

/// Runs a benchmark and returns its report.
pub fn measure(args: &BenchArgs) -> Result<Report> {
    args.scenario.measure()
}

/// Runs a benchmark as a program of its own: `args` starts with the program's name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command_line = CommandLine::try_parse_from(args);
    let command_line = match command_line {
        Ok(command_line) => command_line,
        Err(error) => error.exit(),
    };
    match run(&command_line.bench) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nsq bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measure an nsqd over the wire.
#[derive(Parser)]
#[command(name = "nsq bench", version)]
struct CommandLine {
    #[command(flatten)]
    bench: BenchArgs,
}
