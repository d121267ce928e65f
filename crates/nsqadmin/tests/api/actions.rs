//! What actions do, seen at nsqd and nsqlookupd.

use super::support::{Admin, Cluster, ask, eventually};

const DONE: &str = r#"200 {"message":""}"#;

#[test]
fn topics_and_channels_are_created_where_nsqlookupd_tells() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    admin.check(r#"POST /api/topics {"topic":"orders","channel":""}"#, DONE);
    assert_eq!(cluster.registered("/channels?topic=orders"), r#"200 {"channels":[]}"#);
    admin.check(r#"POST /api/topics {"topic":"clicks","channel":"new#ephemeral"}"#, DONE);
    for nsqd in [0, 1] {
        assert!(cluster.stats(nsqd).contains("\"channel_name\":\"new#ephemeral\""));
        assert!(!cluster.stats(nsqd).contains("orders"));
    }
}

#[test]
fn topics_and_channels_are_created_on_the_nsqd_that_are_given() {
    let cluster = Cluster::start();
    let admin = Admin::of_nsqds(&[cluster.nsqd(0), cluster.nsqd(1)], &[]);
    admin.check(r#"POST /api/topics {"topic":"orders","channel":"c"}"#, DONE);
    for nsqd in [0, 1] {
        assert!(cluster.stats(nsqd).contains("\"channel_name\":\"c\""));
    }
}

#[test]
fn pausing_and_emptying() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let is_on_both = |text: &str| [0, 1].iter().all(|nsqd| cluster.stats(*nsqd).contains(text));
    let channel_paused = r#""client_count":0,"clients":null,"paused":true"#;
    admin.check(r#"POST /api/topics/clicks/archive {"action":"pause"}"#, DONE);
    assert!(is_on_both(channel_paused));
    admin.check(r#"POST /api/topics/clicks/archive {"action":"unpause"}"#, DONE);
    assert!(!cluster.stats(0).contains("\"paused\":true"));
    admin.check(r#"POST /api/topics/clicks {"action":"pause"}"#, DONE);
    assert!(is_on_both("\"paused\":true") && !is_on_both(channel_paused));
    for nsqd in &cluster.nsqds {
        nsqd.order("/pub?topic=clicks", "x");
    }
    assert!(is_on_both("\"depth\":1"));
    admin.check(r#"POST /api/topics/clicks {"action":"empty"}"#, DONE);
    assert!(!is_on_both("\"depth\":1"));
    admin.check(r#"POST /api/topics/clicks {"action":"unpause"}"#, DONE);
    assert!(!cluster.stats(0).contains("\"paused\":true"));
    cluster.nsqds[0].order("/pub?topic=clicks", "x");
    eventually("the channel has it", || cluster.stats(0).contains("\"depth\":1").then_some(()));
    admin.check(r#"POST /api/topics/clicks/archive {"action":"empty"}"#, DONE);
    assert!(!cluster.stats(0).contains("\"depth\":1"));
}

#[test]
fn deleting() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    // Only one of the nsqd has it.
    cluster.nsqds[1].create("clicks", "web");
    admin.check("DELETE /api/topics/clicks/web", DONE);
    assert!(!cluster.stats(1).contains("web") && cluster.stats(1).contains("archive"));
    admin.check("DELETE /api/topics/clicks/web", r#"404 {"message":"CHANNEL_NOT_FOUND"}"#);
    admin.check("DELETE /api/topics/clicks", DONE);
    for nsqd in [0, 1] {
        assert!(!cluster.stats(nsqd).contains("clicks"));
    }
    eventually("nsqlookupd forgets it", || {
        (cluster.registered("/topics") == r#"200 {"topics":[]}"#).then_some(())
    });
    admin.check("DELETE /api/topics/clicks", r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
    // One that no nsqd serves.
    cluster.lookupd.create("idle", "c");
    admin.check("DELETE /api/topics/idle/c", DONE);
    admin.check("DELETE /api/topics/idle", DONE);
    assert_eq!(cluster.registered("/topics"), r#"200 {"topics":[]}"#);
}

#[test]
fn deleting_without_nsqlookupd() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_nsqds(&[cluster.nsqd(0), cluster.nsqd(1)], &[]);
    admin.check("DELETE /api/topics/clicks/archive", DONE);
    admin.check("DELETE /api/topics/clicks/archive", r#"404 {"message":"CHANNEL_NOT_FOUND"}"#);
    admin.check("DELETE /api/topics/clicks", DONE);
    admin.check("DELETE /api/topics/clicks", r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
    assert!(cluster.stats(0).contains("\"topics\":[]"), "{}", cluster.stats(0));
}

#[test]
fn a_node_is_rid_of_a_topic() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let node = format!("DELETE /api/nodes/{}", cluster.nsqd(0));
    admin.check(&format!(r#"{node} {{"topic":"clicks"}}"#), DONE);
    assert!(!cluster.stats(0).contains("clicks") && cluster.stats(1).contains("clicks"));
    cluster.wait_for("clicks", 1);
    for (body, expected) in [
        ("", r#"400 {"message":"INVALID_BODY"}"#),
        ("no", r#"400 {"message":"INVALID_BODY"}"#),
        (r#"["clicks"]"#, r#"400 {"message":"INVALID_BODY"}"#),
        ("{}", r#"400 {"message":"INVALID_TOPIC"}"#),
        (r#"{"topic":"*"}"#, r#"400 {"message":"INVALID_TOPIC"}"#),
    ] {
        assert_eq!(ask(admin.address, &node, &[], body), expected, "{body}");
    }
    let unknown = r#"DELETE /api/nodes/127.0.0.1:9 {"topic":"clicks"}"#;
    admin.check(unknown, r#"404 {"message":"NODE_NOT_FOUND"}"#);
}

#[test]
fn mistakes() {
    let cluster = Cluster::with_clicks();
    cluster.lookupd.create("idle", "c");
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    for (action, expected) in [
        ("POST /api/topics", r#"400 {"message":"EOF"}"#),
        (r#"POST /api/topics {"topic":"a*"}"#, r#"400 {"message":"INVALID_TOPIC"}"#),
        (r#"POST /api/topics {"channel":"c"}"#, r#"400 {"message":"INVALID_TOPIC"}"#),
        (r#"POST /api/topics {"topic":"a","channel":"*"}"#, r#"400 {"message":"INVALID_CHANNEL"}"#),
        ("POST /api/topics/clicks", r#"400 {"message":"EOF"}"#),
        (r#"POST /api/topics/clicks {"action":"x"}"#, r#"400 {"message":"INVALID_ACTION"}"#),
        ("POST /api/topics/clicks {}", r#"400 {"message":"INVALID_ACTION"}"#),
        (r#"POST /api/topics/none {"action":"pause"}"#, r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
        (
            r#"POST /api/topics/clicks/none {"action":"pause"}"#,
            r#"404 {"message":"CHANNEL_NOT_FOUND"}"#,
        ),
        (r#"POST /api/topics/idle {"action":"pause"}"#, r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
        (r#"POST /api/topics/idle/c {"action":"empty"}"#, r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
        ("DELETE /api/topics/*", r#"400 {"message":"INVALID_TOPIC"}"#),
        ("DELETE /api/topics/clicks/*", r#"400 {"message":"INVALID_CHANNEL"}"#),
        ("DELETE /api/topics/none", r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
    ] {
        admin.check(action, expected);
    }
    let list = ask(admin.address, "POST /api/topics", &[], r#"["t","c"]"#);
    assert!(list.starts_with("400 "), "{list}");
    assert_eq!(cluster.registered("/topics"), r#"200 {"topics":["clicks","idle"]}"#);
}
