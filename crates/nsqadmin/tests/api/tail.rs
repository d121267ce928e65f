//! A topic's messages as they come.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use nsq_sim::certificates::Authority;
use nsq_sim::{Daemon, binary, http};
use serde_json::Value;

use super::support::{Admin, Cluster, ask, eventually};

const ACCEPT: &str = "Accept: text/event-stream";
/// As documented.
const SHOWN_PER_SECOND: u64 = 50;
const TAILS_MAX: usize = 16;

/// The events of one tail.
struct Events {
    reader: BufReader<TcpStream>,
}

impl Events {
    /// Asks for them, and reads the head of the answer.
    #[track_caller]
    fn open(admin: SocketAddr, topic: &str) -> Self {
        let mut stream = TcpStream::connect(admin).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a valid timeout");
        let request = format!("GET /api/topics/{topic}/tail HTTP/1.0\r\nHost: admin:1\r\n");
        write!(stream, "{request}{ACCEPT}\r\n\r\n").expect("it reads");
        let mut events = Self { reader: BufReader::new(stream) };
        let mut head = String::new();
        while events.line(&mut head) > 2 {}
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.0 200 ok\r\n"), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        assert!(head.contains("cache-control: no-store\r\n"), "{head}");
        events
    }

    #[track_caller]
    fn line(&mut self, text: &mut String) -> usize {
        self.reader.read_line(text).expect("text")
    }

