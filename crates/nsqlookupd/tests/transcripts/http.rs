//! The HTTP API: arguments, refusals, forms.

use crate::support::{Daemon, is_original};

#[track_caller]
fn check(daemon: &Daemon, method: &str, target: &str, expected: &str) {
    let answer = crate::support::ask(daemon.http(), method, target);
    let message = answer.body.strip_prefix("{\"message\":\"");
    let text = message.and_then(|message| message.strip_suffix("\"}")).unwrap_or(&answer.body);
    assert_eq!(format!("{} {text}", answer.status).trim_end(), expected, "{method} {target}");
}

#[test]
fn arguments() {
    let daemon = Daemon::start(&[]);
    daemon.order("/channel/create?topic=t&channel=c");
    for (method, target, expected) in [
        ("GET", "/ping", "200 OK"),
        ("GET", "/info", "200 {\"version\":\"1.3.0\"}"),
        ("GET", "/channels", "400 MISSING_ARG_TOPIC"),
        ("GET", "/channels?topic=%", "400 INVALID_REQUEST"),
        ("GET", "/channels?topic=unknown", "200 {\"channels\":[]}"),
        ("GET", "/channels?topic=b!", "200 {\"channels\":[]}"),
        ("GET", "/channels?topic=t", "200 {\"channels\":[\"c\"]}"),
        ("GET", "/lookup", "400 MISSING_ARG_TOPIC"),
        ("GET", "/lookup?topic=%", "400 INVALID_REQUEST"),
        ("GET", "/lookup?topic=unknown", "404 TOPIC_NOT_FOUND"),
        ("GET", "/lookup?topic=b!", "404 TOPIC_NOT_FOUND"),
        ("GET", "/lookup?topic=t", "200 {\"channels\":[\"c\"],\"producers\":[]}"),
        ("GET", "/topics", "200 {\"topics\":[\"t\"]}"),
        ("GET", "/nodes", "200 {\"producers\":[]}"),
        ("GET", "/debug", "200 {}"),
        ("POST", "/topic/create", "400 MISSING_ARG_TOPIC"),
        ("POST", "/topic/create?topic=b!", "400 INVALID_ARG_TOPIC"),
        ("POST", "/topic/create?topic=%", "400 INVALID_REQUEST"),
        ("POST", "/topic/delete", "400 MISSING_ARG_TOPIC"),
        ("POST", "/topic/delete?topic=unknown", "200"),
        ("POST", "/channel/create", "400 MISSING_ARG_TOPIC"),
        ("POST", "/channel/create?topic=b!", "400 INVALID_ARG_TOPIC"),
        ("POST", "/channel/create?topic=t", "400 MISSING_ARG_CHANNEL"),
        ("POST", "/channel/create?topic=t&channel=b!", "400 INVALID_ARG_CHANNEL"),
        ("POST", "/channel/delete", "400 MISSING_ARG_TOPIC"),
        ("POST", "/channel/delete?topic=b!", "400 INVALID_ARG_TOPIC"),
        ("POST", "/channel/delete?topic=t", "400 MISSING_ARG_CHANNEL"),
        ("POST", "/channel/delete?topic=t&channel=b!", "400 INVALID_ARG_CHANNEL"),
        ("POST", "/channel/delete?topic=t&channel=unknown", "404 CHANNEL_NOT_FOUND"),
        ("POST", "/channel/delete?topic=unknown&channel=c", "404 CHANNEL_NOT_FOUND"),
        ("POST", "/topic/tombstone", "400 MISSING_ARG_TOPIC"),
        ("POST", "/topic/tombstone?topic=t", "400 MISSING_ARG_NODE"),
        ("POST", "/topic/tombstone?topic=t&node=unknown:1", "200"),
        ("POST", "/topic/tombstone?topic=b!&node=unknown:1", "200"),
        ("GET", "/unknown", "404 NOT_FOUND"),
        ("POST", "/lookup", "405 METHOD_NOT_ALLOWED"),
        ("GET", "/topic/create", "405 METHOD_NOT_ALLOWED"),
    ] {
        check(&daemon, method, target, expected);
    }
}

/// The original deletes whatever is named, and everything for `*`.
#[test]
fn only_names_can_be_deleted() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    daemon.order("/topic/create?topic=t");
    for name in ["*", "b!", ""] {
        let target = format!("/topic/delete?topic={name}");
        check(&daemon, "POST", &target, "400 INVALID_ARG_TOPIC");
    }
    check(&daemon, "GET", "/topics", "200 {\"topics\":[\"t\"]}");
    check(&daemon, "GET", "/lookup?topic=*", "404 TOPIC_NOT_FOUND");
    check(&daemon, "GET", "/channels?topic=*", "200 {\"channels\":[]}");
}

#[test]
fn forms_of_answers() {
    let daemon = Daemon::start(&[]);
    let lookup = daemon.get("/lookup?topic=t");
    assert_eq!(lookup.header("X-Nsq-Content-Type"), Some("nsq; version=1.0"));
    assert_eq!(lookup.header("Content-Type"), Some("application/json; charset=utf-8"));
    let nodes = daemon.get("/nodes");
    assert_eq!(nodes.header("X-Nsq-Content-Type"), Some("nsq; version=1.0"));
    assert_eq!(nodes.header("Content-Type"), Some("application/json; charset=utf-8"));
    let ping = daemon.get("/ping");
    assert_eq!(ping.header("X-Nsq-Content-Type"), None);
    assert_eq!(ping.header("Content-Type"), Some("text/plain; charset=utf-8"));
}

#[test]
fn what_only_we_have() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    check(&daemon, "GET", "/live", "200 OK");
    check(&daemon, "GET", "/ready", "200 OK");
    for path in ["", "/cmdline", "/symbol", "/profile", "/heap", "/goroutine", "/threadcreate"] {
        let answer = daemon.get(&format!("/debug/pprof{path}"));
        assert!(answer.line().starts_with("404 nsqlookupd in Rust takes no profiles"), "{path}");
    }
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t c");
    nsqd.order("REGISTER u");
    let page = daemon.get("/metrics");
    assert_eq!(page.header("X-Nsq-Content-Type"), None);
    for line in [
        "nsqlookupd_topics 2",
        "nsqlookupd_channels 1",
        "nsqlookupd_producers 1",
        "nsqlookupd_registrations_total 2",
        "nsqlookupd_tcp_open_connections 1",
        "nsqlookupd_tcp_accepted_connections_total 1",
    ] {
        assert!(page.body.lines().any(|found| found == line), "{line} in\n{}", page.body);
    }
    assert!(page.body.contains("nsqlookupd_build_info{version=\"1.3.0\",compiler=\"rust"));
}
