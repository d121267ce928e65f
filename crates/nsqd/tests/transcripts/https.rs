//! http-api.md §1: the same routes over TLS.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Certificates, Daemon, PATIENCE};

#[test]
fn requests_over_https() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let browser = certificates.offering(&[b"h2", b"http/1.1"]);
    for config in [certificates.anonymous(), certificates.of_tls_1_2(None), browser] {
        let ask = |method, target, body| daemon.secure_request(&config, method, target, body);
        assert_eq!(ask("GET", "/ping", "").line(), "200 OK");
        assert_eq!(ask("POST", "/pub?topic=t", "a").line(), "200 OK");
        assert_eq!(ask("POST", "/mpub?topic=t", "b\nc\n").line(), "200 OK");
        let large = "x".repeat(1_048_576);
        assert_eq!(ask("POST", "/pub?topic=t", &large).line(), "200 OK");
        let answer = ask("GET", "/no", "");
        assert_eq!(answer.line(), r#"404 {"message":"NOT_FOUND"}"#);
        assert_eq!(answer.header("X-NSQ-Content-Type"), Some("nsq; version=1.0"));
    }
    let config = certificates.anonymous();
    let stats = "/stats?format=json&include_mem=false";
    let answer = daemon.secure_request(&config, "GET", stats, "");
    assert!(answer.text().contains(r#""message_count":12"#), "{}", answer.text());
    // Plain HTTP is there as well.
    assert_eq!(answer.body, daemon.get(stats).body);
}

/// What comes back on the raw socket.
fn raw(daemon: &Daemon, input: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(daemon.https()).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    stream.write_all(input).expect("the daemon reads");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("no reset");
    received
}

#[test]
fn a_plain_request_is_told_what_to_do() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    let expected = "HTTP/1.0 400 Bad Request\r\n\r\n\
                    Client sent an HTTP request to an HTTPS server.\n";
    for request in ["GET /ping HTTP/1.1\r\nHost: nsqd\r\n\r\n", "POST / HTTP/1.0\r\n\r\n"] {
        let received = raw(&daemon, request.as_bytes());
        assert_eq!(String::from_utf8_lossy(&received), expected);
    }
}

#[test]
fn what_is_neither_is_closed() {
    let certificates = Certificates::new();
    let daemon = Daemon::start_with(&certificates.server_flags());
    assert_eq!(raw(&daemon, b"  V2NOP\n"), b"");
    assert_eq!(daemon.get("/ping").line(), "200 OK");
}
