//! tcp-protocol.md §8: AUTH, and what it permits.

use serde_json::{Value, json};

use crate::support::{
    AuthServer, Client, Daemon, Frame, Reply, deferred, eventually, is_original, publish,
    publish_many, with_size,
};

/// Everything is permitted for a minute.
const EVERYTHING: &str = r#"{"ttl":60,"identity":"who","identity_url":"http://who","authorizations":[{"topic":".*","channels":[".*"],"permissions":["subscribe","publish"]}]}"#;
const ADMITTED: &str = r#"{"identity":"who","identity_url":"http://who","permission_count":1}"#;

fn auth(secret: impl AsRef<[u8]>) -> Vec<u8> {
    [b"AUTH\n".to_vec(), with_size(secret)].concat()
}

fn start(body: &str) -> (AuthServer, Daemon) {
    let server = AuthServer::start(Reply::ok(body));
    let daemon = Daemon::start(&[&server.flag()]);
    (server, daemon)
}

/// A client that the auth server has admitted.
#[track_caller]
fn admitted(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.send(auth("s3cret"));
    let frame = client.next_frame().expect("an answer");
    assert_eq!(frame.kind, 0, "{frame:?}");
    client
}

/// The answer of an auth server with these entries.
fn entries(entries: &Value) -> String {
    json!({ "ttl": 60, "identity": "who", "authorizations": entries }).to_string()
}

#[test]
fn identify_tells_that_auth_is_required() {
    let (server, daemon) = start(EVERYTHING);
    let mut client = daemon.client();
    let answer: Value = serde_json::from_str(&client.negotiate("{}")).expect("JSON");
    assert_eq!(answer["auth_required"], true);
    client.send(auth("s3cret"));
    client.expect(&Frame::response(ADMITTED));
    // Before IDENTIFY is as good.
    let mut client = admitted(&daemon);
    client.identify("{}");
    client.send(publish("t", "a"));
    client.expect_ok();
    assert_eq!(server.count(), 2);
}

