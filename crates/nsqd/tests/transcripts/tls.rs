//! tcp-protocol.md §6 and §7: a connection that goes on in TLS.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Certificates, Client, Daemon, Frame, Handshake, PATIENCE, identify, is_original, publish,
    publish_many,
};

const ANSWER: &str = r#"{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"tls_v1":true,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":250}"#;
const WISH: &str = r#"{"tls_v1":true}"#;
const WISH_IN_FULL: &str = r#"{"feature_negotiation":true,"tls_v1":true}"#;

/// A client that goes on in TLS.
#[track_caller]
fn secure_client(daemon: &Daemon, certificates: &Certificates) -> Client {
    let mut client = daemon.client();
    client.negotiate(WISH);
    client.start_tls(certificates.anonymous());
    client
}

#[test]
fn tls_is_granted_to_who_asks() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    for config in [certificates.anonymous(), certificates.of_tls_1_2(None)] {
        let mut client = daemon.client();
        assert_eq!(client.negotiate(WISH), ANSWER);
        client.start_tls(config);
        client.send(publish("t", "in TLS"));
        client.expect_ok();
        client.subscribe("t", "c");
        client.ready(1);
        let message = client.expect_message();
        assert_eq!(message.text(), "in TLS");
        client.finish(&message);
        client.send("CLS\n");
        client.expect(&Frame::response("CLOSE_WAIT"));
    }
}

#[test]
fn who_does_not_ask_goes_on_in_plain() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let plain = ANSWER.replace("\"tls_v1\":true", "\"tls_v1\":false");
    for wish in ["{}", r#"{"tls_v1":false}"#, r#"{"tls_v1":null}"#] {
        let mut client = daemon.client();
        assert_eq!(client.negotiate(wish), plain);
        client.subscribe("t", "c");
    }
    // Wishes count only with feature negotiation.
    let mut client = daemon.client();
    client.identify(WISH);
    client.subscribe("t", "c");
}

#[test]
fn an_identify_without_tls_may_be_followed_by_one_with_it() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let mut client = daemon.client();
    client.negotiate("{}");
    assert_eq!(client.negotiate(WISH), ANSWER);
    client.start_tls(certificates.anonymous());
    client.subscribe("t", "c");
}

#[test]
fn bodies_of_every_size_in_any_pieces() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let mut client = secure_client(&daemon, &certificates);
    // Each byte is a record of its own.
    for byte in publish("t", "in pieces") {
        client.send([byte]);
    }
    client.expect_ok();
    // Around a record's 16 KiB, and the largest.
    let sizes = [1, 16_383, 16_384, 16_385, 100_000, 1_048_576];
    for size in sizes {
        client.send(publish("t", vec![b'x'; size]));
        client.expect_ok();
    }
    client.send(publish_many("t", &["a", "b", "c"]));
    client.expect_ok();
    client.subscribe("t", "c");
    client.ready(10);
    let mut received: Vec<_> = (0..10).map(|_| client.expect_message().body.len()).collect();
    received.sort_unstable();
    let mut expected = sizes.to_vec();
    expected.extend([9, 1, 1, 1]);
    expected.sort_unstable();
    assert_eq!(received, expected);
}

#[test]
fn commands_in_one_record_are_answered_in_order() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let mut client = secure_client(&daemon, &certificates);
    client.send([&publish("t", "a")[..], b"SUB t c\nRDY 0\nFIN 0000000000000000\n"].concat());
    client.expect_ok();
    client.expect_ok();
    client.expect_error("E_FIN_FAILED FIN 0000000000000000 failed ID not in flight");
    client.send("FOO\n");
    client.expect_last_error("E_INVALID invalid command FOO");
}

#[test]
fn a_second_identify_stays_in_tls() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let mut client = secure_client(&daemon, &certificates);
    let plain = ANSWER.replace("\"tls_v1\":true", "\"tls_v1\":false");
    assert_eq!(client.negotiate("{}"), plain);
    // The original answers this one in plain text, on the raw socket.
    if !is_original() {
        let answer = client.negotiate(r#"{"output_buffer_size":64}"#);
        assert_eq!(answer, plain.replace("16384", "64"));
    }
    client.send(publish("t", "a"));
    client.expect_ok();
}

#[test]
fn the_handshake_may_come_together_with_identify() {
    // The original throws away what it has read behind IDENTIFY.
    if is_original() {
        return;
    }
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let mut client = daemon.client();
    let handshake = client.send_with_hello(identify(WISH_IN_FULL), certificates.anonymous());
    client.expect(&Frame::response(ANSWER));
    client.finish_tls(handshake);
    client.expect_ok();
    client.subscribe("t", "c");
}

#[test]
fn what_is_no_handshake_is_told_so_in_plain() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    for input in [&b"PUB t\n\0\0\0\x01a"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 100]] {
        let mut client = daemon.client();
        client.negotiate(WISH);
        client.send(input);
        let reason = "tls: first record does not look like a TLS handshake";
        client.expect_last_error(format!("E_IDENTIFY_FAILED IDENTIFY failed {reason}"));
    }
    assert!(daemon.topic("t").is_null());
}

