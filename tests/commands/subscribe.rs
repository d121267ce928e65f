//! `nsq sub`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};

use nsq_sim::Daemon;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Node, exit_code, nsq, run, text, wait_until};

/// A running `nsq sub`; killed if a test ends before it.
struct Sub {
    child: Child,
    /// None when nobody reads any more.
    output: Option<BufReader<ChildStdout>>,
}

impl Sub {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("nsq starts");
        let output = child.stdout.take().map(BufReader::new);
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.output.as_mut().expect("it is still read");
        output.read_line(&mut line).expect("it is text");
        line
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
    }
}

impl Drop for Sub {
    fn drop(&mut self) {
        // Fails for a process that has ended, which is the normal case.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("process {} is left over", self.child.id());
        }
    }
}

/// Whether a consumer is there, on a channel whose name begins so.
fn is_consumed(node: &Node, topic: &str, channel: &str) -> bool {
    let stats = node.stats(topic);
    stats.contains(&format!("\"channel_name\":\"{channel}")) && stats.contains("\"client_count\":1")
}

#[test]
fn messages_come_as_they_are_until_ctrl_c() {
    let node = Node::start();
    let mut sub = Sub::start(node.nsq("sub").arg("t"));
    wait_until("it consumes", || is_consumed(&node, "t", "sub"));
    node.daemon.order("/pub?topic=t", "{\"b\": 1, \"a\":2}");
    node.daemon.order("/pub?topic=t", "\u{1b}[31m");
    assert_eq!(sub.line(), "{\"b\": 1, \"a\":2}\n");
    assert_eq!(sub.line(), "\u{1b}[31m\n");
    sub.interrupt();
    assert_eq!(exit_code(&mut sub.child), Some(0));
    assert_eq!(sub.line(), "");
    wait_until("the channel is gone", || !node.stats("t").contains("channel_name"));
}

#[test]
fn it_ends_after_so_many_and_leaves_the_rest() {
    let node = Node::start();
    node.daemon.create("t", "c");
    node.daemon.order("/mpub?topic=t", "1\n2\n3\n4\n5");
    let output = run(node.nsq("sub").args(["t", "c", "-n", "2"]));
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), "1\n2\n"));
    let output = run(node.nsq("sub").args(["t", "c", "--count", "3"]));
    // What was delivered and not shown comes again, behind the others.
    let shown = text(&output.stdout);
    let mut lines: Vec<_> = shown.lines().collect();
    lines.sort_unstable();
    assert_eq!((output.status.code(), &*lines), (Some(0), &["3", "4", "5"][..]));
}

#[test]
fn filters() {
    let node = Node::start();
    node.daemon.create("t", "c");
    node.daemon.order(
        "/mpub?topic=t",
        "{\"user\":{\"id\":1},\"x\":\"an error\"}\n\
         {\"user\":{\"id\":2},\"x\":\"an error\"}\n\
         {\"user\":{\"id\":1},\"x\":\"fine\"}\n\
         an error\n\
         {\"user\":{\"id\":1},\"x\":\"error 2\"}",
    );
    let mut sub = node.nsq("sub");
    let output = run(sub.args(["t", "c", "--match", "err.r", "--where", "user.id=1", "-n", "2"]));
    let expected =
        "{\"user\":{\"id\":1},\"x\":\"an error\"}\n{\"user\":{\"id\":1},\"x\":\"error 2\"}\n";
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), expected));
}

#[test]
fn headers_layout_and_colors_on_demand() {
    let node = Node::start();
    node.daemon.create("t", "c");
    node.daemon.order("/mpub?topic=t", "{\"a\":1}\nx\u{7}");
    let mut sub = node.nsq("sub");
    sub.args(["t", "c", "-n1", "--json=pretty", "--show=attempts,nsqd,topic"]);
    let expected = format!("attempts=1 nsqd={} topic=t\n{{\n  \"a\": 1\n}}\n", node.tcp());
    assert_eq!(text(&run(&mut sub).stdout), expected);
    let output = run(node.nsq("sub").args(["t", "c", "-n1", "--color=always"]));
    assert_eq!(text(&output.stdout), "x\u{1b}[31m\\x07\u{1b}[0m\n");
}

#[test]
fn it_ends_quietly_when_nobody_reads_any_more() {
    let node = Node::start();
    let mut sub = Sub::start(node.nsq("sub").args(["t", "c"]));
    wait_until("it consumes", || is_consumed(&node, "t", "c"));
    node.daemon.order("/pub?topic=t", "one");
    assert_eq!(sub.line(), "one\n");
    // As `head -n 1` does; there is no further message by which it could notice.
    drop(sub.output.take());
    assert_eq!(exit_code(&mut sub.child), Some(0));
    let mut said = String::new();
    let stderr = sub.child.stderr.as_mut().expect("it is a pipe");
    stderr.read_to_string(&mut said).expect("it is text");
    assert_eq!(said, "");
}

#[test]
fn nodes_are_found_through_nsqlookupd_also_later() {
    let lookupd = Daemon::lookupd(&[]);
    let (tcp, http) = (lookupd.addresses().tcp, lookupd.addresses().http.to_string());
    let mut sub = Sub::start(nsq("sub").args(["t", "c", "--lookupd", &http]));
    let node = Node::start_with(&[tcp]);
    node.daemon.create("t", "c");
    node.daemon.order("/pub?topic=t", "found");
    assert_eq!(sub.line(), "found\n");
    sub.interrupt();
    assert_eq!(exit_code(&mut sub.child), Some(0));
}

#[test]
fn nothing_to_consume_from() {
    let output = run(nsq("sub").args(["t", "--nsqd", "127.0.0.1:1"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("nsq: "), "{}", text(&output.stderr));
    let output = run(nsq("sub").args(["bad topic"]));
    assert_eq!(text(&output.stderr), "nsq: invalid topic name\n");
    let output = run(nsq("sub").args(["t", "--match", "("]));
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
