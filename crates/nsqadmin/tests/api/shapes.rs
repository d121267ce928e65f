//! The JSON of every route. `recorded.txt` has what Go NSQ's nsqadmin answered over a cluster like
//! this one of Go's daemons, `corrected.txt` what is answered where docs/differences.md lists a
//! difference; what changes from run to run is blanked out in both.

use super::support::{Admin, Cluster, consumer, settled};

const RECORDED: &str = include_str!("recorded.txt");
const CORRECTED: &str = include_str!("corrected.txt");

/// What the recording was made of.
fn cluster() -> Cluster {
    let cluster = Cluster::with_clicks();
    let [first, second] = &cluster.nsqds;
    first.create("clicks", "web");
    first.order("/channel/pause?topic=clicks&channel=web", "");
    first.order("/topic/create?topic=empty", "");
    cluster.lookupd.create("idle", "ic");
    cluster.lookupd.order("/topic/create?topic=bare", "");
    for (nsqd, messages) in [(first, 3), (second, 2)] {
        for _ in 0..messages {
            nsqd.order("/pub?topic=clicks", "x");
        }
    }
    cluster
}

#[test]
fn every_route_answers_as_recorded() {
    let cluster = cluster();
    let _consumer = consumer(&cluster.nsqds[0], 3);
    let lookupd = Admin::of_lookupds(&[cluster.lookupd()], &[]);
    let nsqd = Admin::of_nsqds(&[cluster.nsqd(1), cluster.nsqd(0)], &[]);
    let (first, second) = (cluster.nsqd(0).to_string(), cluster.nsqd(1).to_string());
    let names = [(&*first, "N1"), (&*second, "N2"), (&*cluster.lookupd().to_string(), "L")]
        .map(|(address, name)| (address.to_owned(), name));
    let recordings = RECORDED.trim_end().split("\n\n").chain(CORRECTED.trim_end().split("\n\n"));
    let mut count = 0;
    for recording in recordings {
        let (request, expected) = recording.split_once('\n').expect("two lines");
        let (mode, target) = request.split_once(' ').expect("mode and target");
        let admin = if mode == "lookupd" { &lookupd } else { &nsqd };
        let target = target.replace("N1", &first);
        // What nsqlookupd knows comes when it comes.
        let answer = settled(expected, || blanked(admin.get(&target), &names));
        assert_eq!(answer, expected, "{request}");
        count += 1;
    }
    assert_eq!(count, 30);
}

/// Without what changes from run to run.
fn blanked(answer: String, names: &[(String, &str)]) -> String {
    let mut answer = answer;
    for (address, name) in names {
        answer = answer.replace(address, name);
    }
    let digit = |c: char| c.is_ascii_digit();
    answer = replaced(&answer, "127.0.0.1:", digit, |_| "P".to_owned());
    for key in ["connect_ts", "connected", "tcp_port", "http_port"] {
        let key = format!("\"{key}\":");
        answer = replaced(&answer, &key, digit, |_| format!("{key}0"));
    }
    for key in ["average", "max", "min", "value"] {
        let key = format!("\"{key}\":");
        let number = |c: char| c.is_ascii_digit() || c == '.';
        let sign = |value: &str| if value == "0" { format!("{key}0") } else { format!("{key}1") };
        answer = replaced(&answer, &key, number, sign);
    }
    for (key, shown) in [("hostname", "H"), ("client_id", ""), ("user_agent", "")] {
        let key = format!("\"{key}\":\"");
        let shown = |value: &str| match value {
            "" => key.clone(),
            _ => format!("{key}{shown}"),
        };
        answer = replaced(&answer, &key, |c| c != '"', shown);
    }
    answer
}

/// Replaces every `start` and what follows it as far as it `belongs` to it.
fn replaced(
    text: &str,
    start: &str,
    belongs: impl Fn(char) -> bool,
    shown: impl Fn(&str) -> String,
) -> String {
    let mut parts = text.split(start);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c| !belongs(c)).unwrap_or(part.len());
        whole.push_str(&shown(&part[..end]));
        whole.push_str(&part[end..]);
    }
    whole
}

#[test]
fn an_empty_cluster_has_nothing() {
    let cluster = nsq_sim::Daemon::lookupd(&[]);
    let admin = Admin::of_lookupds(&[cluster.addresses().http], &[]);
    admin.check("GET /api/topics", r#"200 {"topics":null,"message":""}"#);
    admin.check("GET /api/topics?inactive=true", r#"200 {"topics":{},"message":""}"#);
    admin.check("GET /api/nodes", r#"200 {"nodes":null,"message":""}"#);
    admin.check("GET /api/counter", r#"200 {"stats":{},"message":""}"#);
    admin.check("GET /api/topics/t", r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
}

#[test]
fn requests_that_are_none() {
    let cluster = nsq_sim::Daemon::lookupd(&[]);
    let admin = Admin::of_lookupds(&[cluster.addresses().http], &[]);
    for (request, expected) in [
        ("GET /ping", "200 OK"),
        ("GET /api/graphite", r#"400 {"message":"INVALID_ARG_METRIC"}"#),
        ("GET /api/graphite?metric=rate", r#"400 {"message":"INVALID_ARG_TARGET"}"#),
        ("GET /api/graphite?metric=rate&target=x", r#"500 {"message":"INTERNAL_ERROR"}"#),
        ("GET /api/none", r#"404 {"message":"NOT_FOUND"}"#),
        ("GET /info", r#"404 {"message":"NOT_FOUND"}"#),
        ("POST /api/nodes", r#"405 {"message":"METHOD_NOT_ALLOWED"}"#),
        ("GET /api/topics/*", r#"404 {"message":"TOPIC_NOT_FOUND"}"#),
    ] {
        admin.check(request, expected);
    }
}

#[test]
fn everything_is_below_the_base_path() {
    let cluster = nsq_sim::Daemon::lookupd(&[]);
    let admin = Admin::of_lookupds(&[cluster.addresses().http], &["--base-path=a/b/"]);
    admin.check("GET /a/b/ping", "200 OK");
    admin.check("GET /a/b/api/topics", r#"200 {"topics":null,"message":""}"#);
    admin.check("GET /a/b/api/topics/t", r#"404 {"message":"TOPIC_NOT_FOUND"}"#);
    admin.check("GET /a/b/config/base_path", "200 /a/b");
    for outside in ["/ping", "/api/topics", "/a/ping", "/"] {
        admin.check(&format!("GET {outside}"), r#"404 {"message":"NOT_FOUND"}"#);
    }
    let moved = admin.get("/A/b//ping/?x=1");
    assert!(moved.starts_with("301 <a href=\"/a/b/ping?x=1\">"), "{moved}");
}
