//! `nsq top` without a terminal.

use std::net::{SocketAddr, TcpListener};

use nsq_sim::{Daemon, http};

use crate::support::{Node, nsq, run, text, wait_until};

fn filled(lookupds: &[SocketAddr], depth: usize) -> Node {
    let node = Node::start_with(lookupds);
    node.daemon.create("orders", "archive");
    node.daemon.order("/mpub?topic=orders", "x\n".repeat(depth).trim_end());
    node
}

fn nobody() -> String {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("there are free ports").to_string()
}

#[test]
fn one_table_in_a_pipe() {
    let (first, second) = (filled(&[], 3), filled(&[], 4));
    let mut top = nsq("top");
    top.args(["--interval", "100ms", "--nsqd", &first.http().to_string()]);
    let output = run(top.args(["--nsqd", &second.http().to_string()]));
    let expected = "\
TOPIC / CHANNEL    DEPTH   IN FLIGHT   DEFERRED   IN/S   OUT/S   CLIENTS   REQUEUED   TIMED OUT
orders                 0                           0.0     0.0
  archive              7           0          0    0.0     0.0         0          0           0
";
    assert_eq!((output.status.code(), &*text(&output.stdout)), (Some(0), expected));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn nodes_that_are_down_are_told() {
    let (node, nobody) = (filled(&[], 3), nobody());
    let mut top = nsq("top");
    top.args(["--once", "--interval", "100ms", "--nsqd", &nobody]);
    let output = run(&mut top);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("nsq: down: {nobody}: ")), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let output = run(top.args(["--nsqd", &node.http().to_string()]));
    let (said, table) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with(&format!("nsq: down: {nobody}: ")), "{said}");
    assert!(table.contains("  archive              3 "), "{table}");
}

#[test]
fn all_nodes_of_an_nsqlookupd() {
    let lookupd = Daemon::lookupd(&[]);
    let addresses = lookupd.addresses();
    let nodes = [filled(&[addresses.tcp], 2), filled(&[addresses.tcp], 5)];
    wait_until("both are registered", || {
        let answer = http::get(addresses.http, "/lookup?topic=orders");
        nodes.iter().all(|node| {
            let port = format!("\"tcp_port\":{}", node.daemon.port());
            answer.as_ref().is_ok_and(|answer| answer.body.contains(&port))
        })
    });
    let mut top = nsq("top");
    top.args(["--interval", "100ms", "--lookupd", &addresses.http.to_string()]);
    let table = text(&run(&mut top).stdout);
    assert!(table.contains("  archive              7 "), "{table}");
}
