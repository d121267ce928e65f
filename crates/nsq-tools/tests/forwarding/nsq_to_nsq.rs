//! nsq_to_nsq: modes, JSON, destinations that go away and come back, signals, first checks.

use std::io::Read;
use std::net::TcpListener;

use crate::daemon::Daemon;
use crate::patience::wait_until;
use crate::tool::{IMPATIENT, NSQ_TO_NSQ, Tool, run};

const CHANNEL: &str = "nsq_to_nsq";

/// Forwards topic `t` of an nsqd, and tries failed messages again soon.
#[track_caller]
fn start(nsqd: &Daemon, destinations: &[&Daemon], arguments: &[&str]) -> Tool {
    let mut all = vec!["--topic=t".to_owned(), format!("--nsqd-tcp-address={}", nsqd.tcp())];
    let destinations = destinations.iter().map(|it| it.tcp());
    all.extend(destinations.map(|it| format!("--destination-nsqd-tcp-address={it}")));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Tool::start(NSQ_TO_NSQ, &[&all, IMPATIENT.as_slice(), arguments].concat())
}

fn source() -> Daemon {
    let nsqd = Daemon::nsqd(&[]);
    nsqd.create("t", CHANNEL);
    nsqd
}

fn destination() -> Daemon {
    let nsqd = Daemon::nsqd(&[]);
    nsqd.create("t", "test");
    nsqd
}

fn bodies(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("message {number}")).collect()
}

#[test]
fn messages_go_to_the_destinations_in_turn() {
    for (mode, expected) in [("round-robin", [100, 100]), ("hostpool", [100, 100])] {
        let (nsqd, first, second) = (source(), destination(), destination());
        let mode = format!("--mode={mode}");
        let tool = start(&nsqd, &[&first, &second], &[&mode, "--status-every=50"]);
        nsqd.publish("t", &bodies(0, 200));
        nsqd.wait_finished("t", CHANNEL, 200);
        let found = [&first, &second].map(|nsqd| nsqd.counts("t", "test").messages);
        assert_eq!(found, expected, "{mode}");
        tool.line("[aggregate]: finished 50 - 99th: ");
        assert_eq!(tool.stop(), Some(0));
    }
}

#[test]
fn epsilon_greedy_delivers_everything() {
    let (nsqd, first, second) = (source(), destination(), destination());
    let _tool = start(&nsqd, &[&first, &second], &["--mode=epsilon-greedy"]);
    nsqd.publish("t", &bodies(0, 500));
    nsqd.wait_finished("t", CHANNEL, 500);
    let found = [&first, &second].map(|nsqd| nsqd.counts("t", "test").messages);
    assert_eq!(found.iter().sum::<u64>(), 500, "{found:?}");
}

#[test]
fn several_topics_go_to_one() {
    let (nsqd, destination) = (source(), destination());
    nsqd.create("u", CHANNEL);
    let _tool = start(&nsqd, &[&destination], &["--topic=u", "--destination-topic=v"]);
    nsqd.publish("t", &["from t"]);
    nsqd.publish("u", &["from u"]);
    assert!(destination.take("v", &["from t", "from u"]).is_empty());
    nsqd.wait_finished("t", CHANNEL, 1);
    nsqd.wait_finished("u", CHANNEL, 1);
}

#[test]
fn topics_keep_their_names() {
    let (nsqd, destination) = (source(), destination());
    nsqd.create("u", CHANNEL);
    let _tool = start(&nsqd, &[&destination], &["--topic=u"]);
    nsqd.publish("t", &["from t"]);
    nsqd.publish("u", &["from u"]);
    assert!(destination.take("t", &["from t"]).is_empty());
    assert!(destination.take("u", &["from u"]).is_empty());
}

#[test]
fn json_is_filtered_and_cut() {
    let whitelist = ["--whitelist-json-field=h", "--whitelist-json-field=a"];
    let filter = ["--require-json-field=a", "--require-json-value=1.5"];
    let bodies = ["{\"h\":\"<\", \"a\":1.50, \"x\":0}", "{\"a\":2}", "no json", "{\"a\":\"1.5\"}"];
    for (flags, expected) in [
        ([].as_slice(), ["{\"a\":1.5,\"h\":\"\\u003c\"}", "{\"a\":\"1.5\"}"].as_slice()),
        (&["--keep-json-text"], &["{\"h\":\"<\",\"a\":1.50}", "{\"a\":\"1.5\"}"]),
        (
            &["--undecodable-json=pass"],
            &["{\"a\":1.5,\"h\":\"\\u003c\"}", "no json", "{\"a\":\"1.5\"}"],
        ),
    ] {
        let (nsqd, destination) = (source(), destination());
        let arguments = [whitelist.as_slice(), &filter, flags].concat();
        let tool = start(&nsqd, &[&destination], &arguments);
        nsqd.publish("t", &bodies);
        assert!(destination.take("t", expected).is_empty(), "{flags:?}");
        nsqd.wait_finished("t", CHANNEL, 4);
        let count = destination.counts("t", "test").messages;
        assert_eq!(count, expected.len() as u64, "{flags:?}");
        tool.line("ERROR: Unable to decode json: no json (");
        assert_eq!(nsqd.counts("t", CHANNEL).requeued, 0, "{flags:?}");
    }
}

