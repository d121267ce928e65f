//! What is told of actions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use nsq_sim::Daemon;

use super::support::{Admin, Cluster, ask, token_file};

/// Takes one POST, answers it with this status, and returns header and body.
fn take(listener: &TcpListener, status: &str) -> (String, String) {
    let (stream, _) = listener.accept().expect("somebody connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
    let mut reader = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).expect("text") > 2 {
        head.push_str(&line.to_lowercase());
        line.clear();
    }
    let length = head.split_once("content-length: ").expect("it has a length").1;
    let length = length.lines().next().and_then(|text| text.trim().parse().ok());
    let mut body = vec![0; length.expect("a number")];
    reader.read_exact(&mut body).expect("a whole body");
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).expect("it reads");
    (head, String::from_utf8(body).expect("text"))
}

/// The body of a notification without what changes from run to run.
fn action(body: &str) -> String {
    let (start, rest) = body.split_once("\"timestamp\":").expect("it has a time");
    let (time, _) = rest.split_once(',').expect("more follows");
    assert!(time.parse::<u64>().is_ok_and(|time| time > 1_500_000_000), "{body}");
    start.trim_end_matches(',').to_owned()
}

#[test]
fn what_was_done_is_told_until_it_is_taken() {
    let endpoint = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = endpoint.local_addr().expect("it is bound");
    let lookupd = Daemon::lookupd(&[]);
    let flag = format!("--notification-http-endpoint=http://{address}/hook");
    // What is for nsqlookupd is for nobody else.
    let home = tempfile::tempdir().expect("a directory");
    let tokens = token_file(&home, "0123456789abcdef");
    let flags = [&*flag, &format!("--http-client-token-file={tokens}")];
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &flags);
    // Nothing is told of what was not done.
    admin.check(
        r#"POST /api/topics/none {"action":"pause"}"#,
        r#"404 {"message":"TOPIC_NOT_FOUND"}"#,
    );
    let headers = ["Authorization: Basic Ym9iOnB3", "User-Agent: test", "X-Scheme: https"];
    let body = r#"{"topic":"orders","channel":"c"}"#;
    let created = ask(admin.address, "POST /api/topics", &headers, body);
    assert_eq!(created, r#"200 {"message":""}"#);

    let first = take(&endpoint, "500 Internal Server Error");
    let again = take(&endpoint, "200 OK");
    assert_eq!(first, again);
    let (head, body) = again;
    assert!(head.starts_with("post /hook http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    assert_eq!(action(&body), r#"{"action":"create_topic","topic":"orders""#);
    let (_, rest) = body.split_once("\"user\"").expect("a user");
    assert!(rest.starts_with(r#":"bob","remote_ip":"127.0.0.1:"#), "{body}");
    let url = r#"","user_agent":"test","url":"https://admin:1/api/topics","via":""#;
    assert!(rest.contains(url), "{body}");

    let (_, body) = take(&endpoint, "404 Not Found");
    let expected = r#"{"action":"create_channel","topic":"orders","channel":"c""#;
    assert_eq!(action(&body), expected);
    admin.check("DELETE /api/topics/orders/c", r#"200 {"message":""}"#);
    let (_, body) = take(&endpoint, "204 No Content");
    let expected = r#"{"action":"delete_channel","topic":"orders","channel":"c""#;
    assert_eq!(action(&body), expected);
    admin.check("DELETE /api/topics/orders", r#"200 {"message":""}"#);
    let (_, body) = take(&endpoint, "200 OK");
    assert_eq!(action(&body), r#"{"action":"delete_topic","topic":"orders""#);
}

#[test]
fn a_test_message_is_told_without_its_body() {
    let endpoint = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = endpoint.local_addr().expect("it is bound");
    let cluster = Cluster::with_clicks();
    let flag = format!("--notification-http-endpoint=http://{address}/");
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[&flag]);
    let request = r#"POST /api/topics/none/publish {"body":"secret"}"#;
    admin.check(request, r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
    let published = admin.act(r#"POST /api/topics/clicks/publish {"body":"secret"}"#);
    assert!(published.starts_with("200 "), "{published}");
    let (_, body) = take(&endpoint, "200 OK");
    let node = cluster.nsqd(0);
    let expected = format!(r#"{{"action":"publish_message","topic":"clicks","node":"{node}""#);
    assert_eq!(action(&body), expected);
    assert!(!body.contains("secret"), "{body}");
}

#[test]
fn an_endpoint_that_is_gone_harms_nothing() {
    let lookupd = Daemon::lookupd(&[]);
    let flag = format!("--notification-http-endpoint=http://{}/", super::support::nobody());
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &[&flag]);
    for topic in ["a", "b"] {
        let create = format!(r#"POST /api/topics {{"topic":"{topic}"}}"#);
        admin.check(&create, r#"200 {"message":""}"#);
    }
    admin.check("GET /api/topics", r#"200 {"topics":["a","b"],"message":""}"#);
}
