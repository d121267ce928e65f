//! http-api.md §7: `/pub` and `/mpub`.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Daemon, PATIENCE, ask, publish_many};

/// A small daemon: messages up to 100 bytes, bodies up to 1000.
fn small() -> Daemon {
    Daemon::start(&["--max-msg-size=100", "--max-body-size=1000"])
}

#[track_caller]
fn check(daemon: &Daemon, target: &str, body: impl AsRef<[u8]>, status: u16, message: &str) {
    let answer = daemon.post(target, body);
    let expected = match status {
        200 => message.to_owned(),
        _ => format!("{{\"message\":\"{message}\"}}"),
    };
    assert_eq!((answer.status, answer.text()), (status, &*expected), "{target}");
}

/// Messages of a topic, read through a new channel.
#[track_caller]
fn messages(daemon: &Daemon, topic: &str) -> Vec<String> {
    let count = daemon.topic(topic)["message_count"].as_u64().unwrap();
    let mut client = daemon.consumer(topic, "reader");
    client.ready(2500);
    let bodies = client.expect_bodies(usize::try_from(count).unwrap());
    client.expect_nothing();
    bodies
}

#[test]
fn pub_checks_in_order() {
    let daemon = small();
    let large = "x".repeat(101);
    // The first failure decides: the size before the emptiness, before the query.
    check(&daemon, "/pub?topic=t%zz", &large, 413, "MSG_TOO_BIG");
    check(&daemon, "/pub?topic=t%zz", "", 400, "MSG_EMPTY");
    check(&daemon, "/pub", "", 400, "MSG_EMPTY");
    check(&daemon, "/pub?topic=t%zz", "a", 400, "INVALID_REQUEST");
    check(&daemon, "/pub", "a", 400, "MISSING_ARG_TOPIC");
    check(&daemon, "/pub?topic=", "a", 400, "INVALID_TOPIC");
    check(&daemon, "/pub?topic=a!&defer=x", "a", 400, "INVALID_TOPIC");
    check(&daemon, "/pub?topic=t", "x".repeat(100), 200, "OK");
    check(&daemon, "/pub?topic=t%23ephemeral", "a", 200, "OK");
    assert_eq!(messages(&daemon, "t"), ["x".repeat(100)]);
}

#[test]
fn pub_defer() {
    let daemon = small();
    let bad = ["", "x", "-1", "1.5", "3600001", "9223372036854775808", "0x10", "%201", "1e3"];
    for (number, defer) in bad.iter().enumerate() {
        let target = format!("/pub?topic=t{number}&defer={defer}");
        check(&daemon, &target, "a", 400, "INVALID_DEFER");
        // The topic stays created.
        assert_eq!(daemon.topic(&format!("t{number}"))["message_count"], 0);
    }
    for defer in ["0", "%2B0", "-0", "00", "3600000", "%2B5000000"] {
        let expected = if defer == "%2B5000000" { 400 } else { 200 };
        let message = if expected == 200 { "OK" } else { "INVALID_DEFER" };
        check(&daemon, &format!("/pub?topic=t&defer={defer}"), "a", expected, message);
    }
    let mut client = daemon.consumer("t", "c");
    client.ready(10);
    assert_eq!(client.expect_bodies(4), ["a", "a", "a", "a"]);
    client.expect_nothing();
    assert_eq!(daemon.channel_number("t", "c", "deferred_count"), 1);
}

