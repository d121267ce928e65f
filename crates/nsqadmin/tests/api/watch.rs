//! What nsqadmin sees by itself: history and health.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use super::support::{Admin, Cluster, consumer, eventually, nobody};

/// Looks often, so that nobody waits for it.
const OFTEN: &str = "--history-interval=50ms";

/// The JSON of an answer with status 200.
#[track_caller]
fn json(answer: &str) -> Value {
    let body = answer.strip_prefix("200 ").unwrap_or_else(|| panic!("{answer}"));
    serde_json::from_str(body).expect("JSON")
}

/// The findings of one kind.
#[track_caller]
fn findings(admin: &Admin, kind: &str) -> Vec<Value> {
    let health = json(&admin.get("/api/health"));
    let findings = health["findings"].as_array().expect("a list").iter();
    findings.filter(|finding| finding["kind"] == kind).cloned().collect()
}

/// The last known number of a list of a chart.
#[track_caller]
fn newest(admin: &Admin, query: &str, list: &str) -> Option<f64> {
    let answer = admin.get(&format!("/api/history{query}"));
    // It may not have been seen yet.
    let chart = answer.starts_with("200 ").then(|| json(&answer))?;
    let length = chart["times"].as_array().expect("a list").len();
    let list = chart[list].as_array().expect("a list");
    assert_eq!(list.len(), length);
    list.last()?.as_f64()
}

#[track_caller]
fn wait_for_depth(admin: &Admin, query: &str, depth: f64) {
    eventually(&format!("a depth of {depth} for {query}"), || {
        (newest(admin, query, "depth") == Some(depth)).then_some(())
    });
}

#[test]
fn what_is_published_shows() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[OFTEN]);
    wait_for_depth(&admin, "?topic=clicks&channel=archive", 0.0);
    assert!(findings(&admin, "no_consumers").is_empty());
    eventually("there is something to compare with", || {
        newest(&admin, "", "rate").filter(|rate| *rate == 0.0)
    });
    for nsqd in &cluster.nsqds {
        nsqd.order("/mpub?topic=clicks", "1\n2\n3");
    }
    let first = cluster.nsqd(0);
    for (query, depth) in [
        ("", 6.0),
        ("?topic=clicks", 6.0),
        ("?topic=clicks&channel=archive", 6.0),
        (&*format!("?node={first}"), 3.0),
    ] {
        wait_for_depth(&admin, query, depth);
        let chart = json(&admin.get(&format!("/api/history{query}")));
        let rates = chart["rate"].as_array().expect("a list").iter();
        let highest = rates.filter_map(Value::as_f64).fold(0.0, f64::max);
        assert!(highest > 0.0, "{query}: {chart}");
    }
    let found = eventually("nobody consumes", || findings(&admin, "no_consumers").pop());
    let expected = ("warning", "clicks", "archive", Some(6));
    let text = |key: &str| found[key].as_str().unwrap_or_default();
    let seen = (text("severity"), text("topic"), text("channel"), found["depth"].as_i64());
    assert_eq!(seen, expected, "{found}");
    assert!(found["since"].is_u64(), "{found}");
    let consumers = [consumer(&cluster.nsqds[0], 3), consumer(&cluster.nsqds[1], 3)];
    eventually("somebody does", || findings(&admin, "no_consumers").is_empty().then_some(()));
    wait_for_depth(&admin, "?topic=clicks&channel=archive", 0.0);
    drop(consumers);
}

