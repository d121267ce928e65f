//! NSQ in one binary: start a daemon with no configuration, measure one.

mod throw_away;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// NSQ in one binary.
#[derive(Debug, Parser)]
#[command(name = "nsq", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start nsqd with its data in ./nsq-data
    Up(up::UpArgs),
    /// Measure an nsqd by its address
    Bench(Box<nsq_bench::BenchArgs>),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(arguments) => up::run(arguments),
        Command::Bench(arguments) => nsq_bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nsq: {}", nsq_app::daemon::chain(&error));
            ExitCode::FAILURE
        }
    }
}
