//! tcp-protocol.md §6, §7 and §21: a connection that goes on in snappy or deflate.

use serde_json::json;

use crate::support::{
    Certificates, Client, Daemon, Frame, identify, in_deflate, in_snappy, is_original, noise,
    publish, try_start,
};

const ANSWER: &str = r#"{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"tls_v1":false,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":250}"#;
const SNAPPY: &str = r#"{"snappy":true}"#;
const DEFLATE: &str = r#"{"deflate":true}"#;

/// The answer with these features in force.
fn answer(features: &[&str]) -> String {
    features.iter().fold(ANSWER.to_owned(), |answer, feature| {
        answer.replace(&format!("\"{feature}\":false"), &format!("\"{feature}\":true"))
    })
}

/// A client in a layer, with its name.
fn layered(daemon: &Daemon) -> [(&'static str, Client); 2] {
    let mut in_snappy = daemon.client();
    in_snappy.negotiate(SNAPPY);
    in_snappy.start_snappy();
    let mut in_deflate = daemon.client();
    in_deflate.negotiate(DEFLATE);
    in_deflate.start_deflate();
    [("snappy", in_snappy), ("deflate", in_deflate)]
}

#[test]
fn compression_is_granted_to_who_asks() {
    let daemon = Daemon::start(&[]);
    assert_eq!(daemon.client().negotiate(SNAPPY), answer(&["snappy"]));
    assert_eq!(daemon.client().negotiate(DEFLATE), answer(&["deflate"]));
    for refused in [r#"{"snappy":false}"#, r#"{"deflate":null,"snappy":null}"#] {
        assert_eq!(daemon.client().negotiate(refused), ANSWER);
    }
    // Wishes count only with feature negotiation.
    for wish in [SNAPPY, DEFLATE, r#"{"snappy":true,"deflate":true}"#] {
        let mut client = daemon.client();
        client.identify(wish);
        client.subscribe("t", "c");
    }
}

#[test]
fn both_at_once_are_refused() {
    let both = identify(r#"{"feature_negotiation":true,"snappy":true,"deflate":true}"#);
    let daemon = Daemon::start(&[]);
    let error = "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression";
    daemon.refuses(&both, error);
    // With one of them switched off the other remains.
    for (flag, rest) in [("--snappy=false", "deflate"), ("--deflate=false", "snappy")] {
        let daemon = Daemon::start(&[flag]);
        let mut client = daemon.client();
        assert_eq!(client.negotiate(r#"{"snappy":true,"deflate":true}"#), answer(&[rest]));
    }
}

#[test]
fn levels_of_deflate() {
    // The daemon's maximum, the wish, the level in force.
    let cases = [
        (6, r#"{"deflate":true}"#, 6),
        (6, r#"{"deflate":true,"deflate_level":0}"#, 6),
        (6, r#"{"deflate":true,"deflate_level":-1}"#, 6),
        (6, r#"{"deflate":true,"deflate_level":1}"#, 1),
        (6, r#"{"deflate":true,"deflate_level":9}"#, 6),
        (6, r#"{"deflate":true,"deflate_level":1000000}"#, 6),
        (6, r#"{"deflate_level":1}"#, 6),
        (9, r#"{"deflate":true}"#, 6),
        (9, r#"{"deflate":true,"deflate_level":9}"#, 9),
        (9, r#"{"deflate":true,"deflate_level":10}"#, 9),
        (1, r#"{"deflate":true}"#, 1),
        (1, r#"{"deflate":true,"deflate_level":6}"#, 1),
        (1, r#"{"deflate_level":6}"#, 1),
        (1, r#"{"snappy":true,"deflate_level":6}"#, 1),
    ];
    for max in [1, 6, 9] {
        let daemon = Daemon::start(&[&format!("--max-deflate-level={max}")]);
        for (_, wish, level) in cases.iter().filter(|case| case.0 == max) {
            let mut client = daemon.client();
            let answer: serde_json::Value =
                serde_json::from_str(&client.negotiate(wish)).expect("JSON");
            assert_eq!(answer["deflate_level"], json!(level), "{max} {wish}");
            assert_eq!(answer["max_deflate_level"], json!(max), "{max} {wish}");
            if wish.contains("\"deflate\":true") {
                client.start_deflate();
                client.send(publish("t", vec![b'x'; 10_000]));
                client.expect_ok();
            }
        }
    }
}

#[test]
fn a_maximum_that_is_no_level_is_refused_at_the_start() {
    let directory = tempfile::tempdir().expect("there is room for temporary files");
    for level in [0, 10, -1] {
        let flag = format!("--max-deflate-level={level}");
        let refused = try_start(directory.path(), &[&flag]).err();
        let expected = "failed to instantiate nsqd - --max-deflate-level must be [1,9]";
        assert_eq!(refused.as_deref(), Some(expected), "{level}");
    }
}

#[test]
fn vectors_of_snappy() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.negotiate(SNAPPY);
    client.expect_bytes(b"\xff\x06\0\0sNaPpY\x01\x0e\0\0\x26\x98\x2b\xcf\0\0\0\x06\0\0\0\0OK");
    client.send(in_snappy(&publish("t", "a")));
    client.expect_bytes(b"\x01\x0e\0\0\x26\x98\x2b\xcf\0\0\0\x06\0\0\0\0OK");
}

#[test]
fn deflate_has_no_header_and_is_complete_after_each_flush() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.negotiate(DEFLATE);
    // Whatever the encoder makes of the frame, a block ends behind it.
    let mut received = Vec::new();
    let mut inflate = flate2::Decompress::new(false);
    let mut frame = Vec::with_capacity(100);
    while frame.len() < 10 {
        received.push(client.expect_byte());
        let from = usize::try_from(inflate.total_in()).expect("few bytes");
        inflate
            .decompress_vec(&received[from..], &mut frame, flate2::FlushDecompress::None)
            .expect("raw deflate");
    }
    assert_eq!(frame, b"\0\0\0\x06\0\0\0\0OK");
    // The marker of the flush may follow the last byte of the frame.
    while !received.ends_with(b"\0\0\xff\xff") {
        received.push(client.expect_byte());
        assert!(received.len() < 100, "{}", received.escape_ascii());
    }
    if is_original() {
        let golden = b"\x00\x0a\x00\xf5\xff\0\0\0\x06\0\0\0\0OK\0\0\0\xff\xff";
        assert_eq!(received, golden);
    }
}

#[test]
fn bodies_of_every_size_in_any_pieces() {
    let daemon = Daemon::start(&[]);
    for (topic, mut client) in layered(&daemon) {
        for byte in publish(topic, "in pieces") {
            client.send([byte]);
        }
        client.expect_ok();
        let sizes = [1, 2, 100, 65_535, 65_536, 65_537, 200_000, 1_048_576];
        let mut bodies = vec![b"in pieces".to_vec()];
        for size in sizes {
            bodies.push(vec![b'x'; size]);
            bodies.push(noise(1, size));
        }
        for body in &bodies[1..] {
            client.send(publish(topic, body));
            client.expect_ok();
        }
        client.subscribe(topic, "c");
        client.ready(bodies.len());
        let count = bodies.len();
        let mut received: Vec<_> = (0..count).map(|_| client.expect_message().body).collect();
        received.sort_unstable();
        bodies.sort_unstable();
        assert!(received == bodies, "{topic}: other bodies came out");
        client.send("FOO\n");
        client.expect_last_error("E_INVALID invalid command FOO");
    }
}

#[test]
fn messages_and_heartbeats_do_not_wait_in_a_compressor() {
    let daemon = Daemon::start(&[]);
    for (name, wish) in [("snappy", SNAPPY), ("deflate", DEFLATE)] {
        let mut client = daemon.client();
        client.negotiate(&wish.replace('}', r#","heartbeat_interval":1000}"#));
        if name == "snappy" {
            client.start_snappy()
        } else {
            client.start_deflate()
        }
        client.subscribe(name, "c");
        client.ready(1);
        daemon.publish(name, "a");
        let mut frames: Vec<_> = (0..2).map(|_| client.next_frame().expect("open")).collect();
        // The message comes first unless this machine is very busy.
        frames.sort_by_key(|frame| frame.kind);
        assert_eq!((&frames[0], frames[1].kind), (&Frame::response("_heartbeat_"), 2), "{name}");
    }
}

#[test]
fn compression_above_tls() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    for feature in ["snappy", "deflate"] {
        let mut client = daemon.client();
        let wish = format!(r#"{{"tls_v1":true,"{feature}":true}}"#);
        assert_eq!(client.negotiate(&wish), answer(&["tls_v1", feature]));
        // One OK for each layer, in this order.
        client.start_tls(certificates.anonymous());
        if feature == "snappy" {
            client.start_snappy()
        } else {
            client.start_deflate()
        }
        client.send(publish(feature, vec![b'x'; 1_048_576]));
        client.expect_ok();
        client.subscribe(feature, "c");
        client.ready(1);
        assert_eq!(client.expect_message().body.len(), 1_048_576);
        let seen = daemon.channel(feature, "c")["clients"][0].clone();
        for key in ["tls", "snappy", "deflate"] {
            assert_eq!(seen[key], json!(key == "tls" || key == feature), "{feature} {key}");
        }
    }
}

#[test]
fn statistics_tell_the_compression() {
    let daemon = Daemon::start(&[]);
    for (name, mut client) in layered(&daemon) {
        client.subscribe(name, "c");
        let seen = daemon.channel(name, "c")["clients"][0].clone();
        for key in ["tls", "snappy", "deflate"] {
            assert_eq!(seen[key], json!(key == name), "{name} {key}");
        }
    }
}

#[test]
fn a_second_identify_stays_in_the_layer() {
    // The original writes on the raw socket when the buffer's size is changed.
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    for (name, mut client) in layered(&daemon) {
        let seen = client.negotiate(r#"{"output_buffer_size":64}"#);
        assert_eq!(seen, ANSWER.replace("16384", "64"));
        client.send(publish(name, "a"));
        client.expect_ok();
    }
}

#[test]
fn commands_may_come_together_with_identify() {
    // The original throws away what it has read behind IDENTIFY.
    if is_original() {
        return;
    }
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let wish = identify(r#"{"feature_negotiation":true,"snappy":true}"#);
    client.send([wish, in_snappy(&publish("t", "a"))].concat());
    client.expect(&Frame::response(answer(&["snappy"])));
    client.start_snappy();
    client.expect_ok();

    let mut client = daemon.client();
    let wish = identify(r#"{"feature_negotiation":true,"deflate":true}"#);
    client.send([wish, in_deflate(&publish("t", "b"))].concat());
    client.expect(&Frame::response(answer(&["deflate"])));
    client.start_deflate();
    client.expect_ok();
    assert_eq!(daemon.topic("t")["message_count"], 2);
}
