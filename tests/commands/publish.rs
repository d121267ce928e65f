//! `nsq pub`.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use nsq_sim::Daemon;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Node, exit_code, nsq, run, run_with, text, wait_until};

/// All messages of the topic so far.
fn bodies(node: &Node, topic: &str, count: usize) -> Vec<u8> {
    let count = count.to_string();
    let output = run(node.nsq("sub").args([topic, "check", "-n", &count]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output.stdout
}

/// A topic keeps for its first channel what was published before.
fn depth(node: &Node, topic: &str, depth: u64) -> bool {
    node.stats(topic).contains(&format!("\"depth\":{depth},"))
}

#[track_caller]
fn succeeds(command: &mut Command, input: &[u8]) {
    let output = run_with(command, input);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert_eq!(text(&output.stdout), "");
}

#[track_caller]
fn fails(command: &mut Command, input: &[u8], expected: &str) {
    let output = run_with(command, input);
    assert_eq!((output.status.code(), &*text(&output.stderr)), (Some(1), expected));
}

#[test]
fn arguments_are_messages() {
    let node = Node::start();
    succeeds(node.nsq("pub").args(["t", "one", "two words"]), b"not read");
    assert_eq!(text(&bodies(&node, "t", 2)), "one\ntwo words\n");
}

#[test]
fn lines_are_messages_byte_for_byte() {
    let node = Node::start();
    let input = b"plain\n\xff\x00\x1b\r\nno end";
    succeeds(node.nsq("pub").arg("t"), input);
    assert_eq!(bodies(&node, "t", 3), [&input[..], b"\n"].concat());
}

#[test]
fn many_lines_keep_their_order() {
    let node = Node::start();
    let lines: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    succeeds(node.nsq("pub").arg("t"), lines.as_bytes());
    assert!(depth(&node, "t", 20_000));
    assert!(text(&bodies(&node, "t", 20_000)) == lines, "the order is another one");
}

#[test]
fn other_ways_to_split() {
    let node = Node::start();
    succeeds(node.nsq("pub").args(["null", "--null"]), b"a\nb\0c\0");
    assert_eq!(text(&bodies(&node, "null", 2)), "a\nb\nc\n");
    succeeds(node.nsq("pub").args(["whole", "--whole"]), b"a\n\nb\n");
    assert_eq!(text(&bodies(&node, "whole", 1)), "a\n\nb\n\n");
}

#[test]
fn empty_lines_are_skipped_and_told() {
    let node = Node::start();
    let output = run_with(node.nsq("pub").args(["t", "-v"]), b"a\n\n\nb\n");
    let said = text(&output.stderr);
    assert!(said.ends_with("nsq: 2 messages published, 2 empty ones skipped\n"), "{said}");
    assert!(depth(&node, "t", 2));
}

#[test]
fn deferred_messages_wait() {
    let node = Node::start();
    node.daemon.create("t", "c");
    succeeds(node.nsq("pub").args(["t", "--defer", "20m"]), b"a\nb\nc\n");
    assert!(node.stats("t").contains("\"deferred_count\":3"), "{}", node.stats("t"));
    let output = run(node.nsq("pub").args(["t", "--defer", "90h", "x"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("E_INVALID DPUB timeout"), "{}", text(&output.stderr));
}

#[test]
fn the_first_failure_is_named_by_its_line() {
    let node = Node::start();
    let too_big = "x".repeat(2 << 20);
    let input = format!("one\ntwo\n{too_big}\nfour\n");
    let output = run_with(node.nsq("pub").arg("t"), input.as_bytes());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("nsq: line 3: E_BAD_MESSAGE PUB message too big"), "{said}");
    assert!(said.contains("2 before it"), "{said}");
    fails(
        node.nsq("pub").args(["t", "a", ""]),
        b"",
        "nsq: message 2: E_BAD_MESSAGE PUB invalid message body size 0 (1 before it published)\n",
    );
    fails(
        node.nsq("pub").args(["bad topic", "a"]),
        b"",
        "nsq: message 1: E_BAD_TOPIC PUB topic name \"bad topic\" is not valid \
         (none is published)\n",
    );
    fails(
        node.nsq("pub").args(["t", "--whole"]),
        b"",
        "nsq: standard input is empty, and a message has at least one byte\n",
    );
}

#[test]
fn nobody_to_publish_to() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let free = free.expect("there are free ports").to_string();
    let output = run(nsq("pub").args(["t", "x", "--nsqd", &free]));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("nsq: no nsqd to publish to - "), "{said}");
}

#[test]
fn wrong_arguments_are_told_before_anything_is_done() {
    for (arguments, expected) in [
        (&["t", "--opt", "colour=red"][..], "invalid option colour"),
        (&["t", "x", "--null"], "cannot be used with"),
        (&["t", "--defer", "soon"], "it must be like 90s or 1h30m"),
    ] {
        let output = run(nsq("pub").args(arguments));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn nodes_are_found_through_nsqlookupd() {
    let lookupd = Daemon::lookupd(&[]);
    let node = Node::start_with(&[lookupd.addresses().tcp]);
    node.daemon.create("other", "c");
    let address = lookupd.addresses().http.to_string();
    wait_until("the node is registered", || {
        nsq_sim::http::get(lookupd.addresses().http, "/nodes")
            .is_ok_and(|answer| answer.body.contains("\"other\""))
    });
    succeeds(nsq("pub").args(["t", "--lookupd", &address, "--opt", "snappy=true"]), b"a\nb\n");
    assert!(depth(&node, "t", 2));
}

#[test]
fn what_was_read_is_published_when_ctrl_c_comes() {
    let node = Node::start();
    let mut child = node.nsq("pub").args(["t", "-v"]).stdin(Stdio::piped()).spawn().expect("nsq");
    let mut stdin = child.stdin.take().expect("it is a pipe");
    stdin.write_all(b"one\ntwo\n").expect("it reads");
    wait_until("both are published", || depth(&node, "t", 2));
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    assert_eq!(exit_code(&mut child), Some(130));
    let output = child.wait_with_output().expect("it has ended");
    assert!(text(&output.stderr).ends_with("nsq: 2 messages published\n"));
}
