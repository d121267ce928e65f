//! What clients ask for in IDENTIFY and what they get.

use std::time::Duration;

use nsq_proto::{ClientSettings, Features, IdentifyAnswer, IdentifyLimits, IdentifyRequest};

/// A daemon with every feature.
fn full() -> IdentifyLimits {
    IdentifyLimits {
        tls_available: true,
        snappy_enabled: true,
        deflate_enabled: true,
        ..IdentifyLimits::default()
    }
}

/// The answer to one IDENTIFY: `OK`, the JSON, or the text of the error.
fn identify(settings: &mut ClientSettings, limits: &IdentifyLimits, json: &str) -> String {
    let answer = IdentifyRequest::parse(json.as_bytes())
        .and_then(|request| settings.apply(request, limits))
        .map(|answer| match answer {
            IdentifyAnswer::Ok => b"OK".to_vec(),
            IdentifyAnswer::Negotiated(features) => {
                settings.response_json(&features, limits, "1.3.0")
            }
        })
        .unwrap_or_else(|error| error.text());
    String::from_utf8(answer).unwrap()
}

fn first(json: &str) -> (ClientSettings, String) {
    let limits = full();
    let mut settings = ClientSettings::new("127.0.0.1", &limits);
    let answer = identify(&mut settings, &limits, json);
    (settings, answer)
}

const DEFAULT_ANSWER: &str = concat!(
    r#"{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"#,
    r#""tls_v1":false,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"#,
    r#""sample_rate":0,"auth_required":false,"output_buffer_size":16384,"#,
    r#""output_buffer_timeout":250}"#,
);

/// What go-nsq sends.
const GO_NSQ: &str = concat!(
    r#"{"client_id":"host1","deflate":false,"deflate_level":6,"feature_negotiation":true,"#,
    r#""heartbeat_interval":30000,"hostname":"host1","long_id":"host1","msg_timeout":0,"#,
    r#""output_buffer_size":16384,"output_buffer_timeout":250,"sample_rate":0,"#,
    r#""short_id":"host1","snappy":false,"tls_v1":false,"#,
    r#""user_agent":"nsq_tail/1.3.0 go-nsq/1.1.0"}"#,
);

/// The default answer with some parts replaced.
fn answer_with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(DEFAULT_ANSWER.to_owned(), |answer, (from, to)| {
        assert!(answer.contains(from), "{from}");
        answer.replacen(from, to, 1)
    })
}

#[test]
fn answers_to_the_first() {
    for (json, changes) in [
        (r#"{"feature_negotiation":true}"#, &[][..]),
        (GO_NSQ, &[]),
        (
            r#"{"feature_negotiation":true,"output_buffer_size":-1,"output_buffer_timeout":1000}"#,
            &[("size\":16384", "size\":1"), ("timeout\":250", "timeout\":0")],
        ),
        (
            r#"{"feature_negotiation":true,"output_buffer_timeout":-1,"output_buffer_size":64}"#,
            &[("size\":16384", "size\":64"), ("timeout\":250", "timeout\":0")],
        ),
        (
            r#"{"feature_negotiation":true,"output_buffer_timeout":30000,
            "output_buffer_size":65536}"#,
            &[("size\":16384", "size\":65536"), ("timeout\":250", "timeout\":30000")],
        ),
        (
            r#"{"feature_negotiation":true,"sample_rate":99,"msg_timeout":900000}"#,
            &[("rate\":0", "rate\":99"), ("\"msg_timeout\":60000", "\"msg_timeout\":900000")],
        ),
        (
            r#"{"feature_negotiation":true,"tls_v1":true,"snappy":true,"deflate_level":1}"#,
            &[("tls_v1\":false", "tls_v1\":true"), ("snappy\":false", "snappy\":true")],
        ),
        (
            r#"{"feature_negotiation":true,"deflate":true,"deflate_level":3}"#,
            &[("deflate\":false", "deflate\":true"), ("deflate_level\":6", "deflate_level\":3")],
        ),
        (
            r#"{"feature_negotiation":true,"deflate":true,"deflate_level":1000}"#,
            &[("deflate\":false", "deflate\":true")],
        ),
        (
            r#"{"feature_negotiation":true,"deflate":true,"deflate_level":-3}"#,
            &[("deflate\":false", "deflate\":true")],
        ),
    ] {
        assert_eq!(first(json).1, answer_with(changes), "{json}");
    }
}

