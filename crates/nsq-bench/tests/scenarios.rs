//! Every scenario against a fake daemon, with and without faults.

mod fake_nsqd;

use clap::Parser;
use fake_nsqd::{FakeNsqd, Faults};
use nsq_bench::{BenchArgs, Report};

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    bench: BenchArgs,
}

/// Runs `arguments` (scenario first) against the fake.
fn measure(nsqd: &FakeNsqd, arguments: &str) -> anyhow::Result<Report> {
    let address = nsqd.address();
    let words = ["bench"].into_iter().chain(arguments.split(' ')).chain(["--address", &address]);
    nsq_bench::measure(&CommandLine::try_parse_from(words)?.bench)
}

/// Checks figures of a report by name.
fn check(report: &Report, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        assert_eq!(report.figure(name), Some(*value), "{name} in {report}");
    }
}

#[test]
fn pub_sends_what_was_asked_for_down_to_the_last_odd_message() {
    let cases = [
        ("pub --messages 1000 --size 20", 1000, 1000),
        ("pub --messages 1000 --depth 100 --connections 3", 1000, 1000),
        ("pub --messages 1000 --batch 30 --depth 4", 34, 1000),
        ("pub --messages 1001 --batch 100 --connections 4 --publisher-threads 2", 12, 1001),
        ("pub --messages 7 --batch 100 --connections 6", 6, 7),
    ];
    for (arguments, publishes, messages) in cases {
        let nsqd = FakeNsqd::start(Faults::default());
        let report = measure(&nsqd, arguments).unwrap();
        check(&report, &[("published", f64::from(messages))]);
        assert!(report.problems().is_empty());
        let seen = nsqd.seen();
        assert_eq!(seen.publishes, publishes, "{arguments}");
        assert_eq!(seen.messages, u64::try_from(messages).unwrap(), "{arguments}");
    }
}

#[test]
fn pub_can_defer() {
    let nsqd = FakeNsqd::start(Faults::default());
    measure(&nsqd, "pub --messages 3 --defer 1500").unwrap();
    assert_eq!(nsqd.seen().deferred, ["1500", "1500", "1500"]);
    assert!(measure(&nsqd, "pub --messages 4 --batch 2 --defer 1500").is_err());
}