#[test]
fn what_cannot_be_judged_is_requeued() {
    let (nsqd, destination) = (source(), destination());
    let filter = ["--require-json-field=a", "--require-json-value=1"];
    let requeue = "--undecodable-json=requeue";
    let tool = start(&nsqd, &[&destination], &[filter[0], filter[1], requeue]);
    nsqd.publish("t", &["{}", "no json"]);
    tool.line("ERROR: missing field to check required value");
    tool.line("ERROR: Unable to decode json: no json (requeued, ");
    wait_until("both are tried again", || nsqd.counts("t", CHANNEL).requeued >= 4);
    assert_eq!(nsqd.counts("t", CHANNEL).left, 2);
    assert_eq!(destination.counts("t", "test").messages, 0);
}

#[test]
fn nothing_is_lost_when_the_destination_dies_and_returns() {
    let (nsqd, mut destination) = (source(), destination());
    let tool = start(&nsqd, &[&destination], &[]);
    nsqd.publish("t", &bodies(0, 1000));
    wait_until("some have arrived", || destination.counts("t", "test").messages > 0);
    destination.kill();
    nsqd.publish("t", &bodies(1000, 2000));
    wait_until("publishing fails", || nsqd.counts("t", CHANNEL).requeued > 0);
    // Whatever comes now cannot have been published, so it must not be finished.
    wait_until("what was answered before is finished", || {
        let before = nsqd.counts("t", CHANNEL);
        before.in_flight == 0 || before.left == before.messages
    });
    let left = nsqd.counts("t", CHANNEL).left;
    nsqd.publish("t", &bodies(2000, 2100));
    let requeued = nsqd.counts("t", CHANNEL).requeued;
    wait_until("it is tried", || nsqd.counts("t", CHANNEL).requeued > requeued + 2);
    assert_eq!(nsqd.counts("t", CHANNEL).left, left + 100);
    destination.start_again();
    destination.take("t", &bodies(0, 2100));
    nsqd.wait_finished("t", CHANNEL, 2100);
    assert_eq!(tool.stop(), Some(0));
}

#[test]
fn another_destination_takes_over() {
    let (nsqd, mut dying, living) = (source(), destination(), destination());
    let _tool = start(&nsqd, &[&dying, &living], &[]);
    nsqd.publish("t", &bodies(0, 1000));
    wait_until("some have arrived", || dying.counts("t", "test").messages > 0);
    dying.kill();
    nsqd.publish("t", &bodies(1000, 2000));
    nsqd.wait_finished("t", CHANNEL, 2000);
    // Both together have all of them.
    dying.start_again();
    let arrived = dying.counts("t", "test").left + living.counts("t", "test").left;
    assert!(arrived >= 2000, "{arrived}");
}

#[test]
fn a_destination_that_hangs_stops_only_its_own_messages() {
    let hanging = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = hanging.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in hanging.incoming() {
            let mut stream = stream.expect("a connection");
            // It reads, and never answers.
            std::thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    let (nsqd, answering) = (source(), destination());
    let second = format!("--destination-nsqd-tcp-address={address}");
    let timeout = "--producer-opt=publish_timeout,1m";
    let in_flight = "--max-in-flight=20";
    let _tool = start(&nsqd, &[&answering], &[&second, "--mode=round-robin", timeout, in_flight]);
    nsqd.publish("t", &bodies(0, 500));
    wait_until("all others have arrived", || {
        answering.counts("t", "test").messages + 10 >= 500 && nsqd.counts("t", CHANNEL).left <= 10
    });
}

#[test]
fn sigterm_finishes_what_is_in_flight() {
    let (nsqd, destination) = (source(), destination());
    let tool = start(&nsqd, &[&destination], &[]);
    nsqd.publish("t", &bodies(0, 5000));
    wait_until("some have arrived", || destination.counts("t", "test").messages > 0);
    assert_eq!(tool.stop(), Some(0));
    wait_until("nsqd saw it leave", || nsqd.counts("t", CHANNEL).in_flight == 0);
    let counts = nsqd.counts("t", CHANNEL);
    assert_eq!(counts.requeued, 0);
    // Each is in one place.
    assert_eq!(counts.left + destination.counts("t", "test").messages, 5000);
}

#[test]
fn command_lines() {
    let base = ["--topic=t", "--nsqd-tcp-address=127.0.0.1:1"];
    let check = |arguments: &[&str], expected: (Option<i32>, &str, &str)| {
        let (code, printed, said) = run(NSQ_TO_NSQ, &[base.as_slice(), arguments].concat());
        assert_eq!((code, &*printed, &*said), expected, "{arguments:?}");
    };
    check(&["--version"], (Some(0), "nsq_to_nsq v1.3.0\n", ""));
    let help = "run 'nsq_to_nsq --help' for the flags";
    check(&["--nosuch"], (Some(2), "", help));
    check(&["--mode=all"], (Some(2), "", help));
    check(&["--producer-opt=nope"], (Some(2), "", help));
    check(&[], (Some(1), "", "--destination-nsqd-tcp-address required"));
    let destination = "--destination-nsqd-tcp-address=127.0.0.1:1";
    let (code, _, said) = run(NSQ_TO_NSQ, &[base.as_slice(), &[destination]].concat());
    assert!(code == Some(1) && said.to_lowercase().contains("connection refused"), "{said}");
}
