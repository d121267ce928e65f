//! `nsq bench` against the daemons of this tree.

use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use nsq_app::{LogLevel, Logger, Shutdown};
use nsq_bench::BenchArgs;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    bench: BenchArgs,
}

#[test]
fn lookup_registers_what_it_says_and_leaves_no_node_behind() {
    let (listening, listens) = mpsc::channel();
    let shutdown = Shutdown::new();
    let stopped = shutdown.clone();
    let daemon = std::thread::spawn(move || {
        nsqd::runtime()?.block_on(async move {
            let options = nsqlookupd::Options {
                tcp_address: "127.0.0.1:0".to_owned(),
                http_address: "127.0.0.1:0".to_owned(),
                ..nsqlookupd::Options::default()
            };
            let log = Logger::to_stderr("[nsqlookupd] ", LogLevel::Fatal);
            let server = nsqlookupd::Server::start(options, log).await?;
            listening.send((server.tcp_address(), server.http_address()))?;
            server.run(stopped).await
        })
    });
    let (tcp, http) = listens.recv_timeout(Duration::from_secs(20)).expect("it starts");

    let words = "bench lookup --nodes 7 --topics 150 --producers 3 --requests-at-once 2 \
                 --list-requests 1 --duration 50ms";
    let words = words.split_whitespace().chain(["--address", &tcp, "--http-address", &http]);
    let report = nsq_bench::measure(&CommandLine::parse_from(words).bench).expect("it measures");
    assert_eq!(report.problems(), [] as [&str; 0]);
    // Three groups: 3, 3 and 1 nodes. The list of topics tells how many there really are.
    assert_eq!(report.figure("registrations"), Some(1050.0), "{report}");
    assert_eq!(report.figure("different_topics"), Some(450.0), "{report}");
    let names: usize = (0..150).map(|index| format!("\"bench_lookup_0_{index}\",").len()).sum();
    let expected = r#"{"topics":[]}"#.len() + 3 * names - 1;
    assert_eq!(report.figure("topics_bytes"), Some(expected as f64), "{report}");

    shutdown.begin();
    daemon.join().expect("no panic").expect("it stops in order");
}
