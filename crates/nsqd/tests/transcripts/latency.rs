//! http-api.md §9: percentiles of the time from publish to FIN.

use serde_json::{Value, json};

use crate::support::{Client, Daemon, eventually};

const FLAGS: &[&str] =
    &["--e2e-processing-latency-percentile=1.0,0.5", "--e2e-processing-latency-window-time=10m"];
const FIELD: &str = "e2e_processing_latency";

/// Consumes one message and waits until its FIN counts.
fn finish_one(daemon: &Daemon, consumer: &mut Client, channel: &str) {
    let finished = |daemon: &Daemon| daemon.channel("t", channel)[FIELD]["count"].as_u64();
    let before = finished(daemon).expect("a count");
    let message = consumer.expect_message();
    consumer.finish(&message);
    eventually("the FIN counts", || finished(daemon) == Some(before + 1));
}

#[test]
fn nothing_unless_asked_for() {
    let daemon = Daemon::start(&[]);
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(1);
    daemon.publish("t", "1");
    let message = consumer.expect_message();
    consumer.finish(&message);
    let nothing = json!({"count":0,"percentiles":null});
    eventually("it is finished", || daemon.channel_number("t", "c", "in_flight_count") == 0);
    assert_eq!(daemon.channel("t", "c")[FIELD], nothing);
    assert_eq!(daemon.topic("t")[FIELD], nothing);
}

#[test]
fn a_topic_has_those_of_its_channels_together() {
    let daemon = Daemon::start(FLAGS);
    daemon.order("/topic/create?topic=t");
    assert_eq!(daemon.topic("t")[FIELD], json!({"count":0,"percentiles":null}));
    let none = json!([{"quantile":1,"value":0},{"quantile":0.5,"value":0}]);
    let mut consumers = ["a", "b"].map(|channel| daemon.consumer("t", channel));
    assert_eq!(daemon.channel("t", "a")[FIELD], json!({"count":0,"percentiles":none}));
    consumers.iter_mut().for_each(|consumer| consumer.ready(1));
    daemon.publish("t", "1");
    daemon.publish("t", "2");
    for (consumer, channel, count) in [(0, "a", 2), (1, "b", 1)] {
        (0..count).for_each(|_| finish_one(&daemon, &mut consumers[consumer], channel));
    }
    let figures = |value: &Value| -> (u64, Vec<f64>) {
        let shown = value[FIELD]["percentiles"].as_array().expect("percentiles");
        assert_eq!((&shown[0]["quantile"], &shown[1]["quantile"]), (&json!(1), &json!(0.5)));
        let values = shown.iter().map(|p| p["value"].as_f64().expect("nanoseconds"));
        (value[FIELD]["count"].as_u64().expect("a count"), values.collect())
    };
    let [a, b] = ["a", "b"].map(|channel| figures(&daemon.channel("t", channel)));
    let topic = figures(&daemon.topic("t"));
    assert_eq!((a.0, b.0, topic.0), (2, 1, 3));
    assert_eq!(topic.1[0], a.1[0].max(b.1[0]));
    for (_, values) in [&a, &b, &topic] {
        assert!(values[0] >= values[1] && values[1] > 0.0, "{values:?}");
        assert!(values[0] < 60e9, "{values:?}");
    }
    // The text shows the same.
    let text = daemon.get("/stats").text().to_owned();
    let line = text.lines().find(|line| line.contains("[b  ")).expect("the channel's line");
    let shown = line.split_once("e2e%: ").expect("percentiles").1;
    assert_eq!(shown.split(", ").count(), 2, "{line}");
    assert!(shown.split(", ").all(|value| value.ends_with('s') && value.contains('.')), "{line}");
}

#[test]
fn deferred_messages_count_from_the_publish() {
    let daemon = Daemon::start(FLAGS);
    let mut consumer = daemon.consumer("t", "c");
    consumer.ready(1);
    assert_eq!(daemon.post("/pub?topic=t&defer=300", "1").line(), "200 OK");
    finish_one(&daemon, &mut consumer, "c");
    let latency = daemon.channel("t", "c")[FIELD]["percentiles"][0]["value"].clone();
    assert!(latency.as_f64().is_some_and(|latency| latency >= 300e6), "{latency}");
}
