//! Bodies sent by nsqd 1.3.0 read into our types and written again must not change by a byte.

use std::borrow::Cow;
use std::time::Duration;

use nsq_api::{
    ChannelStats, ClientStats, ErrorBody, Info, MemoryStats, Stats, TopicStats, to_json,
};
use serde::{Serialize, de::DeserializeOwned};

/// One topic, one consumer that finished one message, requeued one deferred; one producer.
const STATS: &str = include_str!("stats.json");
const INFO: &str = include_str!("info.json");

fn written<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_json(value).expect("bodies encode")).expect("JSON is UTF-8")
}

fn check_round_trip<T: Serialize + DeserializeOwned>(sample: &str) -> T {
    let value: T = serde_json::from_str(sample).expect("the sample is a body of this type");
    assert_eq!(written(&value), sample);
    value
}

#[test]
fn stats_sample_is_reproduced() {
    let stats: Stats = check_round_trip(STATS);
    let topics = stats.topics.expect("the sample has topics");
    assert_eq!(topics[0].topic_name, "st");
    assert_eq!(topics[0].channels[0].client_count, 1);
    assert_eq!(stats.producers.expect("one producer")[0].pub_counts[0].count, 8);
}

#[test]
fn info_sample_is_reproduced() {
    let info: Info = check_round_trip(INFO);
    assert_eq!(info.max_heartbeat_interval, Duration::from_secs(60));
    assert_eq!(info.http_port, 4151);
}

#[test]
fn absent_and_empty_lists_differ() {
    let empty = Stats { topics: Some(Vec::new()), ..Stats::default() };
    assert_eq!(
        written(&empty),
        r#"{"version":"","health":"","start_time":0,"topics":[],"producers":null}"#
    );
    let unknown_topic = Stats { memory: Some(MemoryStats::default()), ..Stats::default() };
    assert_eq!(
        written(&unknown_topic),
        concat!(
            r#"{"version":"","health":"","start_time":0,"topics":null,"#,
            r#""memory":{"heap_objects":0,"heap_idle_bytes":0,"heap_in_use_bytes":0,"#,
            r#""heap_released_bytes":0,"gc_pause_usec_100":0,"gc_pause_usec_99":0,"#,
            r#""gc_pause_usec_95":0,"next_gc_bytes":0,"gc_total_runs":0},"producers":null}"#
        )
    );
    let topic = TopicStats { channels: vec![ChannelStats::default()], ..TopicStats::default() };
    assert_eq!(
        written(&topic),
        concat!(
            r#"{"topic_name":"","channels":[{"channel_name":"","depth":0,"backend_depth":0,"#,
            r#""in_flight_count":0,"deferred_count":0,"message_count":0,"requeue_count":0,"#,
            r#""timeout_count":0,"client_count":0,"clients":null,"paused":false,"#,
            r#""e2e_processing_latency":{"count":0,"percentiles":null}}],"depth":0,"#,
            r#""backend_depth":0,"message_count":0,"message_bytes":0,"paused":false,"#,
            r#""e2e_processing_latency":{"count":0,"percentiles":null}}"#
        )
    );
}

#[test]
fn optional_client_fields_appear_in_their_place() {
    let client = ClientStats {
        authed: true,
        auth_identity: "me".into(),
        auth_identity_url: "http://me".into(),
        ..ClientStats::default()
    };
    assert!(written(&client).contains(concat!(
        r#""user_agent":"","authed":true,"auth_identity":"me","#,
        r#""auth_identity_url":"http://me","tls":false,"#
    )));
}

#[test]
fn other_versions_of_nsqd_are_understood() {
    let info: Info =
        serde_json::from_str(r#"{"version":"1.3.1","max_heartbeat_interval":-1,"later":"a"}"#)
            .expect("unknown and missing keys are fine");
    assert_eq!(info, Info { version: "1.3.1".into(), ..Info::default() });
}

#[test]
fn error_body() {
    let body = ErrorBody { message: Cow::Borrowed("NOT_FOUND") };
    assert_eq!(written(&body), r#"{"message":"NOT_FOUND"}"#);
}
