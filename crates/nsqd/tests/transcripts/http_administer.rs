//! http-api.md §8: the table of topic and channel administration.

use crate::support::Daemon;

#[track_caller]
fn check(daemon: &Daemon, target: &str, expected: &str) {
    let answer = daemon.post(target, "");
    let text = answer.text().trim_start_matches("{\"message\":\"").trim_end_matches("\"}");
    assert_eq!(format!("{} {text}", answer.status).trim_end(), expected, "{target}");
}

fn prepared() -> Daemon {
    let daemon = Daemon::start(&[]);
    daemon.order("/topic/create?topic=known");
    daemon.order("/channel/create?topic=known&channel=known");
    daemon
}

#[test]
fn topic_refusals() {
    let daemon = prepared();
    // Endpoint; bad topic name; unknown topic.
    let table = [
        ("create", "400 INVALID_TOPIC", "200"),
        ("empty", "400 INVALID_TOPIC", "404 TOPIC_NOT_FOUND"),
        ("delete", "404 TOPIC_NOT_FOUND", "404 TOPIC_NOT_FOUND"),
        ("pause", "404 TOPIC_NOT_FOUND", "404 TOPIC_NOT_FOUND"),
        ("unpause", "404 TOPIC_NOT_FOUND", "404 TOPIC_NOT_FOUND"),
    ];
    for (endpoint, bad, unknown) in table {
        let path = format!("/topic/{endpoint}");
        check(&daemon, &path, "400 MISSING_ARG_TOPIC");
        check(&daemon, &format!("{path}?channel=known"), "400 MISSING_ARG_TOPIC");
        check(&daemon, &format!("{path}?topic=%"), "400 INVALID_REQUEST");
        check(&daemon, &format!("{path}?topic=a!"), bad);
        check(&daemon, &format!("{path}?topic="), bad);
        check(&daemon, &format!("{path}?topic=unknown-{endpoint}"), unknown);
    }
}

#[test]
fn channel_refusals() {
    let daemon = prepared();
    for endpoint in ["create", "delete", "empty", "pause", "unpause"] {
        let path = format!("/channel/{endpoint}");
        check(&daemon, &path, "400 MISSING_ARG_TOPIC");
        check(&daemon, &format!("{path}?channel=known"), "400 MISSING_ARG_TOPIC");
        check(&daemon, &format!("{path}?topic=%"), "400 INVALID_REQUEST");
        check(&daemon, &format!("{path}?topic=a!&channel=known"), "400 INVALID_ARG_TOPIC");
        check(&daemon, &format!("{path}?topic=&channel=known"), "400 INVALID_ARG_TOPIC");
        check(&daemon, &format!("{path}?topic=unknown&channel=known"), "404 TOPIC_NOT_FOUND");
        // Arguments are checked before existence.
        check(&daemon, &format!("{path}?topic=unknown"), "400 MISSING_ARG_CHANNEL");
        check(&daemon, &format!("{path}?topic=unknown&channel=a!"), "400 INVALID_ARG_CHANNEL");
        check(&daemon, &format!("{path}?topic=known&channel="), "400 INVALID_ARG_CHANNEL");
        let unknown = if endpoint == "create" { "200" } else { "404 CHANNEL_NOT_FOUND" };
        check(&daemon, &format!("{path}?topic=known&channel=un-{endpoint}"), unknown);
    }
    assert!(daemon.topic("unknown").is_null());
}

#[test]
fn everything_can_be_repeated() {
    let daemon = prepared();
    for _ in 0..2 {
        for endpoint in ["create", "empty", "pause", "unpause"] {
            check(&daemon, &format!("/topic/{endpoint}?topic=known"), "200");
            check(&daemon, &format!("/channel/{endpoint}?topic=known&channel=known"), "200");
        }
    }
    let _stays = daemon.consumer("known", "known");
    assert_eq!(daemon.topic("known")["channels"].as_array().map(Vec::len), Some(1));
    check(&daemon, "/channel/delete?topic=known&channel=known", "200");
    check(&daemon, "/channel/delete?topic=known&channel=known", "404 CHANNEL_NOT_FOUND");
    check(&daemon, "/topic/delete?topic=known", "200");
    check(&daemon, "/topic/delete?topic=known", "404 TOPIC_NOT_FOUND");
    assert_eq!(daemon.stats()["topics"], serde_json::json!([]));
}

#[test]
fn names_are_decoded() {
    let daemon = Daemon::start(&[]);
    check(&daemon, "/topic/create?topic=a%23ephemeral", "200");
    check(&daemon, "/channel/create?topic=a%23ephemeral&channel=b%23ephemeral", "200");
    assert!(!daemon.channel("a#ephemeral", "b#ephemeral").is_null());
    // A bare `#` is no part of the request.
    check(&daemon, "/topic/create?topic=%2E", "200");
    assert_eq!(daemon.topic(".")["topic_name"], ".");
    // An ephemeral topic goes with its last channel.
    check(&daemon, "/channel/delete?topic=a%23ephemeral&channel=b%23ephemeral", "200");
    crate::support::eventually("it is gone", || daemon.topic("a#ephemeral").is_null());
}