#[test]
fn answers_to_auth() {
    let (server, daemon) = start(EVERYTHING);
    let entry = json!({ "topic": "t", "channels": [], "permissions": [] });
    let cases = [
        (json!({ "ttl": 1, "authorizations": [entry] }), r#""identity":"","identity_url":"""#, 1),
        (
            json!({ "ttl": 1, "authorizations": [entry, entry, entry], "identity": "ü" }),
            r#""identity":"ü","identity_url":"""#,
            3,
        ),
        (
            json!({ "ttl": 1, "authorizations": [entry], "identity": "<a>&\u{2028}\u{2029}\"\\" }),
            r#""identity":"\u003ca\u003e\u0026\u2028\u2029\"\\","identity_url":"""#,
            1,
        ),
        (
            json!({ "ttl": 3_153_600_000_u64, "authorizations": [entry], "identity_url": "<" }),
            r#""identity":"","identity_url":"\u003c""#,
            1,
        ),
        // Programs in Go look for keys in any case.
        (
            json!({ "TTL": 1, "Authorizations": [entry], "Identity": "i", "other": 1 }),
            r#""identity":"i","identity_url":"""#,
            1,
        ),
    ];
    for (reply, strings, count) in cases {
        server.replies(Reply::ok(reply.to_string()));
        let mut client = daemon.client();
        client.send(auth("x"));
        let expected = format!(r#"{{{strings},"permission_count":{count}}}"#);
        client.expect(&Frame::response(expected));
    }
}

#[test]
fn what_is_wrong_with_auth_itself() {
    let (server, daemon) = start(EVERYTHING);
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
    assert_eq!(server.count(), 0);
    // Once is enough; what is wrong with the second is said first.
    let mut client = admitted(&daemon);
    client.send(auth("again"));
    client.expect_last_error("E_INVALID AUTH already set");
    let mut client = admitted(&daemon);
    client.send("AUTH\n\0\0\0\0");
    client.expect_last_error("E_BAD_BODY AUTH invalid body size 0");
    let mut client = admitted(&daemon);
    client.subscribe("t", "c");
    client.send(auth("late"));
    client.expect_last_error("E_INVALID cannot AUTH in current state");
    assert_eq!(server.count(), 3);
}

#[test]
fn without_auth_nothing_is_published_or_consumed() {
    let (server, daemon) = start(EVERYTHING);
    let first = |command: &str| format!("E_AUTH_FIRST AUTH required before {command}");
    daemon.refuses(publish("t", "a"), first("PUB"));
    daemon.refuses(deferred("t", 1, "a"), first("DPUB"));
    daemon.refuses(publish_many("t", &["a"]), first("MPUB"));
    daemon.refuses("SUB t c\n", first("SUB"));
    // Not so for the rest, nor over HTTP.
    let mut client = daemon.client();
    client.send("NOP\n");
    client.identify("{}");
    client.send("RDY 1\n");
    client.expect_last_error("E_INVALID cannot RDY in current state");
    assert!(daemon.topic("t").is_null());
    daemon.publish("t", "a");
    assert_eq!(daemon.topic("t")["message_count"], 1);
    assert_eq!(server.count(), 0);
}

#[test]
fn where_in_a_command_it_is_checked() {
    let (_server, daemon) = start(EVERYTHING);
    // PUB and DPUB: behind the whole body.
    let name = "PUB topic name \"a!\" is not valid";
    daemon.refuses("PUB a!\n", format!("E_BAD_TOPIC {name}"));
    daemon.refuses("PUB t\n\0\0\0\0", "E_BAD_MESSAGE PUB invalid message body size 0");
    let too_big = "E_BAD_MESSAGE PUB message too big 1048577 > 1048576";
    daemon.refuses("PUB t\n\0\x10\0\x01", too_big);
    let half = "E_BAD_MESSAGE PUB failed to read message body";
    daemon.refuses_at_end("PUB t\n\0\0\0\x05ab", half);
    daemon.refuses("DPUB t x\n", "E_INVALID DPUB could not parse timeout x");
    let half = "E_BAD_MESSAGE DPUB failed to read message body";
    daemon.refuses_at_end("DPUB t 1\n\0\0\0\x05ab", half);
    // MPUB: behind the name, before the body.
    daemon.refuses("MPUB a!\n", format!("E_BAD_TOPIC E_BAD_TOPIC M{name}"));
    daemon.refuses("MPUB t\n", "E_AUTH_FIRST AUTH required before MPUB");
    // SUB: behind both names.
    daemon.refuses("SUB t\n", "E_INVALID SUB insufficient number of parameters");
    daemon.refuses("SUB a! c\n", "E_BAD_TOPIC SUB topic name \"a!\" is not valid");
    daemon.refuses("SUB t c!\n", "E_BAD_CHANNEL SUB channel name \"c!\" is not valid");
    let mut client = daemon.client();
    client.identify(r#"{"heartbeat_interval":-1}"#);
    client.send("SUB t c\n");
    client.expect_last_error("E_INVALID cannot SUB with heartbeats disabled");
    assert!(daemon.topic("t").is_null());
}

/// What one connection may do.
#[track_caller]
fn check(entry: &Value, expected: [bool; 3]) {
    let (_server, daemon) = start(&entries(&json!([entry])));
    let permitted = |input: Vec<u8>, refusal: &str| {
        let mut client = admitted(&daemon);
        client.send(input);
        let frame = client.next_frame().expect("an answer");
        if frame == Frame::response("OK") {
            return true;
        }
        assert_eq!(frame, Frame::error(format!("E_UNAUTHORIZED AUTH failed for {refusal}")));
        client.expect_closed();
        false
    };
    let done = [
        permitted(publish("foo", "a"), r#"PUB on "foo" """#),
        permitted(b"SUB foo ch\n".to_vec(), r#"SUB on "foo" "ch""#),
        permitted(b"SUB xfoox other\n".to_vec(), r#"SUB on "xfoox" "other""#),
    ];
    assert_eq!(done, expected, "{entry}");
    assert_eq!(permitted(deferred("foo", 1, "a"), r#"DPUB on "foo" """#), expected[0]);
    assert_eq!(permitted(publish_many("foo", &["a"]), r#"MPUB on "foo" """#), expected[0]);
}

#[test]
fn what_an_entry_permits() {
    let both = ["subscribe", "publish"];
    let entry = |topic: &str, channels: &[&str], permissions: &[&str]| json!({ "topic": topic, "channels": channels, "permissions": permissions });
    // PUB foo, SUB foo ch, SUB xfoox other.
    check(&entry(".*", &[".*"], &both), [true, true, true]);
    check(&entry(".*", &[".*"], &["subscribe"]), [false, true, true]);
    check(&entry(".*", &[".*"], &["publish"]), [true, false, false]);
    check(&entry(".*", &[".*"], &[]), [false, false, false]);
    check(&entry(".*", &[], &both), [false, false, false]);
    // Nothing is anchored.
    check(&entry("foo", &[".*"], &both), [true, true, true]);
    check(&entry("^foo$", &[".*"], &both), [true, true, false]);
    check(&entry("FOO", &[".*"], &both), [false, false, false]);
    check(&entry("(?i)FOO", &[".*"], &both), [true, true, true]);
    check(&entry("", &[""], &both), [true, true, true]);
    check(&entry("bar|x$", &["."], &both), [false, false, true]);
    // To publish is to have a channel without a name.
    check(&entry("foo", &["ch"], &both), [false, true, false]);
    check(&entry("foo", &["ch", "^$"], &both), [true, true, false]);
    check(&entry("foo", &["o", "c"], &both), [false, true, true]);
    check(&entry("foo", &["(other)?"], &both), [true, true, true]);
    check(&entry(r"\pL{3}", &[r"^[[:alpha:]]{2}\z"], &both), [false, true, false]);
}

#[test]
fn one_entry_that_permits_is_enough() {
    let list = json!([
        { "topic": "^a$", "channels": [".*"], "permissions": ["publish"] },
        { "topic": "^b$", "channels": ["c"], "permissions": ["subscribe"] },
        { "topic": "^b$", "channels": [".*"], "permissions": ["publish"] },
    ]);
    let (server, daemon) = start(&entries(&list));
    let mut client = admitted(&daemon);
    client.send(publish("a", "1"));
    client.expect_ok();
    client.send(publish("b", "1"));
    client.expect_ok();
    client.subscribe("b", "c");
    client.send(publish("a", "2"));
    client.expect_ok();
    client.send(publish("c", "1"));
    client.expect_last_error(r#"E_UNAUTHORIZED AUTH failed for PUB on "c" """#);
    // All of that with one question.
    assert_eq!(server.count(), 1);
    assert!(daemon.topic("c").is_null());
    let mut client = admitted(&daemon);
    client.send("MPUB c\n");
    client.expect_last_error(r#"E_UNAUTHORIZED AUTH failed for MPUB on "c" """#);
    let mut client = admitted(&daemon);
    client.send("SUB a c\n");
    client.expect_last_error(r#"E_UNAUTHORIZED AUTH failed for SUB on "a" "c""#);
    assert!(daemon.channel("a", "c").is_null());
}

/// A permission that ends after a second.
fn short() -> Reply {
    Reply::ok(EVERYTHING.replace("\"ttl\":60", "\"ttl\":1"))
}

#[test]
fn after_its_time_a_permission_is_asked_for_again() {
    let server = AuthServer::start(short());
    let daemon = Daemon::start(&[&server.flag()]);
    let mut client = admitted(&daemon);
    eventually("it asks again", || {
        client.send(publish("t", "a"));
        client.expect_ok();
        server.count() == 2
    });
    let requests = server.requests();
    assert_eq!(requests[0], requests[1]);
    // The new answer is in force: first a longer time, then other topics, none, a failure.
    let only_other = EVERYTHING.replace(r#""topic":".*""#, r#""topic":"other""#);
    let nothing = r#"{"ttl":1,"authorizations":[]}"#.to_owned();
    let unauthorized = r#"E_UNAUTHORIZED AUTH failed for PUB on "t" """#;
    for (reply, error) in [
        (Reply::ok(only_other), unauthorized),
        (Reply::ok(nothing), unauthorized),
        (Reply::Status(500, String::new()), "E_AUTH_FAILED AUTH failed"),
        (Reply::ok("no JSON"), "E_AUTH_FAILED AUTH failed"),
        (Reply::Raw(Vec::new()), "E_AUTH_FAILED AUTH failed"),
    ] {
        server.replies(short());
        let mut client = admitted(&daemon);
        server.replies(reply);
        let mut frame = None;
        eventually("the new answer is in force", || {
            client.send(publish("t", "a"));
            frame = client.next_frame();
            frame != Some(Frame::response("OK"))
        });
        assert_eq!(frame, Some(Frame::error(error)));
        client.expect_closed();
    }
}

#[test]
fn a_permission_may_be_for_ever() {
    // In the original the nanoseconds wrap around, and it asks before every command.
    if is_original() {
        return;
    }
    for ttl in ["10000000000", "9223372036854775807"] {
        let (server, daemon) = start(&EVERYTHING.replace("60", ttl));
        let mut client = admitted(&daemon);
        for _ in 0..3 {
            client.send(publish("t", "a"));
            client.expect_ok();
        }
        assert_eq!(server.count(), 1, "{ttl}");
    }
}

#[test]
fn a_subscription_outlives_its_permission() {
    let server = AuthServer::start(short());
    let daemon = Daemon::start(&[&server.flag()]);
    let mut consumer = admitted(&daemon);
    consumer.subscribe("t", "c");
    consumer.ready(1);
    // When the permission of the later one has ended, so has that of the consumer.
    let mut later = admitted(&daemon);
    server.replies(Reply::Status(500, String::new()));
    let mut frame = None;
    eventually("the permission ends", || {
        later.send(publish("other", "a"));
        frame = later.next_frame();
        frame != Some(Frame::response("OK"))
    });
    assert_eq!(frame, Some(Frame::error("E_AUTH_FAILED AUTH failed")));
    let asked = server.count();
    for _ in 0..3 {
        daemon.publish("t", "a");
        let message = consumer.expect_message();
        consumer.send(format!("TOUCH {}\n", message.id));
        consumer.requeue(&message, 0);
        let message = consumer.expect_message();
        consumer.finish(&message);
    }
    assert_eq!(server.count(), asked);
    consumer.send(publish("t", "a"));
    consumer.expect_last_error("E_AUTH_FAILED AUTH failed");
}

#[test]
fn statistics_tell_who_it_is() {
    let (server, daemon) = start(EVERYTHING);
    let mut client = admitted(&daemon);
    client.subscribe("t", "c");
    let text = daemon.get("/stats?format=json").text().to_owned();
    let order = [
        r#""user_agent":"","#,
        r#""authed":true,"auth_identity":"who","auth_identity_url":"http://who","tls":false"#,
    ];
    assert!(text.contains(&order.concat()), "{text}");
    // What is empty is not there.
    server.replies(Reply::ok(entries(&json!([
        { "topic": ".*", "channels": [".*"], "permissions": ["subscribe"] },
    ]))));
    let mut client = admitted(&daemon);
    client.subscribe("t2", "c");
    let seen = daemon.channel("t2", "c")["clients"][0].clone();
    assert_eq!((&seen["authed"], &seen["auth_identity"]), (&json!(true), &json!("who")));
    assert!(seen.get("auth_identity_url").is_none(), "{seen}");
}

#[test]
fn a_slow_auth_server_holds_up_nobody_else() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    let mut daemon = Daemon::start(&[&server.flag(), "--http-client-request-timeout=60s"]);
    let mut honest = admitted(&daemon);
    server.replies(Reply::Silence);
    let mut waiting: Vec<_> = (0..20).map(|_| daemon.client()).collect();
    for client in &mut waiting {
        client.send(auth("s3cret"));
    }
    eventually("all are asked for", || server.count() == 21);
    honest.send(publish("t", "a"));
    honest.expect_ok();
    assert_eq!(daemon.get("/ping").line(), "200 OK");
    // The original does not stop before its questions are answered.
    if is_original() {
        server.hang_up();
        return;
    }
    let began = std::time::Instant::now();
    daemon.stop();
    let elapsed = began.elapsed();
    assert!(elapsed < std::time::Duration::from_secs(4), "it took {elapsed:?} to stop");
}