    /// The next event and its data; none at the end. What is no event is a comment.
    #[track_caller]
    fn next(&mut self) -> Option<(String, Value)> {
        let mut text = String::new();
        loop {
            while self.line(&mut text) > 1 {}
            if text.is_empty() {
                return None;
            }
            let lines: Vec<_> = text.split('\n').collect();
            match &*lines {
                [":", "", ""] => text.clear(),
                [name, data, "", ""] => {
                    let name = name.strip_prefix("event: ").expect("a name");
                    let data = data.strip_prefix("data: ").expect("data");
                    let data = serde_json::from_str(data).expect("JSON");
                    return Some((name.to_owned(), data));
                }
                _ => panic!("no event: {text:?}"),
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, name: &str) -> Value {
        let (found, data) = self.next().expect("more");
        assert_eq!(found, name, "{data}");
        data
    }
}

/// Waits until so many tails are subscribed there.
#[track_caller]
fn wait_for_tails(cluster: &Cluster, number: usize, count: usize) {
    eventually(&format!("{count} tails"), || {
        let stats = cluster.stats(number);
        let tails = stats.matches("\"channel_name\":\"admin_tail_").count();
        let clients = stats.matches("\"client_count\":1").count();
        (tails == count && clients == count).then_some(())
    });
}

#[test]
fn what_is_published_is_shown_and_nothing_is_left_behind() {
    let cluster = Cluster::with_clicks();
    let nodes = [cluster.nsqd(0), cluster.nsqd(1)];
    for admin in [Admin::of_lookupds(&[cluster.lookupd()], &[]), Admin::of_nsqds(&nodes, &[])] {
        let mut events = Events::open(admin.address, "clicks");
        let everything: Vec<u8> = (0..=255).collect();
        let long = vec![b'x'; 20_000];
        for number in [0, 1] {
            wait_for_tails(&cluster, number, 1);
            for body in [
                &b"<script>alert(1)</script>\n\nevent: end\ndata: {}\n\n"[..],
                b"\r\n\r\ndata: x\r\r",
                &everything,
                &long,
            ] {
                let published = http::post(nodes[number], "/pub?topic=clicks", body);
                assert_eq!(published.expect("an answer").status, 200);
                let message = events.expect("message");
                assert_eq!(message["node"], nodes[number].to_string());
                assert_eq!(message["attempts"], 1);
                assert_eq!(message["id"].as_str().map(str::len), Some(16));
                assert!(message["timestamp"].as_i64() > Some(1_500_000_000_000_000_000));
                let is_text = str::from_utf8(body).is_ok();
                assert_eq!(message["is_text"], is_text);
                let is_long = body.len() > 16 << 10;
                assert_eq!(message["truncated"], is_long);
                let shown = message["body"].as_str().expect("text");
                match (is_text, is_long) {
                    (true, false) => assert_eq!(shown.as_bytes(), body),
                    (true, true) => assert_eq!(shown.as_bytes(), &body[..16 << 10]),
                    (false, _) => assert!(shown.starts_with("AAECAwQF"), "{shown}"),
                }
            }
        }
        drop(events);
        for number in [0, 1] {
            wait_for_tails(&cluster, number, 0);
            // The other channel has lost nothing by it.
            eventually("its messages are there", || {
                cluster.stats(number).contains("\"depth\":4,").then_some(())
            });
            cluster.nsqds[number].order("/channel/empty?topic=clicks&channel=archive", "");
        }
    }
}

/// The first channel of a topic gets all that waits in it.
#[test]
fn what_waits_for_the_first_channel_is_not_touched() {
    let cluster = Cluster::start();
    for (nsqd, messages) in cluster.nsqds.iter().zip([3, 2]) {
        nsqd.order("/topic/create?topic=bare", "");
        for _ in 0..messages {
            nsqd.order("/pub?topic=bare", "x");
        }
    }
    cluster.wait_for("bare", 2);
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let tail = || ask(admin.address, "GET /api/topics/bare/tail", &[ACCEPT], "");
    let refused = tail();
    assert!(refused.starts_with(r#"409 {"message":"NO_CHANNEL: the topic has no"#), "{refused}");
    cluster.nsqds[1].order("/channel/create?topic=bare&channel=c", "");
    let mut events = Events::open(admin.address, "bare");
    let notice = events.expect("notice")["message"].to_string();
    assert!(notice.contains(&format!("{} is left out", cluster.nsqd(0))), "{notice}");
    wait_for_tails(&cluster, 1, 1);
    // The channel of a tail is none to tail beside.
    cluster.nsqds[1].order("/channel/delete?topic=bare&channel=c", "");
    assert!(tail().starts_with("409 "));
    let stats = cluster.stats(0);
    assert!(stats.contains("\"channels\":[],\"depth\":3,"), "{stats}");
    let unknown = ask(admin.address, "GET /api/topics/none/tail", &[ACCEPT], "");
    assert_eq!(unknown, r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
}

#[test]
fn only_admins_and_their_own_pages_get_messages() {
    let cluster = Cluster::with_clicks();
    const FORBIDDEN: &str = r#"403 {"message":"FORBIDDEN"}"#;
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &["--admin-user=alice"]);
    for headers in [
        &[ACCEPT][..],
        &[ACCEPT, "X-Forwarded-User: eve"],
        &[ACCEPT, "X-Forwarded-User: alice", "Origin: http://evil.example"],
        &[ACCEPT, "X-Forwarded-User: alice", "Sec-Fetch-Site: cross-site"],
    ] {
        for request in ["GET /api/topics/clicks/tail", "POST /api/topics/clicks/publish"] {
            let answer = ask(admin.address, request, headers, r#"{"body":"x"}"#);
            assert_eq!(answer, FORBIDDEN, "{request} {headers:?}");
        }
    }
    let stats = cluster.stats(0);
    assert!(!stats.contains("admin_tail_") && stats.contains("\"message_count\":0"), "{stats}");
}

/// What Go NSQ has at this path.
#[test]
fn a_channel_may_be_called_tail() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    admin.check("GET /api/topics/clicks/tail", r#"404 {"message":"CHANNEL_NOT_FOUND"}"#);
    cluster.nsqds[0].create("clicks", "tail");
    let channel = admin.get("/api/topics/clicks/tail");
    assert!(channel.contains(r#""channel_name":"tail""#), "{channel}");
}

#[test]
fn what_comes_too_fast_is_counted() {
    const MESSAGES: u64 = 500;
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_nsqds(&[cluster.nsqd(0)], &[]);
    let mut events = Events::open(admin.address, "clicks");
    wait_for_tails(&cluster, 0, 1);
    let lines: Vec<_> = (0..MESSAGES).map(|number| number.to_string()).collect();
    cluster.nsqds[0].order("/mpub?topic=clicks", &lines.join("\n"));
    let (mut shown, mut skipped) = (0, 0);
    while shown + skipped < MESSAGES {
        match events.next().expect("more") {
            (name, _) if name == "message" => shown += 1,
            (name, data) => {
                assert_eq!(name, "skipped");
                skipped += data["count"].as_u64().expect("a number");
            }
        }
    }
    assert!(shown >= SHOWN_PER_SECOND && skipped > 0, "{shown} + {skipped}");
    assert_eq!(shown + skipped, MESSAGES);
    // All of them are finished.
    eventually("nothing is in flight", || {
        let stats = cluster.stats(0);
        let tail = stats.split("\"channel_name\":\"admin_tail_").nth(1).expect("it is there");
        tail.contains("\"depth\":0,\"backend_depth\":0,\"in_flight_count\":0,").then_some(())
    });
}

#[test]
fn there_are_only_so_many_at_once() {
    let cluster = Cluster::with_clicks();
    let admin = Admin::of_nsqds(&[cluster.nsqd(0)], &[]);
    let mut tails: Vec<_> = (0..TAILS_MAX).map(|_| Events::open(admin.address, "clicks")).collect();
    let tail = || ask(admin.address, "GET /api/topics/clicks/tail", &[ACCEPT], "");
    assert_eq!(tail(), r#"503 {"message":"TOO_MANY_TAILS"}"#);
    tails.pop();
    wait_for_tails(&cluster, 0, TAILS_MAX - 1);
    let another = || {
        let mut stream = TcpStream::connect(admin.address).expect("it listens");
        write!(stream, "GET /api/topics/clicks/tail HTTP/1.0\r\n{ACCEPT}\r\n\r\n")
            .expect("it reads");
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).expect("text");
        status.contains(" 200 ").then_some(())
    };
    eventually("there is a place again", another);
}

#[test]
fn a_paused_topic_is_told_and_a_deleted_one_stays_deleted() {
    let cluster = Cluster::with_clicks();
    cluster.nsqds[0].order("/topic/pause?topic=clicks", "");
    let admin = Admin::of_nsqds(&[cluster.nsqd(0)], &[]);
    let mut events = Events::open(admin.address, "clicks");
    let paused = format!("the topic is paused on {}", cluster.nsqd(0));
    assert_eq!(events.expect("notice")["message"], paused);
    wait_for_tails(&cluster, 0, 1);
    cluster.nsqds[0].order("/topic/delete?topic=clicks", "");
    let closed = format!("{} has closed the connection", cluster.nsqd(0));
    assert_eq!(events.expect("notice")["message"], closed);
    assert_eq!(events.expect("end")["message"], "no node is left");
    assert!(events.next().is_none());
    assert!(!cluster.stats(0).contains("clicks"));
}

#[test]
fn nodes_that_demand_tls_get_it() {
    let home = tempfile::tempdir().expect("a directory");
    let authority = Authority::new();
    let trusted = authority.write(home.path(), "authority");
    let (certificate, key) = authority.sign(home.path(), "nsqd");
    let words = [
        binary("nsqd").display().to_string(),
        "--broadcast-address=127.0.0.1".to_owned(),
        format!("--data-path={}", home.path().display()),
        format!("--tls-cert={}", certificate.display()),
        format!("--tls-key={}", key.display()),
        "--tls-required=tcp-https".to_owned(),
        "--https-address=".to_owned(),
    ];
    let nsqd = Daemon::run(words.into(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    nsqd.create("t", "c");
    let http = nsqd.addresses().http;
    let flag = format!("--http-client-tls-root-ca-file={}", trusted.display());
    let admin = Admin::of_nsqds(&[http], &[&flag]);
    let mut events = Events::open(admin.address, "t");
    eventually("it is subscribed", || {
        let stats = http::get(http, "/stats?format=json").expect("an answer").body;
        (stats.contains("admin_tail_") && stats.contains("\"tls\":true")).then_some(())
    });
    nsqd.order("/pub?topic=t", "x");
    assert_eq!(events.expect("message")["body"], "x");
    // Nobody vouches for it: a failure that names it.
    let strict = Admin::of_nsqds(&[http], &[]);
    let refused = ask(strict.address, "GET /api/topics/t/tail", &[ACCEPT], "");
    assert!(refused.starts_with("502 ") && refused.contains(&http.to_string()), "{refused}");
}
