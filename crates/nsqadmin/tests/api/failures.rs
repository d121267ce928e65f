//! Some of the daemons, or all of them, do not answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::support::{Admin, Cluster, nobody};

/// What is said of a daemon that is gone.
fn refused(verb: &str, address: impl std::fmt::Display, target: &str) -> String {
    format!(
        "{verb} \\\"http://{address}{target}\\\": dial tcp {address}: connect: connection refused"
    )
}

#[test]
fn an_nsqlookupd_that_is_gone_is_a_warning() {
    let cluster = Cluster::with_clicks();
    let gone = nobody();
    let admin = Admin::of_lookupds(&[gone, cluster.lookupd()], &[]);
    let warning = |verb, target| format!("WARNING: {}", refused(verb, gone, target));
    let topics = warning("Get", "/topics");
    let expected = format!(r#"200 {{"topics":["clicks"],"message":"{topics}"}}"#);
    admin.check("GET /api/topics", &expected);
    let nodes = admin.get("/api/nodes");
    let message = format!(r#""message":"{}"}}"#, warning("Get", "/nodes"));
    assert!(nodes.matches("hostname").count() == 2 && nodes.ends_with(&message), "{nodes}");
    let topic = admin.get("/api/topics/clicks");
    let message = format!(r#""message":"{}"}}"#, warning("Get", "/lookup?topic=clicks"));
    assert!(topic.starts_with("200 ") && topic.ends_with(&message), "{topic}");
    let created = warning("Post", "/topic/create?topic=t");
    admin.check(r#"POST /api/topics {"topic":"t"}"#, &format!(r#"200 {{"message":"{created}"}}"#));
}

#[test]
fn steps_that_fail_are_told_one_after_the_other() {
    let cluster = Cluster::with_clicks();
    let gone = nobody();
    let admin = Admin::of_lookupds(&[cluster.lookupd(), gone], &[]);
    let asking = refused("Get", gone, "/lookup?topic=clicks");
    let deleting = refused("Post", gone, "/topic/delete?topic=clicks");
    let expected = format!(r#"200 {{"message":"WARNING: {asking}; {deleting}"}}"#);
    admin.check("DELETE /api/topics/clicks", &expected);
    assert!(!cluster.stats(0).contains("clicks"));
}

#[test]
fn an_action_that_failed_on_all_nsqd_is_an_error() {
    // An nsqlookupd that tells of an nsqd that is gone.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (lookupd, gone) = (listener.local_addr().expect("it is bound"), nobody());
    let body = format!(
        r#"{{"channels":[],"producers":[{{"broadcast_address":"127.0.0.1","http_port":{}}}]}}"#,
        gone.port()
    );
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let (mut reader, mut line) = (BufReader::new(&stream), String::new());
        while reader.read_line(&mut line).expect("text") > 2 {
            line.clear();
        }
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).expect("it reads");
    });
    let admin = Admin::of_lookupds(&[lookupd], &[]);
    let failed = refused("Post", gone, "/topic/pause?topic=t");
    let expected =
        format!(r#"502 {{"message":"UPSTREAM_ERROR: failed to query any nsqd: {failed}"}}"#);
    admin.check(r#"POST /api/topics/t {"action":"pause"}"#, &expected);
    answering.join().expect("no panic");
}

#[test]
fn when_nobody_answers_it_is_an_error() {
    let gone = nobody();
    let admin = Admin::of_lookupds(&[gone], &[]);
    let error = |verb, target| {
        let failed = refused(verb, gone, target);
        format!(r#"502 {{"message":"UPSTREAM_ERROR: failed to query any nsqlookupd: {failed}"}}"#)
    };
    admin.check("GET /api/topics", &error("Get", "/topics"));
    admin.check("GET /api/topics?inactive=true", &error("Get", "/topics"));
    admin.check("GET /api/nodes", &error("Get", "/nodes"));
    admin.check("GET /api/nodes/a:1", &error("Get", "/nodes"));
    admin.check("GET /api/counter", &error("Get", "/nodes"));
    admin.check("GET /api/topics/t", &error("Get", "/lookup?topic=t"));
    admin.check("GET /api/topics/t/c", &error("Get", "/lookup?topic=t"));
    admin.check("DELETE /api/topics/t", &error("Get", "/lookup?topic=t"));
    let create = r#"POST /api/topics {"topic":"t"}"#;
    admin.check(create, &error("Post", "/topic/create?topic=t"));
}

#[test]
fn a_topic_that_the_others_do_not_have_is_not_known_to_be_unknown() {
    let cluster = Cluster::with_clicks();
    let gone = nobody();
    let admin = Admin::of_nsqds(&[cluster.nsqd(0), gone], &[]);
    let target = "/stats?format=json&topic=none&include_clients=false";
    let failed = refused("Get", gone, target).replace('&', "\\u0026");
    let expected = format!(r#"502 {{"message":"UPSTREAM_ERROR: {failed}"}}"#);
    admin.check("GET /api/topics/none", &expected);
    let known = admin.get("/api/topics/clicks");
    assert!(known.contains(r#""message":"WARNING: Get"#), "{known}");
}
