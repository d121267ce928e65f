//! `nsq completions`.

use std::process::{Command, Stdio};

use nsq_app::flags::FlagSet;
use nsq_tools::{nsq_stat, nsq_tail, nsq_to_file, nsq_to_http, nsq_to_nsq, to_nsq};

use crate::support::{nsq, run, run_with, text};

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "elvish", "powershell"];

fn script(shell: &str, program: &str) -> String {
    let output = run(nsq("completions").args([shell, program]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn flags<O: FlagSet>() -> Vec<&'static str> {
    O::FLAGS.iter().map(|flag| flag.name).collect()
}

#[test]
fn every_flag_is_in_every_shells_script() {
    let nsq = ["data-path", "nsqd", "lookupd", "defer", "where", "show", "nodes"];
    for (program, flags) in [
        ("nsq", nsq.to_vec()),
        ("nsqd", flags::<nsqd::Options>()),
        ("nsqlookupd", flags::<nsqlookupd::Options>()),
        ("nsq_stat", flags::<nsq_stat::Options>()),
        ("nsq_tail", flags::<nsq_tail::Options>()),
        ("nsq_to_file", flags::<nsq_to_file::Options>()),
        ("nsq_to_http", flags::<nsq_to_http::Options>()),
        ("nsq_to_nsq", flags::<nsq_to_nsq::Options>()),
        ("to_nsq", flags::<to_nsq::Options>()),
    ] {
        assert!(!flags.is_empty());
        for shell in SHELLS {
            let script = script(shell, program);
            for flag in &flags {
                assert!(script.contains(flag), "{shell}: --{flag} of {program}");
            }
        }
    }
}

#[test]
fn bash_takes_its_scripts() {
    for program in ["nsq", "nsqd", "nsqlookupd", "nsq_to_file", "to_nsq"] {
        let mut bash = Command::new("bash");
        bash.arg("-n").stdout(Stdio::piped()).stderr(Stdio::piped());
        if Command::new("bash").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no bash here to read its script");
            return;
        }
        let output = run_with(&mut bash, script("bash", program).as_bytes());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    }
}

#[test]
fn bash_completes_with_them() {
    // As bash calls it: the words of the line, and which of them the cursor is in.
    let ask = "source /dev/stdin; COMP_WORDS=(nsqd --mem-q); COMP_CWORD=1; \
               _nsqd nsqd --mem-q nsqd; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", ask]).stdout(Stdio::piped()).stderr(Stdio::piped());
    if Command::new("bash").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no bash here to complete with");
        return;
    }
    let output = run_with(&mut bash, script("bash", "nsqd").as_bytes());
    assert_eq!(text(&output.stdout), "--mem-queue-size\n--mem-queue-bytes\n");
}

#[test]
fn only_programs_and_shells_that_exist() {
    for words in [["bash", "nsqadmin2"], ["tcsh", "nsqd"]] {
        let output = run(nsq("completions").args(words));
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    }
}
