//! `cargo xtask test`: everything that must hold, in one run.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::machine;
use crate::perf::{self, Counts};
use crate::program::{self, run_and_listen};
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{browser, clients, tidy};

/// How a step ended that did not fail.
pub(crate) enum Outcome {
    /// It ran; these are its checks.
    Ran(Tally),
    /// It could not run here, because of this.
    Skipped(String),
}

/// The steps so far.
struct Run {
    strict: bool,
    total: Tally,
    failures: Vec<String>,
    timings: Vec<(&'static str, Duration)>,
}

/// Runs all steps, also after one has failed, and says at the end how many checks passed.
pub(crate) fn run(workspace: &Workspace) -> ExitCode {
    let started = Instant::now();
    let mut run = Run::new();
    run.step("format", || one(workspace.cargo(&["fmt", "--all", "--check"])));
    let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    run.step("lints", || one(workspace.cargo(&lints)));
    run.step("tidy", || tidy::run(workspace).map(|()| Outcome::Ran(Tally::PASSED)));
    run.step("tests", || tests(workspace));
    let documentation = ["test", "--workspace", "--doc"];
    run.step("examples in the documentation", || counted(workspace.cargo(&documentation)));
    run.clients(workspace);
    run.step("browser", || browser::run(workspace));
    run.step("instruction counts", || perf::check(workspace, Counts::Compare));
    run.finish(started.elapsed())
}

/// Runs only the steps with clients that other people wrote.
pub(crate) fn run_clients(workspace: &Workspace) -> ExitCode {
    let started = Instant::now();
    let mut run = Run::new();
    run.clients(workspace);
    run.finish(started.elapsed())
}

/// Runs only the step that looks at nsqadmin in a browser.
pub(crate) fn run_browser(workspace: &Workspace) -> ExitCode {
    let started = Instant::now();
    let mut run = Run::new();
    run.step("browser", || browser::run(workspace));
    run.finish(started.elapsed())
}

impl Run {
    fn new() -> Self {
        let strict = machine::is_ci();
        Self { strict, total: Tally::default(), failures: vec![], timings: vec![] }
    }

    fn clients(&mut self, workspace: &Workspace) {
        self.step("python client", || clients::python(workspace));
        self.step("node client", || clients::node(workspace));
        self.step("go client", || clients::go(workspace));
    }

    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n== {name} ==");
        let started = Instant::now();
        let outcome = work();
        let elapsed = started.elapsed();
        self.timings.push((name, elapsed));
        let tally = self.judge(name, outcome);
        self.total += tally;
        println!("-- {name}: {tally}, {:.1} s", elapsed.as_secs_f64());
    }

    fn judge(&mut self, name: &str, outcome: Result<Outcome>) -> Tally {
        match outcome {
            Ok(Outcome::Ran(tally)) => {
                if tally.failed > 0 {
                    self.failures.push(format!("{name}: {} failed", tally.failed));
                }
                tally
            }
            Ok(Outcome::Skipped(reason)) if self.strict => {
                println!("must not be skipped here: {reason}");
                self.failures.push(format!("{name}: skipped: {reason}"));
                Tally::FAILED
            }
            Ok(Outcome::Skipped(reason)) => {
                println!("skipped: {reason}");
                Tally::SKIPPED
            }
            Err(error) => {
                println!("{error:#}");
                self.failures.push(format!("{name}: {error}"));
                Tally::FAILED
            }
        }
    }

    /// The last line says in numbers how it went, for people and for programs.
    fn finish(self, elapsed: Duration) -> ExitCode {
        println!("\n== summary ==");
        for (name, elapsed) in &self.timings {
            println!("{name:<32} {:>7.1} s", elapsed.as_secs_f64());
        }
        println!("{:<32} {:>7.1} s", "in all", elapsed.as_secs_f64());
        for failure in &self.failures {
            println!("FAILED: {failure}");
        }
        println!("\n{}", self.total);
        if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A program that is one check.
fn one(mut command: Command) -> Result<Outcome> {
    program::run(&mut command).map(|()| Outcome::Ran(Tally::PASSED))
}

/// All tests; with nextest if it is there, because it is faster and says more.
fn tests(workspace: &Workspace) -> Result<Outcome> {
    // The tests that need it say what follows when it cannot be had.
    if let Err(reason) = machine::require("ip", "-V", "iproute2") {
        println!("{reason}");
    }
    if machine::has("cargo", &["nextest", "--version"]) {
        let run = ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level=slow"];
        return counted(workspace.cargo(&run));
    }
    counted(workspace.cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"]))
}

/// A test runner that counts by itself.
pub(crate) fn counted(mut command: Command) -> Result<Outcome> {
    let (status, output) = run_and_listen(&mut command)?;
    let mut tally = Tally::read(&output);
    if !status.success() && tally.failed == 0 {
        // It did not come as far as counting.
        tally += Tally::FAILED;
    }
    Ok(Outcome::Ran(tally))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(strict: bool, outcome: Result<Outcome>, expected: Tally, code: ExitCode) {
        let mut run = Run { strict, total: Tally::default(), failures: vec![], timings: vec![] };
        run.step("it", || outcome);
        assert_eq!(run.total, expected);
        assert_eq!(run.finish(Duration::ZERO), code);
    }

    #[test]
    fn a_skip_counts_as_a_failure_only_where_nothing_may_be_skipped() {
        let skipped = || Ok(Outcome::Skipped("no python3".to_owned()));
        check(false, skipped(), Tally::SKIPPED, ExitCode::SUCCESS);
        check(true, skipped(), Tally::FAILED, ExitCode::FAILURE);
    }

    #[test]
    fn one_failed_check_fails_the_run() {
        check(false, Ok(Outcome::Ran(Tally::PASSED)), Tally::PASSED, ExitCode::SUCCESS);
        let mixed = Tally { passed: 3, failed: 1, skipped: 0 };
        check(false, Ok(Outcome::Ran(mixed)), mixed, ExitCode::FAILURE);
        check(false, Err(anyhow::anyhow!("it broke")), Tally::FAILED, ExitCode::FAILURE);
    }
}