#[test]
fn without_negotiation_only_ok_and_no_upgrades() {
    assert_eq!(first("null").1, "OK");
    assert_eq!(first("{}").1, "OK");
    let (settings, answer) = first(r#"{"snappy":true,"deflate":true,"msg_timeout":1000}"#);
    assert_eq!(answer, "OK");
    assert_eq!(settings.msg_timeout, Duration::from_secs(1));
}

#[test]
fn ranges() {
    let bad = |what: &str, value: &str| format!("E_BAD_BODY IDENTIFY {what} ({value}) is invalid");
    for (field, what, good, bad_values) in [
        (
            "heartbeat_interval",
            "heartbeat interval",
            &["-1", "0", "1000", "60000"][..],
            &["-2", "1", "999", "60001", "9223372036854775807"][..],
        ),
        (
            "output_buffer_timeout",
            "output buffer timeout",
            &["-1", "0", "25", "30000"],
            &["-2", "24", "30001"],
        ),
        (
            "output_buffer_size",
            "output buffer size",
            &["-1", "0", "64", "65536"],
            &["-2", "1", "63", "65537", "-9223372036854775808"],
        ),
        ("sample_rate", "sample rate", &["0", "1", "99"], &["-1", "100", "2147483647"]),
        ("msg_timeout", "msg timeout", &["0", "1000", "900000"], &["-1", "999", "900001"]),
        ("deflate_level", "", &["-1", "0", "100"], &[]),
    ] {
        for value in good {
            assert_eq!(first(&format!("{{\"{field}\":{value}}}")).1, "OK", "{field} {value}");
        }
        for value in bad_values {
            assert_eq!(first(&format!("{{\"{field}\":{value}}}")).1, bad(what, value));
        }
    }
}

#[test]
fn the_first_bad_value_in_nsqds_order_is_told() {
    let fields = [
        ("heartbeat_interval", "heartbeat interval (1)"),
        ("output_buffer_timeout", "output buffer timeout (1)"),
        ("output_buffer_size", "output buffer size (1)"),
        ("sample_rate", "sample rate (100)"),
        ("msg_timeout", "msg timeout (1)"),
    ];
    for start in 0..fields.len() {
        let bad: Vec<String> = fields[start..]
            .iter()
            .rev()
            .map(|(field, _)| {
                format!("\"{field}\":{}", if *field == "sample_rate" { 100 } else { 1 })
            })
            .collect();
        let json = format!(
            "{{\"feature_negotiation\":true,\"snappy\":true,\"deflate\":true,{}}}",
            bad.join(",")
        );
        let expected = format!("E_BAD_BODY IDENTIFY {} is invalid", fields[start].1);
        assert_eq!(first(&json).1, expected);
    }
    assert_eq!(
        first(r#"{"feature_negotiation":true,"snappy":true,"deflate":true}"#).1,
        "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression"
    );
    assert_eq!(first("{").1, "E_BAD_BODY IDENTIFY failed to decode JSON body");
}

#[test]
fn features_that_the_daemon_lacks_are_not_given() {
    let limits = IdentifyLimits { max_deflate_level: 2, ..IdentifyLimits::default() };
    let mut settings = ClientSettings::new("127.0.0.1", &limits);
    let request = IdentifyRequest {
        feature_negotiation: true,
        tls_v1: true,
        snappy: true,
        deflate: true,
        deflate_level: 1,
        ..IdentifyRequest::default()
    };
    let nothing = Features { tls: false, snappy: false, deflate: false, deflate_level: 2 };
    assert_eq!(settings.apply(request, &limits), Ok(IdentifyAnswer::Negotiated(nothing)));
}

#[test]
fn names_are_replaced_even_by_nothing() {
    let limits = full();
    let mut settings = ClientSettings::new("127.0.0.1", &limits);
    assert_eq!((&*settings.client_id, &*settings.hostname), ("127.0.0.1", "127.0.0.1"));
    assert!(!settings.is_identified());
    identify(&mut settings, &limits, r#"{"client_id":"c","user_agent":"u"}"#);
    assert_eq!((&*settings.client_id, &*settings.hostname), ("c", ""));
    assert_eq!(settings.user_agent, "u");
    assert!(settings.is_identified());
    identify(&mut settings, &limits, "null");
    assert_eq!((&*settings.client_id, &*settings.user_agent), ("", ""));
}

#[test]
fn long_descriptions_are_cut() {
    let long = "\u{e9}".repeat(1_000_000);
    let (settings, answer) = first(&format!(
        r#"{{"client_id":"x{long}","hostname":"{long}","user_agent":"short",
            "topology_region":"{long}","topology_zone":"{long}"}}"#
    ));
    assert_eq!(answer, "OK");
    assert_eq!(settings.client_id, format!("x{}", "\u{e9}".repeat(511)));
    assert_eq!(settings.user_agent, "short");
    let topology = &settings.topology;
    for text in [&settings.hostname, &topology.region, &topology.zone] {
        assert_eq!(*text, "\u{e9}".repeat(512));
    }
}

#[test]
fn identifying_again_keeps_what_is_absent_and_does_not_change_delivery() {
    let limits = full();
    let mut settings = ClientSettings::new("127.0.0.1", &limits);
    assert_eq!(settings.delivery().heartbeat_interval, Some(Duration::from_secs(30)));
    let json = r#"{"heartbeat_interval":5000,"output_buffer_timeout":100,"sample_rate":10,
        "output_buffer_size":64,"msg_timeout":2000}"#;
    assert_eq!(identify(&mut settings, &limits, json), "OK");
    let delivery = settings.delivery();
    assert_eq!(delivery.heartbeat_interval, Some(Duration::from_millis(5000)));
    assert_eq!(delivery.output_buffer_timeout, Some(Duration::from_millis(100)));
    assert_eq!(delivery.sample_rate, 10);
    assert_eq!(delivery.msg_timeout, Duration::from_millis(2000));

    let json = r#"{"feature_negotiation":true,"heartbeat_interval":-1,"msg_timeout":3000}"#;
    assert_eq!(
        identify(&mut settings, &limits, json),
        answer_with(&[
            ("\"msg_timeout\":60000", "\"msg_timeout\":3000"),
            ("size\":16384", "size\":64"),
            ("timeout\":250", "timeout\":100"),
        ])
    );
    assert_eq!(settings.heartbeat_interval, None);
    assert_eq!(settings.msg_timeout, Duration::from_millis(3000));
    assert_eq!(settings.delivery(), delivery);
}