#[test]
fn a_handshake_has_five_seconds() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let hello = Handshake::new(certificates.anonymous()).hello();
    thread::scope(|scope| {
        // Nothing, and a part of the first message.
        for input in [&[][..], &hello[..hello.len() / 2]] {
            let daemon = &daemon;
            scope.spawn(move || {
                let mut client = daemon.client();
                client.negotiate(WISH);
                let began = Instant::now();
                client.send(input);
                let frame = client.next_frame().expect("an error frame");
                let elapsed = began.elapsed();
                assert!(elapsed > Duration::from_secs(4) && elapsed < PATIENCE, "{elapsed:?}");
                let local = client.local_address();
                let reason = format!("read tcp {}->{local}: i/o timeout", daemon.tcp());
                let text = format!("E_IDENTIFY_FAILED IDENTIFY failed {reason}");
                assert_eq!(frame, Frame::error(text));
                client.expect_closed();
            });
        }
    });
}

#[test]
fn clients_that_stop_in_the_middle_hold_up_nobody() {
    let certificates = Certificates::new();
    let mut daemon = Daemon::start_with(&certificates.server_flags());
    let mut idle = Vec::new();
    let hello = Handshake::new(certificates.anonymous()).hello();
    // Before the end of IDENTIFY.
    for length in [0, 1, 9, 12, 14] {
        let mut client = daemon.client();
        client.send(&identify(WISH_IN_FULL)[..length]);
        idle.push(client);
    }
    // After the answer, which one of them does not even read.
    let mut client = daemon.client();
    client.send(identify(WISH_IN_FULL));
    idle.push(client);
    for length in [0, 1, 4, 5, 6, hello.len() - 1, hello.len()] {
        let mut client = daemon.client();
        client.negotiate(WISH);
        client.send(&hello[..length]);
        idle.push(client);
    }
    // After the handshake.
    let mut client = daemon.client();
    client.negotiate(WISH);
    client.try_tls(certificates.anonymous()).expect("the handshake succeeds");
    idle.push(client);
    let mut client = secure_client(&daemon, &certificates);
    client.send("PUB t\n\0\0\0\x05ab");
    idle.push(client);

    let mut honest = secure_client(&daemon, &certificates);
    honest.send(publish("t", "a"));
    honest.expect_ok();
    honest.subscribe("t", "c");
    honest.ready(1);
    assert_eq!(honest.expect_message().text(), "a");
    let began = Instant::now();
    daemon.stop();
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(4), "it took {elapsed:?} to stop");
    drop(idle);
}

#[test]
fn a_consumer_that_does_not_read_holds_up_nobody() {
    let certificates = Certificates::new();
    let mut daemon = Daemon::start_with(&certificates.server_flags());
    let mut deaf = secure_client(&daemon, &certificates);
    deaf.subscribe("t", "c");
    deaf.ready(100);
    // More than sockets hold.
    let body = vec![b'x'; 1_048_576];
    for _ in 0..32 {
        daemon.publish("t", &body);
    }
    let mut honest = secure_client(&daemon, &certificates);
    honest.send(publish("other", "a"));
    honest.expect_ok();
    let began = Instant::now();
    daemon.stop();
    let elapsed = began.elapsed();
    assert!(elapsed < Duration::from_secs(4), "it took {elapsed:?} to stop");
    drop(deaf);
}

/// What `/stats` says of the only client.
fn seen(daemon: &Daemon) -> Value {
    let seen = daemon.channel("t", "c")["clients"][0].clone();
    let fields = seen.as_object().expect("a client").iter();
    fields.filter(|(key, _)| key.starts_with("tls")).map(|(k, v)| (k.clone(), v.clone())).collect()
}

#[test]
fn statistics_tell_the_kind_of_tls() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let cases = [
        (0x1301, "TLS1.3", "Unknown 4865"),
        (0x1302, "TLS1.3", "Unknown 4866"),
        (0x1303, "TLS1.3", "Unknown 4867"),
        (0xc02b, "TLS1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (0xc02c, "TLS1.2", "Unknown 49196"),
        (0xcca9, "TLS1.2", "Unknown 52393"),
    ];
    for (suite, version, name) in cases {
        // The original does not let its clients choose among the suites of TLS 1.3.
        if is_original() && matches!(suite, 0x1302 | 0x1303) {
            continue;
        }
        let mut client = daemon.client();
        client.negotiate(WISH);
        client.start_tls(certificates.of_suite(suite));
        client.subscribe("t", "c");
        let expected = json!({
            "tls": true,
            "tls_cipher_suite": name,
            "tls_version": version,
            "tls_negotiated_protocol": "",
            "tls_negotiated_protocol_is_mutual": true,
        });
        assert_eq!(seen(&daemon), expected);
        daemon.order("/channel/delete?topic=t&channel=c");
        client.expect_closed();
    }
}
