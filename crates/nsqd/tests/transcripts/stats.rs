//! http-api.md §9: `/stats?format=json`.

use serde_json::{Value, json};

use crate::support::{Daemon, is_original, publish, publish_many};

const LATENCY: &str = r#""e2e_processing_latency":{"count":0,"percentiles":null}"#;
const NO_TLS: &str = r#""tls":false,"tls_cipher_suite":"","tls_version":"","tls_negotiated_protocol":"","tls_negotiated_protocol_is_mutual":false"#;

/// `/stats` with this query as text.
#[track_caller]
fn stats(daemon: &Daemon, query: &str) -> String {
    let answer = daemon.get(&format!("/stats?{query}"));
    assert_eq!(answer.status, 200, "{query}");
    answer.text().to_owned()
}

#[test]
fn an_empty_node() {
    let daemon = Daemon::start(&[]);
    let text = stats(&daemon, "format=json&include_mem=false");
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let start_time = parsed["start_time"].as_i64().unwrap();
    let expected = format!(
        r#"{{"version":"1.3.0","health":"OK","start_time":{start_time},"topics":[],"producers":null}}"#
    );
    assert_eq!(text, expected);
}

#[test]
fn memory_figures() {
    let daemon = Daemon::start(&[]);
    let keys = [
        "heap_objects",
        "heap_idle_bytes",
        "heap_in_use_bytes",
        "heap_released_bytes",
        "gc_pause_usec_100",
        "gc_pause_usec_99",
        "gc_pause_usec_95",
        "next_gc_bytes",
        "gc_total_runs",
    ];
    let text = stats(&daemon, "format=json");
    let begins = keys.map(|key| text.find(&format!("\"{key}\":")).expect(key));
    assert!(begins.is_sorted(), "{text}");
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert!(keys.iter().all(|key| parsed["memory"][key].is_u64()), "{text}");
    assert_eq!(parsed["memory"].as_object().unwrap().len(), keys.len());
    for (value, is_there) in
        [("false", false), ("0", false), ("true", true), ("1", true), ("x", true), ("", true)]
    {
        let text = stats(&daemon, &format!("format=json&include_mem={value}"));
        assert_eq!(text.contains("\"memory\":{"), is_there, "include_mem={value}");
    }
}

