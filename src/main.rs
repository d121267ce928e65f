//! NSQ in one binary: start a cluster with no configuration, use it from a shell, measure it.

mod client_args;
mod client_log;
mod completions;
mod harmless;
mod interrupt;
mod manual;
mod programs;
mod publish;
mod subscribe;
mod throw_away;
mod top;
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
    /// Start nsqd with its data in ./nsq-data, nsqlookupd and nsqadmin
    Up(up::UpArgs),
    /// Publish messages: arguments, or the lines of standard input
    Pub(publish::PubArgs),
    /// Show the messages of a topic as they come
    Sub(subscribe::SubArgs),
    /// Watch the topics and channels of a cluster
    Top(top::TopArgs),
    /// Measure an nsqd by its address
    Bench(Box<nsq_bench::BenchArgs>),
    /// Print what a shell needs to complete the command lines of a program
    Completions(completions::CompletionsArgs),
    /// Write man pages of all programs
    Man(manual::ManArgs),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(arguments) => up::run(arguments).map(|()| ExitCode::SUCCESS),
        Command::Pub(arguments) => publish::run(arguments),
        Command::Sub(arguments) => subscribe::run(arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Bench(arguments) => nsq_bench::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => manual::run(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("nsq: {}", nsq_app::daemon::chain(&error));
            ExitCode::FAILURE
        }
    }
}
