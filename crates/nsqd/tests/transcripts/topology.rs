//! tcp-protocol.md §18: topology-aware consumption, which Go NSQ has after 1.3.

use crate::support::{Client, Daemon, identify, is_original};

const PLACE: [&str; 2] = ["--topology-region=r1", "--topology-zone=z1"];
const EXPERIMENT: &str = "--enable-experiment=topology-aware-consumption";

/// A consumer with this IDENTIFY and a ready count of 5 that waits for messages.
fn consumer(daemon: &Daemon, json: &str) -> Client {
    let mut client = daemon.client();
    client.identify(json);
    client.subscribe("t", "c");
    client.ready(5);
    client.expect_nothing();
    client
}

/// Publishes one message at a time; the consumer finishes it and waits again.
fn serve(daemon: &Daemon, client: &mut Client, count: usize) {
    for number in 0..count {
        daemon.publish("t", number.to_string());
        let message = client.expect_message();
        assert_eq!(message.text(), number.to_string());
        client.finish(&message);
        client.expect_nothing();
    }
}

fn local_counts(daemon: &Daemon) -> [Option<u64>; 3] {
    let channel = daemon.channel("t", "c");
    let names = ["zone_local_msg_count", "region_local_msg_count", "global_msg_count"];
    names.map(|name| channel[name].as_u64())
}

#[test]
fn identify_and_info_tell_where_the_daemon_is() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&PLACE);
    let mut client = daemon.client();
    client.send(identify(r#"{"feature_negotiation":true,"topology_region":"r2"}"#));
    let answer = client.next_frame().expect("an answer");
    let end = r#","topology_region":"r1","topology_zone":"z1"}"#;
    assert!(String::from_utf8_lossy(&answer.data).ends_with(end));
    client.subscribe("t", "c");
    assert_eq!(daemon.channel("t", "c")["clients"][0]["topology_region"], "r2");
    let info = daemon.get("/info");
    assert!(info.text().ends_with(r#","topology_zone":"z1","topology_region":"r1"}"#));
}

#[test]
fn the_nearest_consumer_that_waits_gets_the_message() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[PLACE[0], PLACE[1], EXPERIMENT]);
    let far = consumer(&daemon, r#"{"topology_region":"r2","topology_zone":"z2"}"#);
    // Without IDENTIFY a client is nowhere.
    let mut unknown = daemon.consumer("t", "c");
    unknown.ready(5);
    unknown.expect_nothing();
    let mut region = consumer(&daemon, r#"{"topology_region":"r1","topology_zone":"z2"}"#);
    serve(&daemon, &mut region, 20);
    let mut zone = consumer(&daemon, r#"{"topology_region":"r1","topology_zone":"z1"}"#);
    serve(&daemon, &mut zone, 20);
    assert_eq!(local_counts(&daemon), [Some(20), Some(20), None]);
    // What the near ones have no room for goes on to the others.
    zone.ready(0);
    region.ready(0);
    zone.expect_nothing();
    region.expect_nothing();
    drop(far);
    serve(&daemon, &mut unknown, 1);
    assert_eq!(local_counts(&daemon), [Some(20), Some(20), Some(1)]);
}

#[test]
fn the_zone_counts_by_itself_and_the_first_identify_decides() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[PLACE[0], PLACE[1], EXPERIMENT]);
    let _far = consumer(&daemon, r#"{"topology_region":"r2"}"#);
    let mut near = daemon.client();
    near.identify(r#"{"topology_region":"r2","topology_zone":"z1"}"#);
    near.identify(r#"{"topology_region":"r2","topology_zone":"z9"}"#);
    near.subscribe("t", "c");
    near.ready(5);
    near.expect_nothing();
    serve(&daemon, &mut near, 10);
    assert_eq!(local_counts(&daemon), [Some(10), None, None]);
}

#[test]
fn without_the_experiment_everybody_is_equally_near() {
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&PLACE);
    let mut far = consumer(&daemon, r#"{"topology_zone":"z2"}"#);
    let _near = consumer(&daemon, r#"{"topology_region":"r1","topology_zone":"z1"}"#);
    // First come, first served.
    daemon.publish("t", "0");
    assert_eq!(far.expect_message().text(), "0");
    assert_eq!(local_counts(&daemon), [None, None, None]);
}
