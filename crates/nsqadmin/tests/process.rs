//! The program nsqadmin as an operator meets it: its lines on standard error and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Output, Stdio};

use nsq_sim::certificates::Authority;
use rustix::process::{Pid, Signal, kill_process};

const FAILED: &str = " FATAL: failed to instantiate nsqadmin - ";

fn run(flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsqadmin"));
    command.args(flags).stdin(Stdio::null()).output().expect("it starts")
}

/// What it says when it does not start.
#[track_caller]
fn refused(flags: &[&str], expected: &str) {
    let output = run(flags);
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim_end().split_once(FAILED).map(|(_, reason)| reason);
    assert_eq!(reason, Some(expected), "{flags:?}: {said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_version() {
    let output = run(&["--version"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("nsqadmin v1.3.0 (built w/rust"), "{said}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(run(&["--nosuch"]).status.code(), Some(2));
}

#[test]
fn starts_that_fail() {
    const LOOKUPD: &str = "--lookupd-http-address=127.0.0.1:4161";
    refused(&[], "--nsqd-http-address or --lookupd-http-address required");
    refused(
        &[LOOKUPD, "--nsqd-http-address=127.0.0.1:4151", "--http-client-tls-cert=x"],
        "use --nsqd-http-address or --lookupd-http-address not both",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-cert=y"],
        "--http-client-tls-key must be specified with --http-client-tls-cert",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-key=x"],
        "--http-client-tls-cert must be specified with --http-client-tls-key",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-cert=y", "--http-client-tls-key=x"],
        "failed to LoadX509KeyPair y, x - open y: no such file or directory",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-root-ca-file=nofile", "--lookupd-http-address=a"],
        "failed to read TLS root CA file nofile - open nofile: no such file or directory",
    );
    let missing = "address 127.0.0.1: missing port in address";
    for flag in ["--lookupd-http-address", "--nsqd-http-address"] {
        refused(
            &[&format!("{flag}=127.0.0.1"), "--allow-config-from-cidr=foo"],
            &format!("failed to resolve {flag} (127.0.0.1) - {missing}"),
        );
    }
    refused(
        &[LOOKUPD, "--proxy-graphite", "--graphite-url=:bad", "--allow-config-from-cidr=foo"],
        "failed to parse --graphite-url (:bad) - parse \":bad\": missing protocol scheme",
    );
    refused(
        &[LOOKUPD, "--allow-config-from-cidr=foo"],
        "failed to parse --allow-config-from-cidr (foo) - invalid CIDR address: foo",
    );
    let endpoint = "--notification-http-endpoint";
    refused(
        &[LOOKUPD, &format!("{endpoint}=a")],
        &format!("failed to parse {endpoint} (a) - no URL of HTTP or HTTPS"),
    );
}

#[test]
fn files_that_are_no_certificates() {
    let home = tempfile::tempdir().expect("a directory");
    let (_, key) = Authority::new().sign(home.path(), "nsqadmin");
    let key = key.display();
    refused(
        &["--nsqd-http-address=127.0.0.1:4151", &format!("--http-client-tls-root-ca-file={key}")],
        &format!("failed to AppendCertsFromPEM {key}"),
    );
}

#[test]
fn an_address_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let reason = format!("listen tcp {address}: bind: address already in use");
    refused(
        &["--nsqd-http-address=127.0.0.1:4151", &format!("--http-address={address}")],
        &format!("listen ({address}) failed - {reason}"),
    );
}

#[test]
fn the_example_of_a_configuration_file_starts_it_and_a_signal_stops_it() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/nsqadmin.cfg.example");
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsqadmin"));
    command.args([&format!("--config={example}"), "--http-address=127.0.0.1:0"]);
    // Nothing is to be told, so nothing is missed.
    command.arg("--notification-http-endpoint=http://127.0.0.1:1/");
    // There is no nsqlookupd to look at.
    command.arg("--history-interval=0");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains("INFO: HTTP: listening on 127.0.0.1:") {
        assert!(log.read_line(&mut said).is_ok_and(|count| count > 0), "it ended:\n{said}");
    }
    assert!(said.contains("[nsqadmin] ") && said.contains(" INFO: nsqadmin v1.3.0 "), "{said}");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it is our child");
    log.read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("it is our child").code(), Some(0), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
}