#[test]
fn pub_over_http_sends_what_was_asked_for() {
    let cases = [
        ("--messages 100 --size 20 --connections 3", "POST /pub", 100, 100),
        ("--messages 101 --batch 10 --connections 3", "POST /mpub", 12, 101),
    ];
    for (arguments, request, publishes, messages) in cases {
        let nsqd = FakeNsqd::start(Faults::default());
        let address = nsqd.address();
        let over_http = format!("pub {arguments} --over http --http-address {address}");
        let report = measure(&nsqd, &over_http).unwrap();
        check(&report, &[("published", f64::from(messages))]);
        let seen = nsqd.seen();
        assert_eq!(seen.messages, u64::try_from(messages).unwrap(), "{arguments}");
        assert_eq!((seen.publishes, seen.http_connections), (publishes, 3), "{arguments}");
        assert_eq!(seen.requests.get(request), Some(&publishes), "{arguments}");
    }
    let nsqd = FakeNsqd::start(Faults::default());
    let http = format!("--over http --http-address {}", nsqd.address());
    measure(&nsqd, &format!("pub --messages 2 --defer 1500 {http}")).unwrap();
    assert_eq!(nsqd.seen().deferred, ["1500", "1500"]);
    for wrong in ["pub --over http".to_owned(), format!("pub --depth 2 {http}")] {
        assert!(measure(&nsqd, &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_http_error_ends_the_run_with_its_text() {
    let nsqd = FakeNsqd::start(Faults { refuse_publish: Some(5), ..Faults::default() });
    let arguments = format!("pub --messages 100 --over http --http-address {}", nsqd.address());
    let text = format!("{:#}", measure(&nsqd, &arguments).unwrap_err());
    assert!(text.contains("EXITING"), "{text}");
}

#[test]
fn sub_consumes_and_finishes_what_is_there() {
    let nsqd = FakeNsqd::start(Faults::default());
    measure(&nsqd, "pub --messages 500 --batch 50").unwrap();
    let report = measure(&nsqd, "sub --messages 500 --rdy 7 --connections 2").unwrap();
    check(&report, &[("delivered", 500.0), ("finish_failures", 0.0)]);
    let seen = nsqd.seen();
    assert_eq!(seen.finished, 500);
    assert_eq!(seen.ready_counts, [7, 7]);
}

#[test]
fn e2e_delivers_every_message_on_every_channel() {
    let cases = [
        ("e2e --messages 3000 --batch 10 --depth 4 --verify", 1),
        ("e2e --messages 3000 --channels 3 --consumers 1 --depth 20 --verify", 3),
        ("e2e --messages 3000 --publishers 6 --consumers 5 --max-backlog 100", 1),
        ("e2e --messages 3000 --size 20000 --batch 3 --max-backlog 20 --rdy 5", 1),
    ];
    for (arguments, channels) in cases {
        let nsqd = FakeNsqd::start(Faults::default());
        let report = measure(&nsqd, arguments).unwrap();
        assert!(report.problems().is_empty(), "{arguments}: {report}");
        check(&report, &[("published", 3000.0), ("missing", 0.0), ("surplus", 0.0)]);
        check(&report, &[("delivered", 3000.0 * f64::from(channels))]);
        assert_eq!(nsqd.seen().finished, 3000 * u64::try_from(channels).unwrap());
    }
}

#[test]
fn a_timed_run_ends_with_nothing_on_its_way() {
    let nsqd = FakeNsqd::start(Faults::default());
    let arguments = "e2e --duration 50ms --warmup 10ms --batch 10 --max-backlog 1000 --verify";
    let report = measure(&nsqd, arguments).unwrap();
    assert!(report.problems().is_empty(), "{report}");
    let seen = nsqd.seen();
    assert_eq!(report.figure("published_in_all"), Some(seen.messages as f64));
    assert_eq!(seen.finished, seen.messages);
}

#[test]
fn drain_can_be_cut_in_two() {
    let nsqd = FakeNsqd::start(Faults::default());
    let settings = "--size 100 --backlog-bytes 200kB --batch 7 --depth 3 --channels 2 --verify";
    let report = measure(&nsqd, &format!("drain --publish-only {settings}")).unwrap();
    check(&report, &[("backlog_messages", 2000.0), ("published", 2000.0)]);
    assert_eq!(report.figure("drained"), None);
    assert_eq!(nsqd.seen().finished, 0);
    let report = measure(&nsqd, &format!("drain --drain-only {settings}")).unwrap();
    check(&report, &[("drained", 4000.0), ("duplicates", 0.0), ("foreign", 0.0)]);
    assert_eq!(nsqd.seen().finished, 4000);
}

#[test]
fn drain_takes_over_what_waits_in_the_topic() {
    let nsqd = FakeNsqd::start(Faults::default());
    let report = measure(&nsqd, "drain --messages 300 --backlog-in topic --verify").unwrap();
    check(&report, &[("drained", 300.0), ("missing", 0.0)]);
}

#[test]
fn latency_counts_every_message() {
    let nsqd = FakeNsqd::start(Faults::default());
    let arguments = "latency --rate 2000 --duration 100ms --warmup 10ms --size 24";
    let report = measure(&nsqd, arguments).unwrap();
    assert!(report.problems().is_empty(), "{report}");
    check(&report, &[("published_in_all", 220.0), ("delivered_in_all", 220.0)]);
    let percentiles = ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms"];
    let values = percentiles.map(|name| report.figure(name).unwrap());
    assert!(values[0] > 0.0 && values.is_sorted(), "{values:?}");
}

#[test]
fn idle_connections_answer_heartbeats() {
    let nsqd = FakeNsqd::start(Faults::default());
    let own = std::process::id();
    let arguments = format!("connections --count 20 --sub --hold 10ms --pid {own}");
    let report = measure(&nsqd, &arguments).unwrap();
    check(&report, &[("connections", 20.0)]);
    assert!(report.figure("bytes_per_connection").is_some());
    assert_eq!(nsqd.seen().ready_counts, [1; 20]);
}

/// `topics` with everything small.
fn topics(nsqd: &FakeNsqd, more: &str) -> anyhow::Result<Report> {
    let (address, own) = (nsqd.address(), std::process::id());
    let small = "--topics 50 --connections 5 --requests-at-once 4 --hold 10ms --rate 1000";
    let arguments = format!("topics {small} --duration 50ms --http-address {address} --pid {own}");
    measure(nsqd, &format!("{arguments}{more}"))
}

#[test]
fn topics_are_created_used_and_deleted() {
    let nsqd = FakeNsqd::start(Faults::default());
    let report = topics(&nsqd, "").unwrap();
    assert!(report.problems().is_empty(), "{report}");
    check(&report, &[("topics", 50.0), ("connections", 5.0)]);
    check(&report, &[("stats_json_bytes", 2.0), ("stats_text_bytes", 15.0)]);
    check(&report, &[("metrics_bytes", 9.0)]);
    let measured = [
        "create_topics_s",
        "create_channels_s",
        "bytes_per_topic_and_channel",
        "pause_topics_s",
        "unpause_topics_s",
        "bytes_per_connection",
        "idle_server_cpu_percent",
        "stats_json_p99_ms",
        "latency_p50_ms",
        "latency_with_statistics_p99_ms",
        "delete_topics_s",
    ];
    for name in measured {
        assert!(report.figure(name).is_some(), "{name} in {report}");
    }
    let seen = nsqd.seen();
    for path in ["topic/create", "channel/create", "topic/pause", "topic/unpause", "topic/delete"] {
        assert_eq!(seen.requests.get(&format!("POST /{path}")), Some(&50), "{path}");
    }
    let asked = 3 * 10 + report.figure("statistics_answers_meanwhile").unwrap() as u64;
    let pages = seen.requests.iter().filter(|(name, _)| name.starts_with("GET "));
    assert_eq!(pages.map(|(_, count)| count).sum::<u64>(), asked);
    // Two runs of the latency, with a fifth more to warm up.
    assert_eq!((seen.messages, seen.finished), (120, 120));
}

#[test]
fn topics_can_be_kept_and_need_no_metrics() {
    let nsqd = FakeNsqd::start(Faults { no_metrics: true, ..Faults::default() });
    let report = topics(&nsqd, " --keep").unwrap();
    assert_eq!(report.figure("metrics_bytes"), None);
    assert_eq!(report.figure("delete_topics_s"), None);
    assert_eq!(nsqd.seen().requests.get("POST /topic/delete"), None);
}

#[test]
fn a_refused_request_ends_the_run_with_its_text() {
    let nsqd = FakeNsqd::start(Faults { refuse_pause: true, ..Faults::default() });
    let text = format!("{:#}", topics(&nsqd, "").unwrap_err());
    assert!(text.contains("pause_topics_s") && text.contains("PAUSE_FAILED"), "{text}");
    assert!(measure(&nsqd, "topics").is_err(), "there is no HTTP address");
}

#[test]
fn heartbeats_of_busy_clients_are_answered() {
    let nsqd = FakeNsqd::start(Faults::default());
    measure(&nsqd, "e2e --messages 100 --publishers 1 --consumers 1").unwrap();
    // The heartbeat before the answer to IDENTIFY is passed over, the one after SUB is not.
    assert!(nsqd.seen().nops >= 1);
}

#[test]
fn clients_ask_for_default_settings_unless_told_otherwise() {
    let nsqd = FakeNsqd::start(Faults::default());
    measure(&nsqd, "latency --rate 1000 --duration 5ms --warmup 0").unwrap();
    let plain = concat!(
        r#"{"client_id":"nsq-bench","user_agent":"nsq-bench/"#,
        env!("CARGO_PKG_VERSION"),
        r#""}"#
    );
    assert_eq!(nsqd.seen().identified, [plain, plain]);

    let nsqd = FakeNsqd::start(Faults::default());
    let settings = "--output-buffer-size -1 --output-buffer-timeout 25 --msg-timeout 1000";
    measure(&nsqd, &format!("sub --duration 1ms --warmup 0 {settings}")).unwrap();
    let asked = r#","output_buffer_size":-1,"output_buffer_timeout":25,"msg_timeout":1000}"#;
    assert!(nsqd.seen().identified[0].ends_with(asked), "{:?}", nsqd.seen().identified);
}

#[test]
fn an_error_frame_ends_the_run_with_its_text() {
    let faults = Faults { refuse_publish: Some(5), ..Faults::default() };
    for arguments in ["pub --messages 100", "e2e --duration 60s --batch 2 --depth 10"] {
        let error = measure(&FakeNsqd::start(faults), arguments).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("E_PUB_FAILED PUB failed exiting"), "{text}");
    }
}

#[test]
fn duplicates_are_counted_and_do_not_hide_missing_messages() {
    let faults = Faults { repeat_every: Some(10), forget_every: Some(100), ..Faults::default() };
    let nsqd = FakeNsqd::start(faults);
    let arguments = "e2e --duration 20ms --warmup 0 --batch 100 --max-backlog 1000 --verify \
                     --timeout 200ms";
    let report = measure(&nsqd, arguments).unwrap();
    let messages = nsqd.seen().messages;
    let expected = [("missing", messages / 100), ("duplicates", messages / 10 - messages / 100)];
    for (name, value) in expected {
        assert_eq!(report.figure(name), Some(value as f64), "{name} of {messages}");
    }
    assert_eq!(report.problems().len(), 1, "{report}");
}

#[test]
fn a_backlog_that_does_not_come_is_an_error() {
    let faults = Faults { forget_every: Some(50), ..Faults::default() };
    let nsqd = FakeNsqd::start(faults);
    let error = measure(&nsqd, "drain --messages 200 --timeout 200ms").unwrap_err();
    assert!(error.to_string().contains("196 delivered"), "{error:#}");
}

#[test]
fn a_refused_finish_is_a_problem_of_the_report() {
    let faults = Faults { refuse_finish: Some(50), ..Faults::default() };
    let nsqd = FakeNsqd::start(faults);
    let report = measure(&nsqd, "e2e --messages 100").unwrap();
    check(&report, &[("finish_failures", 1.0), ("delivered", 100.0)]);
    let [problem] = report.problems() else { panic!("{report}") };
    assert!(problem.contains("E_FIN_FAILED"), "{problem}");
}
