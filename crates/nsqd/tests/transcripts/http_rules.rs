//! http-api.md §2, §4 to §6: what holds for all endpoints, `/ping` and `/info`.

use crate::support::{Answer, Daemon, ask, is_original};

const NSQ: Option<&str> = Some("nsq; version=1.0");
const JSON: Option<&str> = Some("application/json; charset=utf-8");
const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

#[track_caller]
fn check(answer: &Answer, line: &str, content_type: Option<&str>, nsq: Option<&str>) {
    assert_eq!(answer.line(), line);
    assert_eq!(answer.header("Content-Type"), content_type, "{line}");
    assert_eq!(answer.header("X-NSQ-Content-Type"), nsq, "{line}");
}

#[test]
fn ping() {
    let daemon = Daemon::start(&[]);
    check(&daemon.get("/ping"), "200 OK", TEXT, None);
}

#[test]
fn info_is_exactly_this() {
    let daemon = Daemon::start(&["--max-heartbeat-interval=45s"]);
    let answer = daemon.get("/info");
    let parsed: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let hostname = parsed["hostname"].as_str().unwrap();
    let start_time = parsed["start_time"].as_i64().unwrap();
    let (http, tcp) = (daemon.http().port(), daemon.tcp().port());
    let expected = format!(
        "{{\"version\":\"1.3.0\",\"broadcast_address\":\"127.0.0.1\",\"hostname\":\"{hostname}\",\
         \"http_port\":{http},\"tcp_port\":{tcp},\"start_time\":{start_time},\
         \"max_heartbeat_interval\":45000000000,\"max_output_buffer_size\":65536,\
         \"max_output_buffer_timeout\":30000000000,\"max_deflate_level\":6}}"
    );
    check(&answer, &format!("200 {expected}"), JSON, NSQ);
    assert!(!hostname.is_empty());
    assert!(start_time > 1_700_000_000);
}

#[test]
fn forms_of_success_and_failure() {
    let daemon = Daemon::start(&[]);
    // Bare text, nothing, JSON, an error.
    check(&daemon.post("/pub?topic=t", "a"), "200 OK", TEXT, NSQ);
    let created = daemon.post("/topic/create?topic=t", "");
    check(&created, "200", None, NSQ);
    assert_eq!(created.header("Content-Length"), Some("0"));
    assert_eq!(daemon.get("/stats?format=json").header("Content-Type"), JSON);
    let error = daemon.post("/pub", "a");
    check(&error, r#"400 {"message":"MISSING_ARG_TOPIC"}"#, JSON, NSQ);
    assert!(error.body.ends_with(b"}"));
    // The spelling on the wire.
    let request = b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = ask(daemon.http(), request);
    assert_eq!(answer.header("x-nsq-content-type"), NSQ);
}

#[test]
fn unknown_paths() {
    let daemon = Daemon::start(&[]);
    for path in
        ["/", "/nothing", "/put", "/mput", "/create_topic", "/topic", "/pub/x", "/stats.json"]
    {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            let answer = daemon.request(method, path, "");
            check(&answer, r#"404 {"message":"NOT_FOUND"}"#, JSON, NSQ);
        }
    }
}

#[test]
fn wrong_methods() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("GET", "/pub?topic=t", "OPTIONS, POST"),
        ("PUT", "/mpub", "OPTIONS, POST"),
        ("GET", "/topic/create?topic=t", "OPTIONS, POST"),
        ("DELETE", "/channel/delete", "OPTIONS, POST"),
        ("POST", "/ping", "GET, OPTIONS"),
        ("POST", "/info", "GET, OPTIONS"),
        ("PUT", "/stats", "GET, OPTIONS"),
        ("TRACE", "/stats", "GET, OPTIONS"),
    ];
    for (method, target, allow) in cases {
        let answer = daemon.request(method, target, "");
        check(&answer, r#"405 {"message":"METHOD_NOT_ALLOWED"}"#, JSON, NSQ);
        assert_eq!(answer.header("Allow"), Some(allow), "{method} {target}");
    }
    let head = daemon.request("HEAD", "/ping", "");
    assert_eq!((head.status, head.header("Allow")), (405, Some("GET, OPTIONS")));
    assert!(daemon.topic("t").is_null());
}

