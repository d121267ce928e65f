//! `cargo xtask perf`: instructions per message on the hot paths, against the committed ones.
//!
//! Each routine of the program `nsq-perf` runs under callgrind with N and with 2 N messages; the
//! difference divided by N is what one message costs. Unlike times these numbers repeat on any
//! machine with the same compiler, so a regression shows in one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::machine;
use crate::program::run_quietly;
use crate::tally::Tally;
use crate::test::Outcome;
use crate::workspace::Workspace;

/// The committed counts.
const COUNTS: &str = "perf/instructions.json";
/// N.
const MESSAGES: u64 = 20_000;
/// How much a count may grow before that is an error, in percent. Fewer is always welcome.
const TOLERANCE_PERCENT: f64 = 5.0;

/// Settings of `cargo xtask perf`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct PerfArgs {
    /// Take the new counts as the ones to compare with
    #[arg(long)]
    bless: bool,
}

/// What to do with the new counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Compare them with the committed ones.
    Compare,
    /// Write them down.
    Bless,
}

/// Instructions per message, and which compiler made them.
#[derive(Debug, PartialEq)]
struct Baseline {
    compiler: String,
    counts: BTreeMap<String, f64>,
}

/// `cargo xtask perf`.
pub(crate) fn run(workspace: &Workspace, arguments: &PerfArgs) -> Result<()> {
    let counts = if arguments.bless { Counts::Bless } else { Counts::Compare };
    match check(workspace, counts)? {
        Outcome::Ran(tally) if tally.failed > 0 => {
            bail!("{} routines became slower; --bless if that is worth it", tally.failed)
        }
        Outcome::Ran(_) => Ok(()),
        Outcome::Skipped(reason) => bail!("{reason}"),
    }
}

/// Counts all routines and compares or writes down the counts.
pub(crate) fn check(workspace: &Workspace, counts: Counts) -> Result<Outcome> {
    if let Err(reason) = machine::require("valgrind", "--version", "valgrind") {
        return Ok(Outcome::Skipped(reason));
    }
    let path = workspace.path(COUNTS);
    let compiler = compiler()?;
    let old = match counts {
        Counts::Compare => Baseline::read(&path)?,
        Counts::Bless => Baseline { compiler: compiler.clone(), counts: BTreeMap::new() },
    };
    if old.compiler != compiler {
        let (old, here) = (&old.compiler, &compiler);
        return Ok(Outcome::Skipped(format!("the counts are for {old}, this is {here}")));
    }
    let programs = workspace.build(&["--release", "--package=nsq-perf"])?;
    let program = programs.path("nsq-perf")?;
    let mut new = Baseline { compiler, counts: BTreeMap::new() };
    for routine in run_quietly(&mut Command::new(program))?.lines() {
        let (once, twice) =
            (count(program, routine, MESSAGES)?, count(program, routine, 2 * MESSAGES)?);
        let each = twice.saturating_sub(once) as f64 / MESSAGES as f64;
        new.counts.insert(routine.to_owned(), (each * 10.0).round() / 10.0);
    }
    let (table, tally) = compare(&old.counts, &new.counts, counts);
    print!("{table}");
    if counts == Counts::Bless {
        std::fs::write(&path, new.to_text()?)?;
        println!("written to {COUNTS}");
    }
    Ok(Outcome::Ran(tally))
}

impl Baseline {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("cannot read {}; `cargo xtask perf --bless` writes it", path.display())
        })?;
        let value: Value = serde_json::from_str(&text)?;
        let compiler = value.get("compiler").and_then(Value::as_str).unwrap_or_default();
        let counts = value.get("instructions_per_message").and_then(Value::as_object);
        let counts = counts.context("instructions_per_message is missing")?;
        let count = |(name, count): (&String, &Value)| Some((name.clone(), count.as_f64()?));
        let counts = counts.iter().filter_map(count).collect();
        Ok(Self { compiler: compiler.to_owned(), counts })
    }

    fn to_text(&self) -> Result<String> {
        let Self { compiler, counts } = self;
        let value = json!({ "compiler": compiler, "instructions_per_message": counts });
        Ok(format!("{}\n", serde_json::to_string_pretty(&value)?))
    }
}

/// The compiler and what it compiles for: other ones make other instructions.
fn compiler() -> Result<String> {
    let text = run_quietly(Command::new("rustc").arg("--version").arg("--verbose"))?;
    let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let (release, host) = (field("release:"), field("host:"));
    Ok(format!("rustc {} {}", release.unwrap_or("?"), host.unwrap_or("?")))
}

/// Instructions of one run.
fn count(program: &Path, routine: &str, messages: u64) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(program).arg(routine).arg(messages.to_string());
    let output = run_quietly(&mut valgrind)?;
    collected(&output).with_context(|| format!("callgrind counted nothing:\n{output}"))
}

/// The number in callgrind's `==123== Collected : 456`.
fn collected(output: &str) -> Option<u64> {
    let (_, count) = output.lines().find_map(|line| line.split_once("Collected : "))?;
    count.split_whitespace().next()?.parse().ok()
}

/// The counts side by side, and how many are as they must be.
fn compare(
    old: &BTreeMap<String, f64>,
    new: &BTreeMap<String, f64>,
    counts: Counts,
) -> (String, Tally) {
    let mut table =
        format!("{:<20} {:>10} {:>10} {:>8}\n", "per message", "before", "now", "change");
    let mut tally = Tally::default();
    for (name, &now) in new {
        let before = old.get(name).copied();
        let percent = before.map(|before| (now / before - 1.0) * 100.0);
        let is_worse = percent.is_none_or(|percent| percent > TOLERANCE_PERCENT);
        let failed = is_worse && counts == Counts::Compare;
        tally += if failed { Tally::FAILED } else { Tally::PASSED };
        let before = before.map_or_else(|| "-".to_owned(), |before| format!("{before:.1}"));
        let change = percent.map_or_else(|| "new".to_owned(), |percent| format!("{percent:+.1} %"));
        let remark = if failed { "  too many" } else { "" };
        table += &format!("{name:<20} {before:>10} {now:>10.1} {change:>8}{remark}\n");
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        tally += Tally::FAILED;
        table += &format!("{name:<20} is in {COUNTS} but is not counted any more\n");
    }
    (table, tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, f64)]) -> BTreeMap<String, f64> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    fn check(old: &[(&str, f64)], new: &[(&str, f64)], passed: u32, failed: u32) {
        let (table, tally) = compare(&counts(old), &counts(new), Counts::Compare);
        assert_eq!(tally, Tally { passed, failed, skipped: 0 }, "{table}");
    }

    #[test]
    fn only_growth_beyond_the_tolerance_fails() {
        check(&[("a", 100.0)], &[("a", 104.9)], 1, 0);
        check(&[("a", 100.0)], &[("a", 105.1)], 0, 1);
        check(&[("a", 100.0), ("b", 10.0)], &[("a", 50.0), ("b", 10.0)], 2, 0);
    }

    #[test]
    fn a_routine_must_be_known_on_both_sides() {
        check(&[], &[("a", 1.0)], 0, 1);
        check(&[("a", 1.0)], &[], 0, 1);
    }

    #[test]
    fn the_committed_form_can_be_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        let baseline = Baseline { compiler: "rustc 1".to_owned(), counts: counts(&[("a", 1.5)]) };
        std::fs::write(&path, baseline.to_text().unwrap()).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline);
    }

    #[test]
    fn what_callgrind_says() {
        let output = "==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(collected(output), Some(123_456));
        assert_eq!(collected("==7== I   refs:      123,456"), None);
    }
}