#[test]
fn what_is_paused_shows() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[OFTEN]);
    admin.act(r#"POST /api/topics/clicks/archive {"action":"pause"}"#);
    let found = eventually("a paused channel", || findings(&admin, "channel_paused").pop());
    assert_eq!(found["severity"], "notice", "{found}");
    admin.act(r#"POST /api/topics/clicks {"action":"pause"}"#);
    cluster.nsqds[0].order("/pub?topic=clicks", "x");
    eventually("a paused topic with a message", || {
        let found = findings(&admin, "topic_paused").pop();
        found.filter(|found| found["severity"] == "warning" && found["depth"] == 1)
    });
}

#[test]
fn a_node_that_is_stopped_shows() {
    let mut cluster = Cluster::with_clicks();
    let nsqds = [cluster.nsqd(0), cluster.nsqd(1)];
    let by_lookupd = Admin::of_lookupds(&[cluster.lookupd()], &[OFTEN]);
    let by_nsqd = Admin::of_nsqds(&nsqds, &[OFTEN]);
    let node = format!("?node={}", nsqds[0]);
    for admin in [&by_lookupd, &by_nsqd] {
        wait_for_depth(admin, &node, 0.0);
    }
    cluster.nsqds[0].kill();
    let is_about_it = |found: &Value| found["node"] == *nsqds[0].to_string();
    eventually("it is gone", || findings(&by_lookupd, "node_gone").pop().filter(is_about_it));
    let found = eventually("it cannot be reached", || {
        // The look during which it was killed may have seen a connection break.
        let is_refused = |found: &Value| {
            found["reason"].as_str().is_some_and(|reason| reason.contains("refused"))
        };
        findings(&by_nsqd, "node_unreachable").pop().filter(is_about_it).filter(is_refused)
    });
    assert_eq!(found["severity"], "problem", "{found}");
    let health = json(&by_nsqd.get("/api/health"));
    assert!(health["message"].as_str().expect("a text").starts_with("WARNING: Get"), "{health}");
    assert_eq!((health["nodes"].as_i64(), health["topics"].as_i64()), (Some(2), Some(1)));
    eventually("nothing is known of it", || {
        newest(&by_nsqd, &node, "depth").is_none().then_some(())
    });
    assert_eq!(newest(&by_nsqd, "?topic=clicks", "depth"), Some(0.0));
    cluster.nsqds[0].start_again();
    eventually("it is back", || findings(&by_nsqd, "node_unreachable").is_empty().then_some(()));
}

#[test]
fn a_node_that_hangs_holds_up_nobody() {
    let cluster = Cluster::with_clicks();
    // It takes connections, and says nothing.
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = hanging.local_addr().expect("it is bound");
    let nsqds = [address, cluster.nsqd(0)];
    let admin = Admin::of_nsqds(&nsqds, &[OFTEN, "--http-client-request-timeout=200ms"]);
    let found = eventually("it hangs", || findings(&admin, "node_unreachable").pop());
    assert_eq!(found["node"], *address.to_string());
    assert!(found["reason"].as_str().expect("a text").ends_with("no answer in time"), "{found}");
    for messages in 1..=3 {
        cluster.nsqds[0].order("/pub?topic=clicks", "x");
        wait_for_depth(&admin, "?topic=clicks", f64::from(messages));
    }
}

#[test]
fn an_nsqlookupd_that_is_gone_shows() {
    let mut cluster = Cluster::with_clicks();
    let gone = nobody();
    let admin = Admin::of_lookupds(&[cluster.lookupd(), gone], &[OFTEN]);
    let unreachable = |address: SocketAddr| {
        let found = findings(&admin, "lookupd_unreachable");
        found.iter().any(|found| found["address"] == *address.to_string()).then_some(())
    };
    eventually("one is gone", || unreachable(gone));
    assert_eq!(unreachable(cluster.lookupd()), None);
    wait_for_depth(&admin, "?topic=clicks", 0.0);
    let lookupd = cluster.lookupd();
    cluster.lookupd.kill();
    eventually("both are gone", || unreachable(lookupd));
    // The nodes are remembered.
    cluster.nsqds[1].order("/pub?topic=clicks", "x");
    wait_for_depth(&admin, "?topic=clicks", 1.0);
}

#[test]
fn what_is_not_there_has_no_history() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[OFTEN]);
    wait_for_depth(&admin, "", 0.0);
    for (query, expected) in [
        ("?topic=x", r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
        ("?topic=clicks&channel=x", r#"404 {"message":"CHANNEL_NOT_FOUND"}"#),
        ("?node=x:1", r#"404 {"message":"NODE_NOT_FOUND"}"#),
        ("?channel=x", r#"400 {"message":"INVALID_ARG_TOPIC"}"#),
        ("?topic=clicks&node=x:1", r#"400 {"message":"INVALID_ARG_NODE"}"#),
    ] {
        admin.check(&format!("GET /api/history{query}"), expected);
    }
    let off = Admin::of_lookupds(&[cluster.lookupd()], &["--history-interval=0"]);
    off.check("GET /api/history", r#"404 {"message":"HISTORY_DISABLED"}"#);
    off.check("GET /api/history?topic=clicks", r#"404 {"message":"HISTORY_DISABLED"}"#);
    off.check("GET /api/health", r#"404 {"message":"HISTORY_DISABLED"}"#);
}
