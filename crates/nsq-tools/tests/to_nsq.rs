//! to_nsq as a script meets it: what is published, its exit codes, its lines on standard error.

mod support;

use std::io::Write;
use std::process::{Child, Stdio};

use nsq_sim::{Connection, Received, command as protocol};
use rustix::process::{Pid, Signal, kill_process};
use support::{Nsqd, command, is_original, outcome};

const TOOL: &str = env!("CARGO_BIN_EXE_to_nsq");
const ADDRESS: &str = "nsqd-tcp-address";

fn start(flags: &[impl AsRef<str>]) -> Child {
    command(TOOL, flags).stdin(Stdio::piped()).spawn().expect("it starts")
}

/// What became of it, when this is all of its input.
fn run(flags: &[impl AsRef<str>], input: &[u8]) -> (Option<i32>, String) {
    let mut child = start(flags);
    match child.stdin.take().expect("it is piped").write_all(input) {
        // It may have ended already because of its flags.
        Ok(()) | Err(_) => {}
    }
    let (code, output, errors) = outcome(child.wait_with_output().expect("it ends"));
    assert!(output.is_empty() || flags.iter().any(|flag| flag.as_ref() == "--version"));
    (code, errors)
}

/// All messages of the topic, in the order in which a new channel gets them.
fn messages(nsqd: &Nsqd, topic: &str, count: usize) -> Vec<String> {
    let mut consumer = Connection::open(nsqd.daemon.addresses().tcp).expect("nsqd is there");
    let subscribe = protocol::subscribe(topic, "c");
    assert_eq!(consumer.ask(&subscribe).expect("OK"), Received::Response(b"OK".to_vec()));
    consumer.send(&protocol::ready(2500)).expect("it is connected");
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let Received::Message(message) = consumer.answer().expect("a message") else { continue };
        bodies.push(String::from_utf8(message.body).expect("text"));
    }
    bodies
}

fn ok() -> (Option<i32>, String) {
    (Some(0), String::new())
}

fn failed(error: &str) -> (Option<i32>, String) {
    (Some(1), error.to_owned())
}

#[test]
fn version_and_mistakes() {
    if !is_original() {
        let output = command(TOOL, &["--version"]).output().expect("it starts");
        assert_eq!(outcome(output), (Some(0), "to_nsq v1.3.0\n".to_owned(), String::new()));
    }
    for (flags, expected) in [
        (&["--delimiter=ab"][..], "--topic required"),
        (&["--topic=t", "--delimiter=ab"], "--delimiter must be a single byte"),
        (&["--topic=t"], "--nsqd-tcp-address required"),
    ] {
        assert_eq!(run(flags, b""), failed(expected), "{flags:?}");
    }
}

#[test]
fn pieces_become_messages() {
    let nsqd = Nsqd::start(&[]);
    let address = nsqd.flag(ADDRESS);
    assert_eq!(run(&["--topic=t", "--delimiter=;", &address], b"aa;bb\n;;cc"), ok());
    let last = if is_original() { "c" } else { "cc" };
    assert_eq!(messages(&nsqd, "t", 3), ["aa", "bb\n", last]);
    assert_eq!(run(&["--topic=none", &address], b""), ok());
    assert_eq!(run(&["--topic=none", &address], b"\n\n\n"), ok());
    nsqd.until("none", &["\"topics\":null"]);
}

#[test]
fn every_destination_gets_everything_in_order() {
    let nodes = [Nsqd::start(&[]), Nsqd::start(&[])];
    let (one, other) = (nodes[0].flag(ADDRESS), nodes[1].flag(ADDRESS));
    let lines: Vec<_> = (0..2000).map(|number| number.to_string()).collect();
    let input = lines.join("\n") + "\n";
    // The same address twice is one destination.
    assert_eq!(run(&["--topic=t", &one, &other, &one], input.as_bytes()), ok());
    for nsqd in &nodes {
        assert_eq!(messages(nsqd, "t", lines.len()), lines);
        nsqd.until("t", &["\"message_count\":2000,"]);
    }
}

#[test]
fn a_failed_publish_is_told_in_the_words_of_nsqd() {
    let mut nsqd = Nsqd::start(&[]);
    let address = nsqd.flag(ADDRESS);
    let bad_topic = failed("E_BAD_TOPIC PUB topic name \"b!\" is not valid");
    assert_eq!(run(&["--topic=b!", &address], b"x\n"), bad_topic);
    let large = [vec![b'x'; (1 << 20) + 1], b"\n".to_vec()].concat();
    let too_large = failed("E_BAD_MESSAGE PUB message too big 1048577 > 1048576");
    assert_eq!(run(&["--topic=t", &address], &large), too_large);
    nsqd.daemon.kill();
    let tcp = nsqd.daemon.addresses().tcp;
    let refused = failed(&format!("dial tcp {tcp}: connect: connection refused"));
    assert_eq!(run(&["--topic=t", &address], b"x\n"), refused);
}

#[test]
fn a_failure_ends_it_while_its_input_is_open() {
    let nsqd = Nsqd::start(&[]);
    let mut child = start(&["--topic=b!", &nsqd.flag(ADDRESS)]);
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(b"x\n").expect("it reads");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn the_rate_is_announced() {
    let nsqd = Nsqd::start(&[]);
    let flags = ["--topic=t", "--rate=1000", &nsqd.flag(ADDRESS)];
    let said = (Some(0), "Throttling messages rate to max:1000/second".to_owned());
    assert_eq!(run(&flags, b"1\n2\n3\n"), said);
    assert_eq!(messages(&nsqd, "t", 3), ["1", "2", "3"]);
    assert_eq!(run(&["--topic=t", "--rate=-5", &nsqd.flag(ADDRESS)], b"4\n"), ok());
}

#[test]
fn what_was_read_is_published_before_a_signal_ends_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let nsqd = Nsqd::start(&[]);
        // Slowly: most of it waits when the signal comes.
        let mut child = start(&["--topic=t", "--rate=1", &nsqd.flag(ADDRESS)]);
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(b"1\n2\n3\nhalf").expect("it reads");
        nsqd.until("t", &["\"message_count\":1,"]);
        kill_process(Pid::from_child(&child), signal).expect("it is our child");
        let (code, _, errors) = outcome(child.wait_with_output().expect("it ends"));
        assert_eq!(code, Some(0), "{signal:?}");
        drop(input);
        if !is_original() {
            assert!(errors.ends_with("4 bytes behind the last delimiter are not published"));
            assert_eq!(messages(&nsqd, "t", 3), ["1", "2", "3"]);
            nsqd.until("t", &["\"message_count\":3,"]);
        }
    }
}
