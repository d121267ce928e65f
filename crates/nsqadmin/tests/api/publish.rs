//! Test messages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};

use nsq_sim::{Connection, Received, command};

use super::support::{Admin, Cluster, ask, eventually};

const INVALID: &str = r#"400 {"message":"INVALID_BODY"}"#;

/// The body of the next message in the channel `archive`, which is finished.
#[track_caller]
fn next_body(nsqd: SocketAddr) -> Vec<u8> {
    let mut consumer = Connection::open(nsqd).expect("it listens");
    let subscribed = consumer.ask(&command::subscribe("clicks", "archive")).expect("an answer");
    assert_eq!(subscribed, Received::Response(b"OK".to_vec()));
    consumer.send(&command::ready(1)).expect("it reads");
    let Received::Message(message) = consumer.answer().expect("a message") else {
        panic!("no message")
    };
    consumer.send(&command::finish(&message.id)).expect("it reads");
    // Whoever is answered has been heard.
    consumer.send(b"CLS\n").expect("it reads");
    let closed = consumer.answer().expect("an answer");
    assert_eq!(closed, Received::Response(b"CLOSE_WAIT".to_vec()));
    message.body
}

#[test]
fn messages_reach_the_node_that_is_named() {
    let cluster = Cluster::with_clicks();
    let [first, second] = [cluster.nsqd(0), cluster.nsqd(1)];
    let tcp = |number: usize| cluster.nsqds[number].addresses().tcp;
    for admin in
        [Admin::of_lookupds(&[cluster.lookupd()], &[]), Admin::of_nsqds(&[first, second], &[])]
    {
        let publish = |body: &str| admin.act(&format!("POST /api/topics/clicks/publish {body}"));
        let taken = |node| format!(r#"200 {{"node":"{node}","message":""}}"#);
        assert_eq!(publish(r#"{"body":"grüß\n<b>"}"#), taken(first));
        assert_eq!(next_body(tcp(0)), "grüß\n<b>".as_bytes());
        let to_second = format!(r#"{{"body_base64":"AP8KDQo=","node":"{second}"}}"#);
        assert_eq!(publish(&to_second), taken(second));
        assert_eq!(next_body(tcp(1)), b"\0\xff\n\r\n");
        let deferred = format!(r#"{{"body":"x","node":"{second}","defer_ms":1}}"#);
        assert_eq!(publish(&deferred), taken(second));
        assert_eq!(next_body(tcp(1)), b"x");
        assert_eq!(publish(r#"{"body":"later","node":"","defer_ms":600000}"#), taken(first));
    }
    eventually("they are deferred", || {
        cluster.stats(0).contains(r#""deferred_count":2"#).then_some(())
    });
}

#[test]
fn nothing_is_created_and_mistakes_are_named() {
    let cluster = Cluster::with_clicks();
    cluster.nsqds[0].order("/topic/create?topic=first", "");
    cluster.wait_for("first", 1);
    cluster.lookupd.create("idle", "c");
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let (no_topic, no_node) =
        (r#"404 {"message":"TOPIC_NOT_FOUND"}"#, r#"404 {"message":"NODE_NOT_FOUND"}"#);
    let elsewhere = format!(r#"{{"body":"x","node":"{}"}}"#, cluster.nsqd(1));
    for (topic, body, expected) in [
        ("none", r#"{"body":"x"}"#, no_topic),
        ("idle", r#"{"body":"x"}"#, no_topic),
        ("first", &*elsewhere, no_topic),
        ("clicks", r#"{"body":"x","node":"127.0.0.1:9"}"#, no_node),
        ("*", r#"{"body":"x"}"#, r#"400 {"message":"INVALID_TOPIC"}"#),
        ("clicks", "", INVALID),
        ("clicks", "{}", INVALID),
        ("clicks", "{no", INVALID),
        ("clicks", r#"["x"]"#, INVALID),
        ("clicks", r#"{"body":""}"#, INVALID),
        ("clicks", r#"{"body":1}"#, INVALID),
        ("clicks", r#"{"body":"x","body_base64":"eA=="}"#, INVALID),
        ("clicks", r#"{"body_base64":"%"}"#, INVALID),
        ("clicks", r#"{"body":"x","defer_ms":-1}"#, INVALID),
        ("clicks", r#"{"body":"x","defer_ms":"1"}"#, INVALID),
    ] {
        let request = format!("POST /api/topics/{topic}/publish");
        assert_eq!(ask(admin.address, &request, &[], body), expected, "{topic} {body}");
    }
    for bytes in [(1 << 20) + 1, 3 << 20] {
        let body = format!(r#"{{"body":"{}"}}"#, "x".repeat(bytes));
        let answer = ask(admin.address, "POST /api/topics/clicks/publish", &[], &body);
        assert_eq!(answer, r#"413 {"message":"INVALID_BODY"}"#, "{bytes}");
    }
    assert!(!cluster.stats(1).contains("first") && !cluster.stats(0).contains("none"));
    assert!(!cluster.stats(0).contains("\"message_count\":1"));
}

#[test]
fn what_all_nodes_refuse_is_an_error_that_tells_what_they_said() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let wish = r#"{"body":"x","defer_ms":999999999999}"#;
    let refused = admin.act(&format!("POST /api/topics/clicks/publish {wish}"));
    assert!(refused.starts_with("502 "), "{refused}");
    assert_eq!(refused.matches("INVALID_DEFER").count(), 2, "{refused}");
}

/// What Go NSQ has at this path.
#[test]
fn a_channel_may_be_called_publish() {
    let cluster = Cluster::with_clicks();
    for nsqd in &cluster.nsqds {
        nsqd.create("clicks", "publish");
    }
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let action = r#"POST /api/topics/clicks/publish {"action":"pause"}"#;
    admin.check(action, r#"200 {"message":""}"#);
    assert!(cluster.stats(0).contains("\"paused\":true"));
}

/// An nsqd that has the topic `t`, until it was given a message, which it answers with this.
fn pretender(listener: TcpListener, answer: &'static str) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        loop {
            let (stream, _) = listener.accept().expect("somebody connects");
            let mut reader = BufReader::new(stream);
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).expect("text") > 2 {
                head.push_str(&line.to_lowercase());
                line.clear();
            }
            let is_message = head.starts_with("post /pub?topic=t ");
            let body = match &head {
                head if head.starts_with("get /stats") => {
                    r#"{"topics":[{"topic_name":"t","channels":[]}]}"#
                }
                _ if is_message => answer,
                _ => "{}",
            };
            if is_message {
                reader.read_exact(&mut [0]).expect("a message of one byte");
            }
            let length = body.len();
            let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            reader.get_mut().write_all(text.as_bytes()).expect("it reads");
            if is_message {
                return;
            }
        }
    })
}

/// Another node is not given the message either: the first may have it.
#[test]
fn an_answer_that_is_not_ok_is_no_success() {
    for (answer, expected) in [("OK", "200 "), ("NOK", "502 "), ("", "502 "), ("OK\n", "502 ")] {
        let [first, second] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let addresses = [&first, &second].map(|nsqd| nsqd.local_addr().expect("it is bound"));
        let [first, second] = [first, second].map(|listener| pretender(listener, answer));
        let admin = Admin::of_nsqds(&addresses, &[]);
        let published = admin.act(r#"POST /api/topics/t/publish {"body":"x"}"#);
        assert!(published.starts_with(expected), "{answer:?}: {published}");
        let both = [first, second];
        let given = || both.iter().filter(|nsqd| nsqd.is_finished()).count();
        eventually("one of them was given it", || (given() > 0).then_some(()));
        assert_eq!(given(), 1, "{answer:?}");
    }
}
