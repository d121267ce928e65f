//! The consumer that README shows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use nsq_sim::{example, http};

use crate::fresh_directory;
use crate::up_process::Up;

const README: &str = include_str!("../../README.md");
const CLIENTS: &str = include_str!("../../docs/clients.md");
const SAMPLE: &str = include_str!("../../examples/consume.rs");
const GO_SAMPLE: &str = include_str!("../clients/go/consume.go");

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended, which a test has said before.
        if self.0.kill().is_ok() && self.0.wait().is_ok() {}
    }
}

#[test]
fn it_prints_what_is_published_with_curl() {
    let data = fresh_directory("sample");
    let up = Up::start(&data);
    let mut command = Command::new(example("consume"));
    let mut running = Running(command.arg(up.tcp()).stdout(Stdio::piped()).spawn().expect("built"));
    let mut printed = BufReader::new(running.0.stdout.take().expect("a pipe")).lines();
    let address = up.http().parse().expect("an address");
    for body in ["hello", "world"] {
        let answer = http::post(address, "/pub?topic=topic-1", body.as_bytes());
        assert_eq!(answer.expect("an answer").body, "OK");
        assert_eq!(printed.next().expect("a line").expect("text"), body);
    }
    drop(running);
    up.interrupt();
    fs::remove_dir_all(data).expect("nobody uses it");
}

#[test]
fn the_documents_show_it_as_it_is() {
    // All but the sentence above it.
    let (_, code) = SAMPLE.split_once("\n\n").expect("a sentence and code");
    assert!(README.contains(code), "README must show:\n{code}");
    assert!(CLIENTS.contains(code), "docs/clients.md must show:\n{code}");
    let (_, code) = GO_SAMPLE.split_once("package main").expect("a sentence and code");
    assert!(CLIENTS.contains(code), "docs/clients.md must show:\n{code}");
}
