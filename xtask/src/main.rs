//! The project's own chores: `cargo xtask <test|clients|browser|tidy|perf|bench>`.

mod bench;
mod browser;
mod clients;
mod daemon;
mod http;
mod machine;
mod node_packages;
mod perf;
mod program;
mod tally;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's own chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Everything that must hold: format, lints, tidy, tests, foreign clients, browser,
    /// instruction counts
    Test,
    /// The foreign clients alone
    Clients,
    /// nsqadmin in a browser alone, against a cluster of its own
    Browser,
    /// What lints cannot check: layers, sizes, documents
    Tidy,
    /// Count instructions per message on the hot paths
    Perf(perf::PerfArgs),
    /// Measure this nsqd, or compare it with another one
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let chore = Arguments::parse().chore;
    let done = Workspace::find().and_then(|workspace| match chore {
        Chore::Test => Ok(test::run(&workspace)),
        Chore::Clients => Ok(test::run_clients(&workspace)),
        Chore::Browser => Ok(test::run_browser(&workspace)),
        Chore::Tidy => tidy::run(&workspace).map(|()| ExitCode::SUCCESS),
        Chore::Perf(arguments) => perf::run(&workspace, &arguments).map(|()| ExitCode::SUCCESS),
        Chore::Bench(arguments) => bench::run(&workspace, &arguments).map(|()| ExitCode::SUCCESS),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