/// The full sample of the description, without percentiles.
#[test]
fn the_whole_document() {
    let daemon = Daemon::start(&["--mem-queue-size=3"]);
    let mut producer = daemon.client();
    producer.identify(r#"{"client_id":"pc","hostname":"phost","user_agent":"ua/1"}"#);
    let mut consumer = daemon.client();
    consumer.identify(r#"{"client_id":"cc","hostname":"chost","user_agent":"ua/2"}"#);
    consumer.subscribe("st", "ch");
    producer.send(publish_many("st", &["0123456789"; 8]));
    producer.expect_ok();
    consumer.ready(2);
    let first = consumer.expect_message();
    consumer.finish(&first);
    let second = consumer.expect_message();
    consumer.requeue(&second, 60_000);
    consumer.expect_bodies(2);
    consumer.expect_nothing();
    let text = stats(&daemon, "format=json&include_mem=false");
    let parsed: Value = serde_json::from_str(&text).unwrap();
    let channel = &parsed["topics"][0]["channels"][0];
    let start_time = parsed["start_time"].as_i64().unwrap();
    let connected = [&channel["clients"][0], &parsed["producers"][0]]
        .map(|c| c["connect_ts"].as_i64().unwrap());
    // What is on disk is the daemon's business.
    let on_disk = channel["backend_depth"].as_i64().unwrap();
    let (consumer, producer) = (consumer.local_address(), producer.local_address());
    let consumer = format!(
        r#"{{"client_id":"cc","hostname":"chost","version":"V2","remote_address":"{consumer}","state":3,"ready_count":2,"in_flight_count":2,"message_count":4,"finish_count":1,"requeue_count":1,"connect_ts":{},"sample_rate":0,"deflate":false,"snappy":false,"user_agent":"ua/2",{NO_TLS}}}"#,
        connected[0]
    );
    let channel = format!(
        r#"{{"channel_name":"ch","depth":4,"backend_depth":{on_disk},"in_flight_count":2,"deferred_count":1,"message_count":8,"requeue_count":1,"timeout_count":0,"client_count":1,"clients":[{consumer}],"paused":false,{LATENCY}}}"#
    );
    let topic = format!(
        r#"{{"topic_name":"st","channels":[{channel}],"depth":0,"backend_depth":0,"message_count":8,"message_bytes":80,"paused":false,{LATENCY}}}"#
    );
    let producer = format!(
        r#"{{"client_id":"pc","hostname":"phost","version":"V2","remote_address":"{producer}","state":0,"ready_count":0,"in_flight_count":0,"message_count":0,"finish_count":0,"requeue_count":0,"connect_ts":{},"sample_rate":0,"deflate":false,"snappy":false,"user_agent":"ua/1","pub_counts":[{{"topic":"st","count":8}}],{NO_TLS}}}"#,
        connected[1]
    );
    let expected = format!(
        r#"{{"version":"1.3.0","health":"OK","start_time":{start_time},"topics":[{topic}],"producers":[{producer}]}}"#
    );
    assert_eq!(text, expected);
    assert!((0..=4).contains(&on_disk), "{on_disk}");
    assert!(connected.iter().all(|&connected| connected >= start_time));
}

/// A node with topics `a` (channels `x`, `y`) and `b` (channel `y`), a consumer and a producer.
fn populated() -> (Daemon, Vec<crate::support::Client>) {
    let daemon = Daemon::start(&[]);
    let mut producer = daemon.client();
    producer.send([publish("b", "1"), publish("a", "1")].concat());
    producer.expect_ok();
    producer.expect_ok();
    for target in ["topic=a&channel=y", "topic=b&channel=y"] {
        daemon.order(&format!("/channel/create?{target}"));
    }
    let consumer = daemon.consumer("a", "x");
    (daemon, vec![producer, consumer])
}

#[test]
fn filters() {
    let (daemon, _clients) = populated();
    // The query, and which topics with which channels it shows.
    let cases = [
        ("", json!([["a", ["x", "y"]], ["b", ["y"]]])),
        ("&topic=&channel=", json!([["a", ["x", "y"]], ["b", ["y"]]])),
        ("&topic=a", json!([["a", ["x", "y"]]])),
        ("&topic=a&topic=b", json!([["a", ["x", "y"]]])),
        ("&channel=x", json!([["a", ["x"]]])),
        ("&channel=y", json!([["a", ["y"]], ["b", ["y"]]])),
        ("&topic=b&channel=y", json!([["b", ["y"]]])),
        ("&topic=b&channel=x", json!([])),
        ("&channel=unknown", json!([])),
        ("&topic=unknown", json!(null)),
        ("&topic=A", json!(null)),
        ("&topic=unknown&channel=y", json!(null)),
    ];
    for (query, expected) in cases {
        let parsed: Value =
            serde_json::from_str(&stats(&daemon, &format!("format=json{query}"))).unwrap();
        let name = |value: &Value| value["topic_name"].clone();
        let channels = |topic: &Value| {
            let channels = topic["channels"].as_array().unwrap().iter();
            channels.map(|channel| channel["channel_name"].clone()).collect::<Vec<_>>()
        };
        let shown = parsed["topics"].as_array().map(|topics| {
            topics.iter().map(|topic| json!([name(topic), channels(topic)])).collect::<Vec<_>>()
        });
        assert_eq!(json!(shown), expected, "{query}");
    }
    assert_eq!(
        daemon.get("/stats?format=json&topic=a;b").line(),
        r#"400 {"message":"INVALID_REQUEST"}"#
    );
}

#[test]
fn clients_are_shown_on_demand() {
    let (daemon, _clients) = populated();
    let ask = |query: &str| -> Value {
        serde_json::from_str(&stats(&daemon, &format!("format=json{query}"))).unwrap()
    };
    for with in ["", "&include_clients=true", "&include_clients=1", "&include_clients=x"] {
        let shown = ask(with);
        let channels = &shown["topics"][0]["channels"];
        assert_eq!(channels[0]["clients"].as_array().map(Vec::len), Some(1), "{with}");
        assert_eq!(channels[1]["clients"], json!([]), "{with}");
        assert_eq!(shown["producers"].as_array().map(Vec::len), Some(1), "{with}");
    }
    for without in ["&include_clients=false", "&include_clients=0"] {
        let shown = ask(without);
        let channels = &shown["topics"][0]["channels"];
        assert_eq!(
            (&channels[0]["clients"], &channels[1]["clients"]),
            (&json!(null), &json!(null))
        );
        assert_eq!(
            (&channels[0]["client_count"], &channels[1]["client_count"]),
            (&json!(1), &json!(0))
        );
        assert_eq!(shown["producers"], json!(null), "{without}");
    }
    assert_eq!(ask("&topic=unknown")["producers"], json!(null));
}

#[test]
fn producers_show_what_they_published() {
    let (daemon, mut clients) = populated();
    let producer = |query: &str| -> Value {
        let text = stats(&daemon, &format!("format=json{query}"));
        serde_json::from_str::<Value>(&text).unwrap()["producers"][0].clone()
    };
    assert_eq!(producer("&topic=a")["pub_counts"], json!([{"topic":"a","count":1}]));
    assert_eq!(producer("&topic=b")["pub_counts"], json!([{"topic":"b","count":1}]));
    let all = producer("")["pub_counts"].clone();
    if is_original() {
        // One at most, even if the client published to several topics.
        assert_eq!(all.as_array().map(Vec::len), Some(1));
    } else {
        assert_eq!(all, json!([{"topic":"a","count":1}, {"topic":"b","count":1}]));
    }
    // A client that never published to the topic is listed, without them.
    daemon.order("/topic/create?topic=c");
    assert!(!producer("&topic=c").as_object().unwrap().contains_key("pub_counts"));
    // All three commands count, MPUB by messages; a consumer that publishes is both.
    let consumer = &mut clients[1];
    consumer.send(publish_many("d", &["1", "2", "3"]));
    consumer.expect_ok();
    consumer.send(crate::support::deferred("d", 60_000, "4"));
    consumer.expect_ok();
    let shown: Value = serde_json::from_str(&stats(&daemon, "format=json&topic=d")).unwrap();
    let producers = shown["producers"].as_array().unwrap();
    let counts: Vec<_> = producers.iter().filter(|p| p["pub_counts"].is_array()).collect();
    assert_eq!((producers.len(), counts.len()), (2, 1));
    assert_eq!(counts[0]["pub_counts"], json!([{"topic":"d","count":4}]));
    assert_eq!(counts[0]["state"], 3);
    let shown = daemon.channel("a", "x");
    assert_eq!(shown["clients"][0]["pub_counts"], json!([{"topic":"d","count":4}]));
}

#[test]
fn a_client_that_goes_is_not_shown() {
    let (daemon, clients) = populated();
    drop(clients);
    crate::support::eventually("both are gone", || {
        let stats = daemon.stats();
        let channel = &stats["topics"][0]["channels"][0];
        stats["producers"].is_null()
            && channel["client_count"] == 0
            && channel["clients"] == json!([])
    });
}
