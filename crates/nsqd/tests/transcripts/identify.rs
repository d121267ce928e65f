//! tcp-protocol.md §6 and §8: IDENTIFY and AUTH without an auth server.

use serde_json::{Value, json};

use crate::support::{Daemon, Frame, identify};

const DEFAULT_ANSWER: &str = r#"{"max_rdy_count":2500,"version":"1.3.0","max_msg_timeout":900000,"msg_timeout":60000,"tls_v1":false,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":250}"#;

#[test]
fn the_answer_is_exactly_this() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    assert_eq!(client.negotiate("{}"), DEFAULT_ANSWER);
}

#[test]
fn the_answer_shows_the_limits_of_the_daemon() {
    let daemon = Daemon::start(&[
        "--max-rdy-count=7",
        "--max-msg-timeout=90s",
        "--msg-timeout=30s",
        "--output-buffer-timeout=100ms",
    ]);
    let expected = r#"{"max_rdy_count":7,"version":"1.3.0","max_msg_timeout":90000,"msg_timeout":30000,"tls_v1":false,"deflate":false,"deflate_level":6,"max_deflate_level":6,"snappy":false,"sample_rate":0,"auth_required":false,"output_buffer_size":16384,"output_buffer_timeout":100}"#;
    assert_eq!(daemon.client().negotiate("{}"), expected);
}

/// Fields of the answer, `null` for those that do not matter.
#[track_caller]
fn check_answer(daemon: &Daemon, request: &str, expected: &Value) {
    let answer = daemon.client().negotiate(request);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&answer[key], value, "{key} for {request}");
    }
}

