//! nsq_tail as a script meets it: what it prints, what it finishes, its exit codes.

mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nsq_sim::Daemon;
use rustix::process::{Pid, Signal, kill_process};
use support::{Nsqd, command, is_original, outcome, until};

const TOOL: &str = env!("CARGO_BIN_EXE_nsq_tail");
const ADDRESS: &str = "nsqd-tcp-address";

fn run(flags: &[impl AsRef<str>]) -> (Option<i32>, String, String) {
    outcome(command(TOOL, flags).output().expect("it starts"))
}

fn adding(topics: &[&str]) -> String {
    let lines = topics.iter().map(|topic| format!("Adding consumer for topic: {topic}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Publishes these to a topic that has a channel `c`.
fn publish(nsqd: &Nsqd, topic: &str, bodies: &[&str]) {
    nsqd.daemon.create(topic, "c");
    for body in bodies {
        nsqd.daemon.order(&format!("/pub?topic={topic}"), body);
    }
}

#[test]
fn version_and_mistakes() {
    assert_eq!(run(&["--version"]), (Some(0), "nsq_tail v1.3.0\n".to_owned(), String::new()));
    let nsqd = Nsqd::start(&[]);
    let address = &*nsqd.flag(ADDRESS);
    let no_channel = adding(&["t"]) + "\ninvalid channel name";
    for (flags, expected) in [
        (&[][..], "--nsqd-tcp-address or --lookupd-http-address required"),
        (
            &[address, "--lookupd-http-address=a:1"],
            "use --nsqd-tcp-address or --lookupd-http-address not both",
        ),
        (&[address], "--topic required"),
        (&[address, "--topic=b!"], "Adding consumer for topic: b!\ninvalid topic name"),
        (&[address, "--topic=t", "--channel=b!"], &no_channel),
    ] {
        let expected = (Some(1), String::new(), expected.to_owned());
        assert_eq!(run(flags), expected, "{flags:?}");
    }
    let (code, _, errors) = run(&["--consumer-opt=nope"]);
    let expected = "invalid value \"nope\" for flag -consumer-opt: invalid option nope";
    assert_eq!((code, errors.lines().next()), (Some(2), Some(expected)));
}

#[test]
fn an_nsqd_that_is_not_there() {
    let mut nsqd = Nsqd::start(&[]);
    nsqd.daemon.kill();
    let tcp = nsqd.daemon.addresses().tcp;
    let refused = format!("{}\ndial tcp {tcp}: connect: connection refused", adding(&["t"]));
    let found = run(&["--topic=t", &nsqd.flag(ADDRESS)]);
    assert_eq!(found, (Some(1), String::new(), refused));
}

#[test]
fn what_was_shown_is_finished_and_no_more() {
    let nsqd = Nsqd::start(&[]);
    publish(&nsqd, "t", &["one", "two\nthree", "four", "five"]);
    let flags = ["--topic=t", "--channel=c", "-n=3", "--print-topic", &nsqd.flag(ADDRESS)];
    let expected = "t | one\nt | two\nthree\nt | four\n".to_owned();
    assert_eq!(run(&flags), (Some(0), expected, adding(&["t"])));
    if !is_original() {
        nsqd.until("t", &["\"depth\":1,\"backend_depth\":0,\"in_flight_count\":0,"]);
        let flags = ["--topic=t", "--channel=c", "-n=1", &nsqd.flag(ADDRESS)];
        assert_eq!(run(&flags), (Some(0), "five\n".to_owned(), adding(&["t"])));
        nsqd.until("t", &["\"depth\":0,\"backend_depth\":0,\"in_flight_count\":0,"]);
    }
}

#[test]
fn messages_of_all_topics_are_counted_together() {
    let nsqd = Nsqd::start(&[]);
    publish(&nsqd, "t", &["one", "two"]);
    publish(&nsqd, "u", &["one", "two"]);
    if is_original() {
        return;
    }
    let topics = ["--topic=t", "--topic=u", "--channel=c"];
    let more = ["-n=3", "--print-topic", &nsqd.flag(ADDRESS)];
    let (code, output, _) = run(&[&topics[..], &more].concat());
    assert_eq!((code, output.lines().count()), (Some(0), 3), "{output}");
    // The fourth one is there for whoever comes next.
    let (code, last, _) = run(&[&topics[..], &["-n=1", "--print-topic", more[2]]].concat());
    let mut lines: Vec<_> = output.lines().chain(last.lines()).collect();
    lines.sort_unstable();
    assert_eq!((code, lines), (Some(0), vec!["t | one", "t | two", "u | one", "u | two"]));
}

#[test]
fn nodes_are_found_by_nsqlookupd() {
    let lookupd = Daemon::lookupd(&[]);
    let nsqd = Nsqd::start(&[&lookupd]);
    publish(&nsqd, "t", &["one"]);
    until(&lookupd, "/lookup?topic=t", |answer| answer.contains("remote_address"));
    let address = format!("--lookupd-http-address={}", lookupd.addresses().http);
    let found = run(&["--topic=t", "--channel=c", "-n=1", &address]);
    assert_eq!(found, (Some(0), "one\n".to_owned(), adding(&["t"])));
}

#[test]
fn a_channel_of_its_own_goes_with_it() {
    let nsqd = Nsqd::start(&[]);
    for signal in [Signal::INT, Signal::TERM] {
        let mut child =
            command(TOOL, &["--topic=t", &nsqd.flag(ADDRESS)]).spawn().expect("it starts");
        nsqd.until("t", &["\"channel_name\":\"tail", "#ephemeral\"", "\"client_count\":1"]);
        nsqd.daemon.order("/pub?topic=t", "hello");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "hello\n");
        kill_process(Pid::from_child(&child), signal).expect("it is our child");
        assert_eq!(child.wait().expect("it is our child").code(), Some(0), "{signal:?}");
        nsqd.until("t", &["\"channels\":[]"]);
    }
}

#[test]
fn nothing_is_finished_that_could_not_be_written() {
    let nsqd = Nsqd::start(&[]);
    publish(&nsqd, "t", &["one"]);
    if is_original() {
        return;
    }
    let mut tail = command(TOOL, &["--topic=t", "--channel=c", &nsqd.flag(ADDRESS)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let (code, _, errors) = outcome(tail.stdout(Stdio::from(full)).output().expect("it starts"));
    let expected = format!(
        "{}\nERROR: failed to write to os.Stdout - No space left on device (os error 28)",
        adding(&["t"])
    );
    assert_eq!((code, errors), (Some(1), expected));
    nsqd.until("t", &["\"depth\":1,\"backend_depth\":0,\"in_flight_count\":0,"]);
}
