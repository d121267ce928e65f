//! From registrations to answers.

use serde_json::{Value, json};

use crate::support::{Daemon, eventually, is_original, names};

#[track_caller]
fn json_of(daemon: &Daemon, target: &str) -> Value {
    let answer = daemon.get(target);
    assert_eq!(answer.status, 200, "{target}");
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn an_nsqd_is_found_until_it_is_gone() {
    let daemon = Daemon::start(&[]);
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t c");
    let address = nsqd.address();
    let who = format!(
        r#""remote_address":"{address}","hostname":"h","broadcast_address":"a","tcp_port":4150,"http_port":4151,"version":"1.3.0""#
    );
    let lookup = format!(r#"200 {{"channels":["c"],"producers":[{{{who}}}]}}"#);
    assert_eq!(daemon.get("/lookup?topic=t").line(), lookup);
    let nodes = format!(r#"200 {{"producers":[{{{who},"tombstones":[false],"topics":["t"]}}]}}"#);
    assert_eq!(daemon.get("/nodes").line(), nodes);
    drop(nsqd);
    eventually("it is gone", || daemon.get("/nodes").line() == r#"200 {"producers":[]}"#);
    let empty = r#"200 {"channels":["c"],"producers":[]}"#;
    assert_eq!(daemon.get("/lookup?topic=t").line(), empty);
    assert_eq!(daemon.get("/debug").line(), "200 {}");
}

/// A partition of the network leaves such a connection behind. The original goes on to show it.
#[test]
fn a_connection_that_was_replaced_names_no_topics_unless_it_pings() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (mut old, mut other) = (daemon.nsqd("a"), daemon.nsqd("b"));
    old.order("REGISTER deleted c");
    other.order("REGISTER deleted c");
    let mut new = daemon.nsqd("a");
    assert_eq!(daemon.producers("deleted"), ["b"]);
    new.order("REGISTER deleted c");
    assert_eq!(daemon.producers("deleted"), ["a", "b"]);
    new.order("UNREGISTER deleted");
    assert_eq!(daemon.producers("deleted"), ["b"]);
    // Two nsqd nodes that both call themselves so.
    old.order("PING");
    assert_eq!(daemon.producers("deleted"), ["a", "b"]);
}

#[test]
fn the_debug_page_has_every_registration() {
    let daemon = Daemon::start(&[]);
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t c");
    daemon.order("/channel/create?topic=u&channel=c");
    let text = daemon.get("/debug").body;
    let debug: Value = serde_json::from_str(&text).expect("JSON");
    let keys: Vec<_> = debug.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["channel:t:c", "client::", "topic:t:"]);
    let mut entry = debug["topic:t:"][0].clone();
    assert!(entry["last_update"].take().as_i64() > Some(1_600_000_000_000_000_000));
    let expected = json!({
        "broadcast_address": "a", "hostname": "h", "http_port": 4151, "id": nsqd.address(),
        "last_update": null, "tcp_port": 4150, "tombstoned": false,
        "tombstoned_at": -6_795_364_578_871_345_152_i64, "version": "1.3.0",
    });
    assert_eq!(entry, expected);
    assert!(text.starts_with(r#"{"channel:t:c":[{"broadcast_address":"a","hostname":"#), "{text}");
}

#[test]
fn unregistering() {
    let daemon = Daemon::start(&[]);
    let (mut a, mut b) = (daemon.nsqd("a"), daemon.nsqd("b"));
    for nsqd in [&mut a, &mut b] {
        nsqd.order("REGISTER t c");
        nsqd.order("REGISTER t e#ephemeral");
        nsqd.order("REGISTER u#ephemeral c");
    }
    assert_eq!(daemon.producers("t"), ["a", "b"]);
    a.order("UNREGISTER t e#ephemeral");
    a.order("UNREGISTER t unknown");
    a.order("UNREGISTER unknown");
    assert_eq!(daemon.producers("t"), ["a", "b"]);
    a.order("UNREGISTER t");
    assert_eq!(daemon.producers("t"), ["b"]);
    b.order("UNREGISTER t e#ephemeral");
    b.order("UNREGISTER t c");
    assert_eq!(json_of(&daemon, "/channels?topic=t"), json!({"channels": ["c"]}));
    a.order("UNREGISTER u#ephemeral");
    assert_eq!(daemon.producers("u%23ephemeral"), ["b"]);
    b.order("UNREGISTER u#ephemeral");
    assert_eq!(daemon.get("/lookup?topic=u%23ephemeral").status, 404);
    // Its channels stay, as long as nobody unregisters or deletes them.
    assert_eq!(json_of(&daemon, "/channels?topic=u%23ephemeral"), json!({"channels": ["c"]}));
}

/// The original keeps them until they are deleted.
#[test]
fn what_is_ephemeral_goes_with_the_last_connection() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (mut a, mut b) = (daemon.nsqd("a"), daemon.nsqd("b"));
    for nsqd in [&mut a, &mut b] {
        nsqd.order("REGISTER t e#ephemeral");
        nsqd.order("REGISTER u#ephemeral");
    }
    drop(a);
    eventually("one is left", || daemon.producers("t") == ["b"]);
    assert_eq!(daemon.producers("u%23ephemeral"), ["b"]);
    drop(b);
    eventually("none is left", || daemon.get("/nodes").line() == r#"200 {"producers":[]}"#);
    let lookup = daemon.get("/lookup?topic=t").line();
    assert_eq!(lookup, r#"200 {"channels":[],"producers":[]}"#);
    assert_eq!(daemon.get("/topics").line(), r#"200 {"topics":["t"]}"#);
}

#[test]
fn created_and_deleted() {
    let daemon = Daemon::start(&[]);
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t c");
    daemon.order("/channel/create?topic=t&channel=d");
    daemon.order("/topic/create?topic=empty");
    let mut channels = json_of(&daemon, "/channels?topic=t")["channels"].clone();
    channels.as_array_mut().expect("a list").sort_by_key(ToString::to_string);
    assert_eq!(channels, json!(["c", "d"]));
    daemon.order("/channel/delete?topic=t&channel=c");
    assert_eq!(json_of(&daemon, "/channels?topic=t"), json!({"channels": ["d"]}));
    daemon.order("/topic/delete?topic=t");
    assert_eq!(daemon.get("/lookup?topic=t").status, 404);
    assert_eq!(json_of(&daemon, "/channels?topic=t"), json!({"channels": []}));
    assert_eq!(json_of(&daemon, "/topics"), json!({"topics": ["empty"]}));
    // The nsqd is not told; it comes back when it registers anew.
    nsqd.order("PING");
    assert_eq!(daemon.get("/lookup?topic=t").status, 404);
    nsqd.order("REGISTER t");
    assert_eq!(daemon.producers("t"), ["a"]);
}

#[test]
fn a_tombstone_hides_until_the_topic_is_registered_anew() {
    let daemon = Daemon::start(&[]);
    let (mut a, mut b) = (daemon.nsqd("a"), daemon.nsqd("b"));
    for nsqd in [&mut a, &mut b] {
        nsqd.order("REGISTER t");
        nsqd.order("REGISTER u");
    }
    daemon.order("/topic/tombstone?topic=t&node=a:4150");
    assert_eq!(daemon.producers("t"), ["a", "b"]);
    daemon.order("/topic/tombstone?topic=t&node=a:4151");
    assert_eq!((daemon.producers("t"), daemon.producers("u").len()), (vec!["b".to_owned()], 2));
    let nodes = json_of(&daemon, "/nodes")["producers"].clone();
    let of_a = nodes.as_array().expect("a list").iter().find(|n| n["broadcast_address"] == "a");
    let of_a = of_a.expect("it stays in the list");
    let of_t = of_a["topics"].as_array().expect("a list").iter().position(|t| t == "t");
    assert_eq!(of_a["tombstones"][of_t.expect("it is registered")], true);
    a.order("REGISTER t c");
    assert_eq!(daemon.producers("t"), ["b"]);
    a.order("UNREGISTER t");
    a.order("REGISTER t");
    assert_eq!(daemon.producers("t"), ["a", "b"]);
}

#[test]
fn lifetimes_end() {
    let flags = ["--tombstone-lifetime=50ms", "--inactive-producer-timeout=1ms"];
    let daemon = Daemon::start(&flags[..1]);
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t");
    daemon.order("/topic/tombstone?topic=t&node=a:4151");
    eventually("the tombstone ends", || daemon.producers("t") == ["a"]);
    let daemon = Daemon::start(&flags[1..]);
    let mut nsqd = daemon.nsqd("a");
    nsqd.order("REGISTER t");
    eventually("it is inactive", || daemon.producers("t").is_empty());
    eventually("it is no node", || names(&daemon.get("/nodes")).is_empty());
    assert_ne!(daemon.get("/debug").line(), "200 {}");
}

/// The original shows both connections, and knows no brackets and no topology.
#[test]
fn better_than_the_original() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let (mut old, mut new) = (daemon.nsqd("a"), daemon.nsqd("a"));
    old.order("REGISTER t");
    old.order("REGISTER u");
    new.order("REGISTER t");
    let nodes = json_of(&daemon, "/nodes")["producers"].clone();
    assert_eq!(nodes.as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&nodes[0]["remote_address"], &nodes[0]["topics"]),
        (&json!(new.address()), &json!(["t"]))
    );
    let of_t = json_of(&daemon, "/lookup?topic=t")["producers"].clone();
    assert_eq!(
        (of_t.as_array().map(Vec::len), &of_t[0]["remote_address"]),
        (Some(1), &json!(new.address()))
    );
    // The old one is thought dead until it pings.
    assert_eq!(daemon.producers("u"), [""; 0]);
    old.order("PING");
    assert_eq!(daemon.producers("u"), ["a"]);

    let mut six = daemon.nsqd("fe80::1");
    six.order("REGISTER six");
    daemon.order("/topic/tombstone?topic=six&node=[fe80::1]:4151");
    assert!(daemon.producers("six").is_empty());

    let mut placed = daemon.client();
    let body = r#"{"broadcast_address":"p","tcp_port":1,"http_port":2,"version":"v","topology_zone":"z","topology_region":"r"}"#;
    placed.identify(body).expect("an answer");
    placed.order("REGISTER placed");
    let lookup = daemon.get("/lookup?topic=placed").body;
    assert!(
        lookup.contains(r#""version":"v","topology_zone":"z","topology_region":"r"}"#),
        "{lookup}"
    );
    let debug = daemon.get("/debug").body;
    assert!(
        debug.contains(r#""topology_region":"r","topology_zone":"z","version":"v"}"#),
        "{debug}"
    );
}