#[test]
fn accepted_values_are_in_force() {
    let daemon = Daemon::start(&[]);
    let size = "output_buffer_size";
    let timeout = "output_buffer_timeout";
    let cases = [
        (r#"{"heartbeat_interval":-1}"#, json!({})),
        (r#"{"heartbeat_interval":0}"#, json!({})),
        (r#"{"heartbeat_interval":1000}"#, json!({})),
        (r#"{"heartbeat_interval":60000}"#, json!({})),
        (r#"{"output_buffer_timeout":-1}"#, json!({ timeout: 0 })),
        (r#"{"output_buffer_timeout":0}"#, json!({ timeout: 250 })),
        (r#"{"output_buffer_timeout":25}"#, json!({ timeout: 25 })),
        (r#"{"output_buffer_timeout":30000}"#, json!({ timeout: 30000 })),
        (r#"{"output_buffer_size":-1}"#, json!({ size: 1, timeout: 0 })),
        (
            r#"{"output_buffer_size":-1,"output_buffer_timeout":100}"#,
            json!({ size: 1, timeout: 0 }),
        ),
        (r#"{"output_buffer_size":0}"#, json!({ size: 16384 })),
        (r#"{"output_buffer_size":64}"#, json!({ size: 64 })),
        (r#"{"output_buffer_size":65536}"#, json!({ size: 65536 })),
        (r#"{"sample_rate":0}"#, json!({ "sample_rate": 0 })),
        (r#"{"sample_rate":99}"#, json!({ "sample_rate": 99 })),
        (r#"{"msg_timeout":0}"#, json!({ "msg_timeout": 60000 })),
        (r#"{"msg_timeout":1000}"#, json!({ "msg_timeout": 1000 })),
        (r#"{"msg_timeout":900000}"#, json!({ "msg_timeout": 900_000 })),
        // Wishes that are not granted are answered false.
        (r#"{"tls_v1":true}"#, json!({ "tls_v1": false })),
        (r#"{"deflate_level":9}"#, json!({ "deflate": false, "deflate_level": 6 })),
        (r#"{"deflate_level":-3}"#, json!({ "deflate": false, "deflate_level": 6 })),
        // What old clients send.
        (r#"{"short_id":"a","long_id":"b"}"#, json!({ "msg_timeout": 60000 })),
    ];
    for (request, expected) in cases {
        check_answer(&daemon, request, &expected);
    }
}

#[test]
fn compression_that_is_switched_off_is_not_granted() {
    let daemon = Daemon::start(&["--snappy=false", "--deflate=false"]);
    for request in
        [r#"{"snappy":true}"#, r#"{"deflate":true}"#, r#"{"snappy":true,"deflate":true}"#]
    {
        let mut client = daemon.client();
        assert_eq!(client.negotiate(request), DEFAULT_ANSWER);
        // The connection goes on as it is, without another OK.
        client.subscribe("t", "c");
    }
}

#[test]
fn sizes_and_bodies() {
    let daemon = Daemon::start(&[]);
    let sizes: [(i32, &str); 5] = [
        (5_242_881, "IDENTIFY body too big 5242881 > 5242880"),
        (i32::MAX, "IDENTIFY body too big 2147483647 > 5242880"),
        (0, "IDENTIFY invalid body size 0"),
        (-1, "IDENTIFY invalid body size -1"),
        (i32::MIN, "IDENTIFY invalid body size -2147483648"),
    ];
    for (size, error) in sizes {
        let input = [b"IDENTIFY\n", &size.to_be_bytes()[..]].concat();
        daemon.refuses(input, format!("E_BAD_BODY {error}"));
    }
    let ends: [(&[u8], &str); 5] = [
        (b"IDENTIFY\n", "IDENTIFY failed to read body size"),
        (b"IDENTIFY\n\0\0\0", "IDENTIFY failed to read body size"),
        (b"IDENTIFY\n\0\0\0\x02", "IDENTIFY failed to read body"),
        (b"IDENTIFY\n\0\0\0\x02{", "IDENTIFY failed to read body"),
        (b"IDENTIFY\n\0\x50\0\0{}", "IDENTIFY failed to read body"),
    ];
    for (input, error) in ends {
        daemon.refuses_at_end(input, format!("E_BAD_BODY {error}"));
    }
}

#[test]
fn values_out_of_range() {
    let daemon = Daemon::start(&[]);
    let ranges: [(&str, &str, &[i64]); 5] = [
        ("heartbeat_interval", "heartbeat interval", &[-2, 1, 999, 60001]),
        ("output_buffer_timeout", "output buffer timeout", &[-2, 1, 24, 30001]),
        ("output_buffer_size", "output buffer size", &[-2, 1, 63, 65537]),
        ("sample_rate", "sample rate", &[-1, 100]),
        ("msg_timeout", "msg timeout", &[-1, 1, 999, 900_001]),
    ];
    for (field, name, values) in ranges {
        for value in values {
            let error = format!("E_BAD_BODY IDENTIFY {name} ({value}) is invalid");
            daemon.refuses(identify(format!(r#"{{"{field}":{value}}}"#)), error);
        }
    }
    // The first check that fails decides, whatever the order in the body.
    let all = r#"{"msg_timeout":1,"sample_rate":100,"output_buffer_size":1,"output_buffer_timeout":1,"heartbeat_interval":1}"#;
    daemon.refuses(identify(all), "E_BAD_BODY IDENTIFY heartbeat interval (1) is invalid");
}

#[test]
fn json_that_is_refused() {
    let daemon = Daemon::start(&[]);
    let bodies: [&[u8]; 18] = [
        b"not json",
        b"{",
        b"[]",
        b"1",
        b"\"a\"",
        b"true",
        b"{} {}",
        b"{},",
        br#"{"client_id":1}"#,
        br#"{"hostname":{}}"#,
        br#"{"feature_negotiation":1}"#,
        br#"{"feature_negotiation":"true"}"#,
        br#"{"heartbeat_interval":"1000"}"#,
        br#"{"heartbeat_interval":1000.0}"#,
        br#"{"heartbeat_interval":1e3}"#,
        br#"{"heartbeat_interval":1000.5}"#,
        br#"{"heartbeat_interval":9223372036854775808}"#,
        br#"{"sample_rate":4294967296}"#,
    ];
    for body in bodies {
        let error = "E_BAD_BODY IDENTIFY failed to decode JSON body";
        daemon.refuses(identify(body), error);
    }
}

#[test]
fn json_that_is_accepted() {
    let daemon = Daemon::start(&[]);
    let bodies: [&[u8]; 10] = [
        b"{}",
        b"null",
        b" \r\n\t{ } \n",
        br#"{"client_id":null,"heartbeat_interval":null,"feature_negotiation":null}"#,
        br#"{"unknown":[1,{"a":"b"}],"topology_zone":"x"}"#,
        br#"{"CLIENT_ID":"a","Heartbeat_Interval":1000}"#,
        br#"{"heartbeat_interval":1,"heartbeat_interval":1000}"#,
        b"{\"client_id\":\"\xff\xfe\"}",
        br#"{"feature_negotiation":false,"msg_timeout":1000}"#,
        br#"{"tls_v1":true,"snappy":true,"deflate":true}"#,
    ];
    for body in bodies {
        let mut client = daemon.client();
        client.send(identify(body));
        client.expect_ok();
        client.subscribe("t", "c");
    }
}

#[test]
fn names_are_those_of_the_last_identify() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    client.subscribe("t", "c");
    let names = |topic: &str| {
        let seen = daemon.channel(topic, "c")["clients"][0].clone();
        ["client_id", "hostname", "user_agent"].map(|field| seen[field].clone())
    };
    assert_eq!(names("t"), ["127.0.0.1", "127.0.0.1", ""]);
    let mut client = daemon.client();
    client.identify(r#"{"client_id":"a","hostname":"b","user_agent":"c/1"}"#);
    client.subscribe("t2", "c");
    assert_eq!(names("t2"), ["a", "b", "c/1"]);
    // Absent names replace, too.
    let mut client = daemon.client();
    client.identify(r#"{"client_id":"a","hostname":"b","user_agent":"c/1"}"#);
    client.identify("{}");
    client.subscribe("t3", "c");
    assert_eq!(names("t3"), ["", "", ""]);
    // Keys are found in any case, and bytes that are no text are replaced.
    let mut client = daemon.client();
    client.send(identify(b"{\"Client_ID\":\"\xff\",\"HOSTNAME\":\"h\"}"));
    client.expect_ok();
    client.subscribe("t4", "c");
    assert_eq!(names("t4"), ["\u{fffd}", "h", ""]);
}

#[test]
fn identify_again_keeps_what_is_not_mentioned() {
    let daemon = Daemon::start(&[]);
    let mut client = daemon.client();
    let first = r#"{"msg_timeout":5000,"output_buffer_size":64,"sample_rate":5}"#;
    let expected = DEFAULT_ANSWER
        .replace("\"msg_timeout\":60000", "\"msg_timeout\":5000")
        .replace("\"output_buffer_size\":16384", "\"output_buffer_size\":64")
        .replace("\"sample_rate\":0", "\"sample_rate\":5");
    assert_eq!(client.negotiate(first), expected);
    // 0 means "as it was" for all but the sample rate, for which it is a value.
    let expected = expected.replace("\"sample_rate\":5", "\"sample_rate\":0");
    assert_eq!(client.negotiate("{}"), expected);
    let expected = expected.replace("\"msg_timeout\":5000", "\"msg_timeout\":7000");
    assert_eq!(client.negotiate(r#"{"msg_timeout":7000}"#), expected);
    client.subscribe("t", "c");
}

#[test]
fn auth_without_an_auth_server() {
    let daemon = Daemon::start(&[]);
    let secret = b"AUTH\n\0\0\0\x01s";
    daemon.refuses(secret, "E_AUTH_DISABLED AUTH disabled");
    let mut client = daemon.client();
    client.identify("{}");
    client.send(secret);
    client.expect_last_error("E_AUTH_DISABLED AUTH disabled");
    for line in ["AUTH x\n", "AUTH \n", "AUTH x y\n"] {
        daemon.refuses(line, "E_INVALID AUTH invalid number of parameters");
    }
    let sizes: [(i32, &str); 3] = [
        (5_242_881, "AUTH body too big 5242881 > 5242880"),
        (0, "AUTH invalid body size 0"),
        (-1, "AUTH invalid body size -1"),
    ];
    for (size, error) in sizes {
        let input = [b"AUTH\n", &size.to_be_bytes()[..]].concat();
        daemon.refuses(input, format!("E_BAD_BODY {error}"));
    }
    daemon.refuses_at_end("AUTH\n\0\0", "E_BAD_BODY AUTH failed to read body size");
    daemon.refuses_at_end("AUTH\n\0\0\0\x05abc", "E_BAD_BODY AUTH failed to read body");
}

#[test]
fn limits_of_identify_follow_the_flags() {
    let daemon = Daemon::start(&[
        "--max-heartbeat-interval=5s",
        "--max-output-buffer-size=100",
        "--min-output-buffer-timeout=2ms",
        "--max-output-buffer-timeout=3s",
        "--max-msg-timeout=4s",
        "--max-body-size=2000",
    ]);
    let refused = [
        (r#"{"heartbeat_interval":5001}"#, "heartbeat interval (5001) is invalid"),
        (r#"{"output_buffer_size":101}"#, "output buffer size (101) is invalid"),
        (r#"{"output_buffer_timeout":1}"#, "output buffer timeout (1) is invalid"),
        (r#"{"output_buffer_timeout":3001}"#, "output buffer timeout (3001) is invalid"),
        (r#"{"msg_timeout":4001}"#, "msg timeout (4001) is invalid"),
    ];
    for (body, error) in refused {
        daemon.refuses(identify(body), format!("E_BAD_BODY IDENTIFY {error}"));
    }
    let accepted = r#"{"heartbeat_interval":5000,"output_buffer_size":100,"output_buffer_timeout":2,"msg_timeout":4000}"#;
    daemon.client().identify(accepted);
    let mut client = daemon.client();
    client.send(b"IDENTIFY\n\0\0\x07\xd1");
    client.expect_last_error("E_BAD_BODY IDENTIFY body too big 2001 > 2000");
    let mut client = daemon.client();
    client.send(identify(format!("{{}}{}", " ".repeat(1998))));
    client.expect(&Frame::response("OK"));
}