#[test]
fn chunked_bodies() {
    let daemon = small();
    let request = |target: &str, chunks: &[&str]| {
        let mut request = format!(
            "POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        for chunk in chunks {
            request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        ask(daemon.http(), (request + "0\r\n\r\n").as_bytes()).line()
    };
    assert_eq!(request("/pub?topic=t", &["hel", "lo"]), "200 OK");
    assert_eq!(
        request("/pub?topic=t", &["x".repeat(60).as_str(); 2]),
        r#"413 {"message":"MSG_TOO_BIG"}"#
    );
    assert_eq!(request("/pub?topic=t", &[]), r#"400 {"message":"MSG_EMPTY"}"#);
    assert_eq!(request("/mpub?topic=t", &["a\nb", "c\n"]), "200 OK");
    let line = format!("{}\n", "x".repeat(99));
    assert_eq!(request("/mpub?topic=t", &[line.as_str(); 11]), r#"413 {"message":"BODY_TOO_BIG"}"#);
    assert_eq!(messages(&daemon, "t"), ["hello", "a", "bc"]);
}

#[test]
fn broken_chunks_are_a_read_error() {
    let daemon = small();
    for path in ["/pub", "/mpub"] {
        let request = format!(
            "POST {path}?topic=t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"
        );
        let answer = ask(daemon.http(), request.as_bytes());
        assert_eq!(answer.line(), r#"500 {"message":"INTERNAL_ERROR"}"#, "{path}");
    }
    let topic = daemon.topic("t");
    assert!(topic.is_null() || topic["message_count"] == 0, "{topic}");
}

#[test]
fn expect_100_continue() {
    let daemon = small();
    let mut stream = TcpStream::connect(daemon.http()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = b"POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Expect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    stream.write_all(head).unwrap();
    // The body is sent only when it is asked for.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(go_on.escape_ascii().to_string(), r"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"a").unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("\r\n\r\nOK"), "{rest}");
    assert_eq!(messages(&daemon, "t"), ["a"]);
}

#[test]
fn mpub_text() {
    let daemon = small();
    let cases: [(&str, &[&str]); 8] = [
        ("a\nb\nc\n", &["a", "b", "c"]),
        ("a\nb\nc", &["a", "b", "c"]),
        ("one", &["one"]),
        ("\n\na\n\n\nb\n\n", &["a", "b"]),
        ("a\r\nb\r\n", &["a\r", "b\r"]),
        ("\r\n", &["\r"]),
        ("\n\n", &[]),
        ("", &[]),
    ];
    for (number, (body, expected)) in cases.iter().enumerate() {
        let topic = format!("t{number}");
        check(&daemon, &format!("/mpub?topic={topic}"), body, 200, "OK");
        assert_eq!(messages(&daemon, &topic), *expected, "{body:?}");
    }
    let line = |length: usize| "x".repeat(length);
    check(&daemon, "/mpub?topic=t", line(100), 200, "OK");
    check(&daemon, "/mpub?topic=t", format!("a\n{}\nb\n", line(101)), 413, "MSG_TOO_BIG");
    check(&daemon, "/mpub?topic=t", line(101), 413, "MSG_TOO_BIG");
    let most = "123456789\n".repeat(100);
    check(&daemon, "/mpub?topic=t", &most, 200, "OK");
    check(&daemon, "/mpub?topic=t", most + "\n", 413, "BODY_TOO_BIG");
    assert_eq!(daemon.topic("t")["message_count"], 101);
}

#[test]
fn mpub_checks_in_order() {
    let daemon = small();
    let large = "x".repeat(1001);
    check(&daemon, "/mpub?topic=t%zz", &large, 413, "BODY_TOO_BIG");
    check(&daemon, "/mpub?topic=t%zz", "a", 400, "INVALID_REQUEST");
    check(&daemon, "/mpub", "a", 400, "MISSING_ARG_TOPIC");
    check(&daemon, "/mpub?topic=a!", "a", 400, "INVALID_TOPIC");
    check(&daemon, "/mpub?topic=", "a", 400, "INVALID_TOPIC");
    // The topic is created before the body is looked at.
    check(&daemon, "/mpub?topic=new", "x".repeat(101), 413, "MSG_TOO_BIG");
    assert_eq!(daemon.topic("new")["message_count"], 0);
}

/// The body of an MPUB command is that of a binary `/mpub`.
fn batch(bodies: &[&str]) -> Vec<u8> {
    publish_many("t", bodies)["MPUB t\n".len() + 4..].to_vec()
}

#[test]
fn mpub_binary() {
    let daemon = small();
    let body = batch(&["a", "b\nc"]);
    // Anything but these four means binary, even nothing.
    for (number, value) in ["true", "1", "", "yes", "TRUE", "False"].iter().enumerate() {
        let topic = format!("b{number}");
        check(&daemon, &format!("/mpub?topic={topic}&binary={value}"), &body, 200, "OK");
        assert_eq!(messages(&daemon, &topic), ["a", "b\nc"], "binary={value}");
    }
    for (number, value) in ["false", "0"].iter().enumerate() {
        let topic = format!("x{number}");
        check(&daemon, &format!("/mpub?topic={topic}&binary={value}"), "a\nb", 200, "OK");
        assert_eq!(messages(&daemon, &topic), ["a", "b"], "binary={value}");
    }
    // Bytes behind the last message are ignored.
    let more = [&body[..], b"\0\0\0\x01z and more"].concat();
    check(&daemon, "/mpub?topic=more&binary=true", more, 200, "OK");
    assert_eq!(messages(&daemon, "more"), ["a", "b\nc"]);
}

#[test]
fn mpub_binary_refusals() {
    let daemon = small();
    let words =
        |words: &[i32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
    let cases = [
        (vec![], "BAD_BODY"),
        (vec![0, 0, 0], "BAD_BODY"),
        (words(&[0]), "BAD_BODY"),
        (words(&[-1]), "BAD_BODY"),
        // (1000 - 4) / 5
        (words(&[200]), "BAD_BODY"),
        (words(&[199]), "BAD_MESSAGE"),
        (words(&[1]), "BAD_MESSAGE"),
        (words(&[1, 0]), "BAD_MESSAGE"),
        (words(&[1, -1]), "BAD_MESSAGE"),
        (words(&[1, 101]), "BAD_MESSAGE"),
        (words(&[1, 5, 7]), "BAD_MESSAGE"),
        (words(&[2, 4, 7]), "BAD_MESSAGE"),
        (words(&[2, 4, 7, 0]), "BAD_MESSAGE"),
        (words(&[2, 4, 7, i32::MAX]), "BAD_MESSAGE"),
    ];
    for (body, message) in cases {
        check(&daemon, "/mpub?topic=t&binary=true", body, 413, message);
    }
    check(&daemon, "/mpub?topic=t&binary=true", vec![0; 1001], 413, "BODY_TOO_BIG");
    assert_eq!(daemon.topic("t")["message_count"], 0);
}

#[test]
fn http_publishers_are_no_producers() {
    let daemon = small();
    check(&daemon, "/pub?topic=t", "abc", 200, "OK");
    check(&daemon, "/mpub?topic=t", "de\nf", 200, "OK");
    let stats = daemon.stats();
    assert_eq!(stats["producers"], serde_json::Value::Null);
    let topic = &stats["topics"][0];
    assert_eq!((&topic["message_count"], &topic["message_bytes"]), (&3.into(), &6.into()));
}
