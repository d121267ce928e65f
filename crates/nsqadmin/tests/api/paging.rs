//! Parts of long lists.

use super::support::{Admin, Cluster, eventually, settled};

/// Topics on the first nsqd, and two that no nsqd has.
fn cluster() -> Cluster {
    let cluster = Cluster::start();
    for topic in ["alpha", "Beta", "betamax"] {
        cluster.nsqds[0].create(topic, "archive");
        cluster.nsqds[0].create(topic, "web");
        cluster.nsqds[0].order(&format!("/pub?topic={topic}"), "x");
    }
    // Of nsqlookupd it would hear of the other channel as well, sooner or later.
    cluster.nsqds[1].create("betamax", "archive");
    cluster.nsqds[1].create("betamax", "web");
    cluster.lookupd.create("idle1", "c");
    cluster.lookupd.create("idle2", "c");
    for (topic, nodes) in [("alpha", 1), ("Beta", 1), ("betamax", 2)] {
        cluster.wait_for(topic, nodes);
    }
    cluster
}

#[test]
fn topics() {
    let cluster = cluster();
    let lookupd = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    for (target, expected) in [
        ("topics", r#"{"topics":["Beta","alpha","betamax","idle1","idle2"],"message":""}"#),
        ("topics?match=BET", r#"{"topics":["Beta","betamax"],"total":2,"message":""}"#),
        ("topics?limit=2&offset=1", r#"{"topics":["alpha","betamax"],"total":5,"message":""}"#),
        ("topics?match=none", r#"{"topics":null,"total":0,"message":""}"#),
        ("topics?inactive=true&match=2", r#"{"topics":{"idle2":["c"]},"total":1,"message":""}"#),
        ("topics?inactive=true&limit=0", r#"{"topics":{},"total":2,"message":""}"#),
        ("topics?limit=-1", r#"{"message":"INVALID_ARG_LIMIT"}"#),
        ("nodes?offset=x", r#"{"message":"INVALID_ARG_OFFSET"}"#),
        ("counter?limit=1e3", r#"{"message":"INVALID_ARG_LIMIT"}"#),
        ("nodes/127.0.0.1:1?limit=x", r#"{"message":"INVALID_ARG_LIMIT"}"#),
    ] {
        let status = if expected.contains("INVALID") { 400 } else { 200 };
        lookupd.check(&format!("GET /api/{target}"), &format!("{status} {expected}"));
    }
    let nsqd = Admin::of_nsqds(&[cluster.nsqd(0)], &[]);
    let expected = r#"200 {"topics":{},"total":0,"message":""}"#;
    nsqd.check("GET /api/topics?inactive=true&match=a", expected);
}

#[test]
fn nodes() {
    let cluster = cluster();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let second = cluster.nsqd(1);
    let found = admin.get(&format!("/api/nodes?match={second}"));
    assert!(found.ends_with(r#""total":1,"message":""}"#), "{found}");
    assert!(found.contains(&format!(r#""http_port":{},"#, second.port())), "{found}");
    assert!(found.contains(r#""topics":[{"topic":"betamax","tombstoned":false}]"#), "{found}");
    let bare = admin.get("/api/nodes?topics=false");
    assert_eq!(bare.matches("http_port").count(), 2, "{bare}");
    assert!(!bare.contains("topics") && !bare.contains("total"), "{bare}");
    let none = r#"200 {"nodes":null,"total":2,"message":""}"#;
    admin.check("GET /api/nodes?offset=2&limit=1", none);
}

#[test]
fn topics_of_a_node() {
    let cluster = cluster();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let node = format!("/api/nodes/{}", cluster.nsqd(0));
    let page = admin.get(&format!("{node}?match=beta&offset=1"));
    // One of the three; the sums are those of all.
    assert_eq!(page.matches(r#""topic_name":"betamax","depth""#).count(), 1, "{page}");
    assert!(!page.contains("alpha") && !page.contains(r#""Beta""#), "{page}");
    let end = r#""total_messages":3,"total_clients":0,"total":2,"message":""}"#;
    assert!(page.ends_with(end), "{page}");
    let whole = admin.get(&node);
    assert!(whole.ends_with(r#""total_clients":0,"message":""}"#), "{whole}");
}

#[test]
fn counts() {
    let cluster = cluster();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let (first, second) = (cluster.nsqd(0), cluster.nsqd(1));
    let count = |topic: &str, channel: &str, node: &dyn std::fmt::Display, messages| {
        format!(r#""{topic}:{channel}:{node}":{{"node":"{node}","topic_name":"{topic}","#)
            + &format!(r#""channel_name":"{channel}","message_count":{messages}}}"#)
    };
    let check = |arguments: &str, counts: &[String], end: &str| {
        let expected = format!(r#"200 {{"stats":{{{}}},{end}}}"#, counts.join(","));
        let look = || admin.get(&format!("/api/counter?{arguments}"));
        // Channels get messages from their topic when they get them.
        assert_eq!(settled(&expected, look), expected, "{arguments}");
    };
    let alpha = [count("alpha", "archive", &first, 1), count("alpha", "web", &first, 1)];
    check("topic=alpha", &alpha, r#""message":"""#);
    check("topic=alpha&channel=web", &alpha[1..], r#""message":"""#);
    check("topic=none", &[], r#""message":"""#);
    check("match=BETA:WEB", &[count("Beta", "web", &first, 1)], r#""total":1,"message":"""#);
    let web = count("betamax", "web", &second, 0);
    let arguments = format!("topic=betamax&channel=web&match={second}");
    check(&arguments, &[web], r#""total":1,"message":"""#);
    check("limit=1&offset=2", &[count("alpha", "archive", &first, 1)], r#""total":8,"message":"""#);
    eventually("without arguments there are all", || {
        let all = admin.get("/api/counter");
        (all.matches("message_count").count() == 8 && !all.contains("total")).then_some(())
    });
}
