//! disk-format.md §2, §3: the data directory's lock and `nsqd.dat`.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Daemon, eventually, is_original, try_start};

fn read(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("nsqd.dat")).unwrap_or_default()
}

/// Waits until `nsqd.dat` is this; the original's order is random.
#[track_caller]
fn expect_metadata(daemon: &Daemon, expected: &str) {
    let sorted = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap_or_default();
        let by_name = |list: &mut Value| {
            if let Some(list) = list.as_array_mut() {
                list.sort_by_key(|entry| entry["name"].to_string());
            }
        };
        by_name(&mut value["topics"]);
        value["topics"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .for_each(|t| by_name(&mut t["channels"]));
        value
    };
    eventually(&format!("nsqd.dat is {expected}"), || {
        let text = read(daemon.data_path());
        if is_original() { sorted(&text) == sorted(expected) } else { text == expected }
    });
}

#[test]
fn a_new_node_writes_an_empty_one() {
    let daemon = Daemon::start(&[]);
    expect_metadata(&daemon, r#"{"topics":null,"version":"1.3.0"}"#);
}

#[test]
fn it_follows_what_operators_and_clients_do() {
    let mut daemon = Daemon::start(&[]);
    daemon.publish("alpha", "a");
    let alpha = r#"{"topics":[{"name":"alpha","paused":false,"channels":null}],"version":"1.3.0"}"#;
    expect_metadata(&daemon, alpha);
    drop(daemon.consumer("alpha", "c1"));
    let with_channel = r#"{"topics":[{"name":"alpha","paused":false,"channels":[{"name":"c1","paused":false}]}],"version":"1.3.0"}"#;
    expect_metadata(&daemon, with_channel);
    daemon.order("/topic/create?topic=beta");
    daemon.order("/channel/create?topic=beta&channel=z");
    daemon.order("/channel/create?topic=beta&channel=y");
    daemon.order("/topic/pause?topic=alpha");
    daemon.order("/channel/pause?topic=beta&channel=z");
    // Pausing is written before the answer.
    let all = r#"{"topics":[{"name":"alpha","paused":true,"channels":[{"name":"c1","paused":false}]},{"name":"beta","paused":false,"channels":[{"name":"y","paused":false},{"name":"z","paused":true}]}],"version":"1.3.0"}"#;
    assert!(read(daemon.data_path()).contains(r#"{"name":"z","paused":true}"#));
    expect_metadata(&daemon, all);
    // Ephemeral ones are left out, and so are all channels of an ephemeral topic.
    let _ephemeral = daemon.consumer("alpha", "gone#ephemeral");
    let _topic = daemon.consumer("gone#ephemeral", "normal");
    daemon.stop();
    expect_metadata(&daemon, all);
    daemon.restart();
    expect_metadata(&daemon, all);
    daemon.order("/channel/delete?topic=beta&channel=z");
    daemon.order("/channel/delete?topic=beta&channel=y");
    daemon.order("/topic/delete?topic=alpha");
    daemon.order("/topic/pause?topic=beta");
    let beta = r#"{"topics":[{"name":"beta","paused":true,"channels":null}],"version":"1.3.0"}"#;
    expect_metadata(&daemon, beta);
    daemon.order("/topic/unpause?topic=beta");
    expect_metadata(&daemon, &beta.replace("true", "false"));
    daemon.order("/topic/delete?topic=beta");
    daemon.stop();
    expect_metadata(&daemon, r#"{"topics":null,"version":"1.3.0"}"#);
}

#[test]
fn pausing_survives_a_restart() {
    let mut daemon = Daemon::start(&[]);
    for channel in ["c", "d"] {
        daemon.order("/topic/create?topic=t");
        daemon.order(&format!("/channel/create?topic=t&channel={channel}"));
    }
    daemon.order("/topic/create?topic=held");
    daemon.order("/channel/create?topic=held&channel=c");
    daemon.order("/topic/pause?topic=held");
    daemon.order("/channel/pause?topic=t&channel=c");
    daemon.publish("t", "a");
    daemon.publish("held", "b");
    daemon.restart();
    let paused = |topic: &str| daemon.topic(topic)["paused"].clone();
    assert_eq!((paused("t"), paused("held")), (json!(false), json!(true)));
    let mut stopped = daemon.consumer("t", "c");
    let mut flowing = daemon.consumer("t", "d");
    let mut held = daemon.consumer("held", "c");
    for client in [&mut stopped, &mut flowing, &mut held] {
        client.ready(1);
    }
    assert_eq!(flowing.expect_bodies(1), ["a"]);
    stopped.expect_nothing();
    held.expect_nothing();
    assert_eq!(daemon.topic("held")["depth"], 1);
    daemon.order("/channel/unpause?topic=t&channel=c");
    daemon.order("/topic/unpause?topic=held");
    assert_eq!(stopped.expect_bodies(1), ["a"]);
    assert_eq!(held.expect_bodies(1), ["b"]);
}

/// The names of topics with their channels that a node has after it was started on this
/// `nsqd.dat`.
fn loaded(content: &[u8]) -> Result<Value, String> {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("nsqd.dat"), content).unwrap();
    let daemon = try_start(directory.path(), &[])?;
    let stats = daemon.stats();
    let topics = stats["topics"].as_array().unwrap().iter();
    let names = topics.map(|topic| {
        let channels = topic["channels"].as_array().unwrap().iter();
        let channels: Vec<_> = channels.map(|c| json!([c["channel_name"], c["paused"]])).collect();
        json!([topic["topic_name"], topic["paused"], channels])
    });
    Ok(names.collect())
}

#[test]
fn what_is_accepted() {
    let cases: [(&str, Value); 12] = [
        ("{}", json!([])),
        ("null", json!([])),
        (r#"{"topics":null}"#, json!([])),
        (r#"{"topics":[],"version":"0.1"} "#, json!([])),
        ("{\"topics\":null}\n\n", json!([])),
        (r#"{"topics":[{"name":"a"}]}"#, json!([["a", false, []]])),
        (r#"{"TOPICS":[{"Name":"a","PAUSED":true}]}"#, json!([["a", true, []]])),
        (r#"{"x":1,"topics":[{"name":"a","y":[]}]}"#, json!([["a", false, []]])),
        (
            r#"{"topics":[{"name":"a","paused":false,"channels":[{"name":"c","paused":true},{"name":"d"}]}]}"#,
            json!([["a", false, [["c", true], ["d", false]]]]),
        ),
        (
            r#"{"topics":[{"name":"a!","channels":[{"name":"c"}]},{"name":"b","channels":[{"name":"c!"},{"name":"d"}]}]}"#,
            json!([["b", false, [["d", false]]]]),
        ),
        (
            r#"{"topics":[{"name":"a","channels":[{"name":"c"}]},{"name":"a","channels":[{"name":"d"}]}]}"#,
            json!([["a", false, [["c", false], ["d", false]]]]),
        ),
        (
            r#"{"topics":[{"name":"a#ephemeral","channels":[{"name":"c"}]}]}"#,
            json!([["a#ephemeral", false, [["c", false]]]]),
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(loaded(content.as_bytes()), Ok(expected), "{content}");
    }
}

#[test]
fn what_keeps_the_daemon_from_starting() {
    let bad = [
        "",
        "{",
        "not json",
        "[]",
        "1",
        r#"{"topics":{}}"#,
        r#"{"topics":[{"name":1}]}"#,
        r#"{"topics":[{"name":"a","paused":"yes"}]}"#,
        r#"{"version":1}"#,
        r#"{"topics":null} x"#,
    ];
    for content in bad {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("nsqd.dat");
        std::fs::write(&path, content).unwrap();
        let error = try_start(directory.path(), &[]).err().expect("it refuses to start");
        let path = path.display();
        let expected = format!("failed to load metadata - failed to parse metadata in {path} - ");
        assert!(error.contains(&expected), "{content:?}: {error}");
        // What the operator must look at is still there.
        assert_eq!(std::fs::read_to_string(directory.path().join("nsqd.dat")).unwrap(), content);
    }
}

#[test]
fn one_daemon_per_directory() {
    let mut daemon = Daemon::start(&[]);
    let path = daemon.data_path().to_owned();
    let error = try_start(&path, &[]).err().expect("it refuses to start");
    let expected = format!(
        "failed to lock data-path: cannot flock directory {} - resource temporarily unavailable \
         (possibly in use by another instance of nsqd)",
        path.display()
    );
    assert!(error.contains(&expected), "{error}");
    // The first one does not notice, and its end frees the directory.
    daemon.publish("t", "a");
    daemon.stop();
    let second = try_start(&path, &[]).expect("the directory is free");
    assert_eq!(second.topic("t")["depth"], 1);
}

#[test]
fn the_directory_must_exist() {
    let directory = TempDir::new().unwrap();
    let missing = directory.path().join("missing");
    let error = try_start(&missing, &[]).err().expect("it refuses to start");
    let expected =
        format!("failed to lock data-path: open {}: no such file or directory", missing.display());
    assert!(error.contains(&expected), "{error}");
    assert!(!missing.exists());
}
