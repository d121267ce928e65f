//! `cargo xtask bench`: this nsqd measured, alone or side by side with another.

mod admin;
mod figure;
mod scenario;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::Value;

use self::figure::Figure;
use self::scenario::{SCENARIOS, Scenario};
use crate::daemon::Daemon;
use crate::workspace::Workspace;

/// Settings of `cargo xtask bench`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    other: Option<Other>,
    /// Another nsqd to compare with: a program that takes nsqd's flags
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Seconds that a scenario measures
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// How often each scenario runs; with --against the two take turns
    #[arg(long, default_value_t = 2)]
    rounds: u32,
    /// Only the scenarios with this in their name
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// What is measured instead of nsqd.
#[derive(Debug, Subcommand)]
enum Other {
    /// nsqadmin with a large simulated cluster: every page and every route of its API
    Admin(admin::AdminArgs),
}

/// A program that is measured.
#[derive(Debug)]
struct Side<'a> {
    nsqd: &'a Path,
    /// The results of every run, by figure.
    results: BTreeMap<&'static str, Vec<f64>>,
}

/// Runs the scenarios and prints a table.
pub(crate) fn run(workspace: &Workspace, arguments: &BenchArgs) -> Result<()> {
    if let Some(Other::Admin(arguments)) = &arguments.other {
        return admin::run(workspace, arguments);
    }
    ensure!(arguments.rounds > 0, "--rounds must be at least 1");
    let programs = workspace.build(&["--release", "--package=nsqd", "--package=nsq", "--bins"])?;
    let nsq = programs.path("nsq")?;
    let others = arguments.against.as_deref().into_iter();
    let nsqds: Vec<_> = std::iter::once(programs.path("nsqd")?).chain(others).collect();
    let only = arguments.only.as_deref().unwrap_or_default();
    println!("{}", figure::heading(nsqds.len() > 1));
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(only)) {
        let mut sides: Vec<_> = nsqds.iter().map(|nsqd| Side::new(nsqd)).collect();
        // Taking turns: what disturbs the machine for a while disturbs both.
        for _ in 0..arguments.rounds {
            for side in &mut sides {
                side.measure(nsq, scenario, arguments.seconds)?;
            }
        }
        for figure in scenario.figures {
            let medians = sides.iter().map(|side| side.median(figure.key));
            println!("{}", figure.row(scenario.name, &medians.collect::<Vec<_>>()));
        }
    }
    Ok(())
}

impl<'a> Side<'a> {
    fn new(nsqd: &'a Path) -> Self {
        Self { nsqd, results: BTreeMap::new() }
    }

    /// One run of a scenario against a daemon that was just started on an empty directory.
    fn measure(&mut self, nsq: &Path, scenario: &Scenario, seconds: u32) -> Result<()> {
        let daemon = Daemon::nsqd(self.nsqd)?;
        let mut bench = Command::new(nsq);
        bench.arg("bench").args(scenario.arguments(seconds));
        bench.args(["--json", "--address", &daemon.tcp, "--http-address", &daemon.http]);
        let output = bench.args(["--pid", &daemon.pid().to_string()]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let failed = || {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("{} against {}: {complaint}", scenario.name, self.nsqd.display())
        };
        ensure!(output.status.success(), failed());
        let report: Value = serde_json::from_str(&text).with_context(failed)?;
        for &Figure { key, .. } in scenario.figures {
            let value = report.pointer("/results").and_then(|results| results.get(key)?.as_f64());
            self.results.entry(key).or_default().extend(value);
        }
        daemon.stop()
    }

    /// The middle one of the results; the mean of the middle two.
    fn median(&self, key: &str) -> Option<f64> {
        figure::median(self.results.get(key)?)
    }
}
