//! http-api.md §10: options over HTTP.

use crate::support::{Daemon, is_original};

const JSON: Option<&str> = Some("application/json; charset=utf-8");
const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

#[track_caller]
fn check(daemon: &Daemon, method: &str, name: &str, body: &str, expected: &str) {
    let answer = daemon.request(method, &format!("/config/{name}"), body);
    let text = answer.text().trim_start_matches("{\"message\":\"").trim_end_matches("\"}");
    assert_eq!(format!("{} {text}", answer.status).trim_end(), expected, "{method} {name} {body}");
    assert_eq!(answer.header("X-NSQ-Content-Type"), Some("nsq; version=1.0"), "{name}");
}

#[test]
fn every_type_of_option_can_be_read() {
    let daemon = Daemon::start(&[
        "--node-id=7",
        "--sync-timeout=1500ms",
        "--e2e-processing-latency-percentile=0.5,1.0,0.99",
        "--statsd-mem-stats=false",
        "--max-msg-size=12345",
        "--statsd-address=127.0.0.1:1",
    ]);
    let data_path = daemon.data_path().display().to_string();
    for (name, body, content_type) in [
        ("log_prefix", "[nsqd]", TEXT),
        ("id", "7", JSON),
        ("sync_timeout", "1500000000", JSON),
        ("statsd_interval", "60000000000", JSON),
        ("e2e_processing_latency_percentiles", "[1,0.99,0.5]", JSON),
        ("statsd_mem_stats", "false", JSON),
        ("max_msg_size", "12345", JSON),
        ("max_channel_consumers", "0", JSON),
        ("statsd_address", "127.0.0.1:1", TEXT),
        ("queue_scan_worker_pool_max", "4", JSON),
        ("queue_scan_selection_count", "20", JSON),
        ("tcp_address", "127.0.0.1:0", TEXT),
        ("broadcast_address", "127.0.0.1", TEXT),
        ("data_path", &data_path, TEXT),
    ] {
        check(&daemon, "GET", name, "", &format!("200 {body}"));
        let answer = daemon.get(&format!("/config/{name}"));
        assert_eq!(answer.header("Content-Type"), content_type, "{name}");
    }
    // Verbatim, blank and all.
    assert_eq!(daemon.get("/config/log_prefix").text(), "[nsqd] ");
}

#[test]
fn the_prefix_for_statsd_shows_as_it_is_sent() {
    let daemon = Daemon::start(&[]);
    let prefix = format!("nsq.127_0_0_1_{}.", daemon.http().port());
    check(&daemon, "GET", "statsd_prefix", "", &format!("200 {prefix}"));
}

#[test]
fn empty_texts_and_lists() {
    let daemon = Daemon::start(&[]);
    let answer = daemon.get("/config/statsd_address");
    assert_eq!((answer.line().as_str(), answer.header("Content-Type")), ("200", None));
    check(&daemon, "GET", "e2e_processing_latency_percentiles", "", "200 []");
    if !is_original() {
        check(&daemon, "GET", "enable_experiment", "", "200 []");
        check(&daemon, "GET", "topology_zone", "", "200");
        check(&daemon, "GET", "log_format", "", "200 text");
    }
}

#[test]
fn ports_to_announce_are_those_that_are_bound_unless_others_are_given() {
    let daemon = Daemon::start(&["--broadcast-http-port=80"]);
    let tcp = format!("200 {}", daemon.tcp().port());
    check(&daemon, "GET", "broadcast_tcp_port", "", &tcp);
    check(&daemon, "GET", "broadcast_http_port", "", "200 80");
}

#[test]
fn what_is_no_option() {
    let daemon = Daemon::start(&[]);
    for name in ["nosuch", "node_id", "log-level", "LOG_LEVEL", "version", "config", "verbose"] {
        check(&daemon, "GET", name, "", "400 INVALID_OPTION");
        check(&daemon, "PUT", name, "1", "400 INVALID_OPTION");
    }
    for (name, expected) in [
        ("snappy", "200 true"),
        ("tls_cert", "200"),
        ("tls_required", "200 0"),
        ("tls_min_version", "200 769"),
        ("max_deflate_level", "200 6"),
    ] {
        check(&daemon, "GET", name, "", expected);
    }
    // Readable, not changeable.
    for name in ["id", "max_msg_size", "statsd_address", "sync_timeout"] {
        check(&daemon, "PUT", name, "1", "400 INVALID_OPTION");
    }
    for path in ["/config", "/config/", "/config/a/b"] {
        assert_eq!(daemon.get(path).line(), r#"404 {"message":"NOT_FOUND"}"#, "{path}");
    }
    let answer = daemon.post("/config/log_level", "info");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, OPTIONS, PUT")));
}

#[test]
fn the_log_level_changes_at_once() {
    let daemon = Daemon::start(&[]);
    for (word, number) in [("error", 4), ("WARN", 3), ("Info", 2), ("debug", 1), ("fatal", 5)] {
        check(&daemon, "PUT", "log_level", word, &format!("200 {number}"));
        check(&daemon, "GET", "log_level", "", &format!("200 {number}"));
    }
    for word in ["warning", " info", "info\n", "2", "\"info\"", "\u{fffd}"] {
        check(&daemon, "PUT", "log_level", word, "400 INVALID_VALUE");
    }
    let answer = daemon.request("PUT", "/config/log_level", b"\xff");
    assert_eq!(answer.line(), r#"400 {"message":"INVALID_VALUE"}"#);
    check(&daemon, "GET", "log_level", "", "200 5");
}

#[test]
fn the_size_of_the_body_is_checked_before_the_name() {
    let daemon = Daemon::start(&["--max-msg-size=5"]);
    for name in ["log_level", "id", "nosuch"] {
        check(&daemon, "PUT", name, "", "413 INVALID_VALUE");
        check(&daemon, "PUT", name, "errors", "413 INVALID_VALUE");
    }
    check(&daemon, "PUT", "log_level", "fatal", "200 5");
    check(&daemon, "PUT", "nosuch", "fatal", "400 INVALID_OPTION");
}