#[test]
fn options() {
    let daemon = Daemon::start(&[]);
    let answer = daemon.request("OPTIONS", "/pub", "");
    assert_eq!((answer.line().as_str(), answer.header("Allow")), ("200", Some("OPTIONS, POST")));
    let answer = daemon.request("OPTIONS", "/stats", "");
    assert_eq!((answer.line().as_str(), answer.header("Allow")), ("200", Some("GET, OPTIONS")));
    let answer = daemon.request("OPTIONS", "/nothing", "");
    assert_eq!(answer.line(), r#"404 {"message":"NOT_FOUND"}"#);
    assert_eq!(daemon.request("OPTIONS", "*", "").line(), "200");
}

#[test]
fn misspelled_paths_are_redirected() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("GET", "/PING", 301, "/ping"),
        ("GET", "/ping/", 301, "/ping"),
        ("GET", "//ping", 301, "/ping"),
        ("GET", "/x/../ping", 301, "/ping"),
        ("GET", "/Stats?format=json&topic=a", 301, "/stats?format=json&topic=a"),
        ("POST", "/PUB?topic=t", 307, "/pub?topic=t"),
        ("POST", "/topic//create?topic=t", 307, "/topic/create?topic=t"),
        ("POST", "/mpub/?topic=t", 307, "/mpub?topic=t"),
    ];
    for (method, target, status, location) in cases {
        let answer = daemon.request(method, target, "");
        assert_eq!(answer.status, status, "{method} {target}");
        assert_eq!(answer.header("Location"), Some(location), "{method} {target}");
        let body = match status {
            301 => {
                format!("<a href=\"{}\">Moved Permanently</a>.\n\n", location.replace('&', "&amp;"))
            }
            _ => String::new(),
        };
        assert_eq!(answer.text(), body, "{method} {target}");
    }
    assert!(daemon.topic("t").is_null());
}

#[test]
fn query_strings() {
    let daemon = Daemon::start(&[]);
    let cases = [
        ("/topic/create?topic=a&topic=b", 200, ""),
        ("/topic/create?x=1&topic=c%2Dd&&", 200, ""),
        ("/topic/create?topic=e;f", 400, "INVALID_REQUEST"),
        ("/topic/create?topic=e&x=%zz", 400, "INVALID_REQUEST"),
        ("/topic/create?topic=e&%", 400, "INVALID_REQUEST"),
        ("/topic/create?topic=e+f", 400, "INVALID_TOPIC"),
        ("/topic/create?topic=", 400, "INVALID_TOPIC"),
        ("/topic/create?topic", 400, "INVALID_TOPIC"),
        ("/topic/create?TOPIC=e", 400, "MISSING_ARG_TOPIC"),
        ("/topic/create?", 400, "MISSING_ARG_TOPIC"),
    ];
    for (target, status, message) in cases {
        let body = match message {
            "" => String::new(),
            message => format!("{{\"message\":\"{message}\"}}"),
        };
        let answer = daemon.post(target, "");
        assert_eq!((answer.status, answer.text()), (status, &*body), "{target}");
    }
    let stats = daemon.stats();
    let topics = stats["topics"].as_array().unwrap();
    let names: Vec<_> = topics.iter().map(|topic| topic["topic_name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "c-d"]);
    // Form bodies are not parsed.
    assert_eq!(
        daemon.post("/topic/create", "topic=x").line(),
        r#"400 {"message":"MISSING_ARG_TOPIC"}"#
    );
}

#[test]
fn one_connection_takes_many_requests() {
    let daemon = Daemon::start(&[]);
    let requests = b"POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na\
        POST /topic/create?topic=u HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nignored\
        GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = ask(daemon.http(), requests);
    // The first response, with those of the others behind it.
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert!(text.starts_with("OKHTTP/1.1") && text.ends_with("\r\n\r\nOK"), "{text}");
    assert_eq!(daemon.topic("t")["message_count"], 1);
}

#[test]
fn requests_that_are_no_http() {
    let daemon = Daemon::start(&[]);
    let answer = ask(daemon.http(), b"GET /ping HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(answer.line(), "400 400 Bad Request: missing required Host header");
    let answer = ask(daemon.http(), b"  V2PUB x\n\0\0\0\x01a\r\n\r\n");
    assert_eq!(answer.status, 400);
    if is_original() {
        assert_eq!(answer.text(), "400 Bad Request");
    }
    // HTTP/1.0 is served.
    let answer = ask(daemon.http(), b"GET /ping HTTP/1.0\r\n\r\n");
    assert_eq!(answer.line(), "200 OK");
}
