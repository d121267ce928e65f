//! http-api.md §9: `/stats` as text.

use serde_json::Value;

use crate::support::{Client, Daemon, publish, publish_many};

/// The text with what differs from run to run made the same: version of the compiler, times.
#[track_caller]
fn text(daemon: &Daemon, query: &str) -> String {
    let answer = daemon.get(&format!("/stats{query}"));
    assert_eq!(answer.status, 200, "{query}");
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert!(answer.text().ends_with('\n'));
    answer.text().lines().map(steady).collect()
}

fn steady(line: &str) -> String {
    let marks = [
        ("nsqd v1.3.0 (built w/", "…)"),
        ("start_time ", "…"),
        ("uptime ", "…"),
        ("connected: ", "…"),
        ("\t", "…"),
    ];
    let cut = marks.iter().find_map(|(mark, end)| {
        let at = line.find(mark)? + mark.len();
        Some(format!("{}{end}\n", &line[..at]))
    });
    cut.unwrap_or_else(|| format!("{line}\n"))
}

fn head() -> String {
    ["nsqd v1.3.0 (built w/…)", "start_time …", "uptime …", "", "Health: OK", ""].join("\n")
}

const MEMORY: &str = "
Memory:
   heap_objects             \t…
   heap_idle_bytes          \t…
   heap_in_use_bytes        \t…
   heap_released_bytes      \t…
   gc_pause_usec_100        \t…
   gc_pause_usec_99         \t…
   gc_pause_usec_95         \t…
   next_gc_bytes            \t…
   gc_total_runs            \t…
";

#[test]
fn an_empty_node() {
    let daemon = Daemon::start(&[]);
    let end = "\nTopics: None\n\nProducers: None\n";
    for query in ["", "?format=text", "?format=JSON", "?format="] {
        assert_eq!(text(&daemon, query), format!("{}{MEMORY}{end}", head()), "{query}");
    }
    assert_eq!(text(&daemon, "?include_mem=false"), format!("{}{end}", head()));
}

#[test]
fn times() {
    let daemon = Daemon::start(&[]);
    let answer = daemon.get("/stats");
    let lines: Vec<_> = answer.text().lines().collect();
    let start_time = lines[1].strip_prefix("start_time ").expect("the second line");
    let form: String =
        start_time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).take(19).collect();
    assert_eq!(form, "0000-00-00T00:00:00");
    let uptime = lines[2].strip_prefix("uptime ").expect("the third line");
    let uptime = nsq_app::duration::parse_nanoseconds(uptime).expect("a duration as in Go");
    assert!((1..60_000_000_000).contains(&uptime), "{uptime}");
}

/// A consumer and a producer as in the sample of the description.
fn populated() -> (Daemon, [Client; 2]) {
    let daemon = Daemon::start(&["--mem-queue-size=3"]);
    let mut producer = daemon.client();
    producer.identify(r#"{"client_id":"pc","hostname":"phost","user_agent":"ua/1"}"#);
    let mut consumer = daemon.client();
    consumer.identify(r#"{"client_id":"cc","hostname":"chost","user_agent":"ua/2"}"#);
    consumer.subscribe("st", "ch");
    producer.send(publish_many("st", &["0123456789"; 8]));
    producer.expect_ok();
    consumer.ready(2);
    let first = consumer.expect_message();
    consumer.finish(&first);
    let second = consumer.expect_message();
    consumer.requeue(&second, 60_000);
    consumer.expect_bodies(2);
    consumer.expect_nothing();
    daemon.publish("st2", "1");
    (daemon, [consumer, producer])
}

#[test]
fn the_whole_document() {
    let (daemon, [consumer, producer]) = populated();
    // What is on disk is the daemon's business.
    let on_disk = daemon.channel_number("st", "ch", "backend_depth");
    let (consumer, producer) = (consumer.local_address().port(), producer.local_address().port());
    let (consumer, producer) = (format!("chost:{consumer} ua/2"), format!("phost:{producer} ua/1"));
    let channel = format!(
        "      [ch                       ] depth: 4     be-depth: {on_disk:<5} inflt: 2    def: 1    re-q: 1     timeout: 0     msgs: 8        e2e%: "
    );
    let client = format!(
        "        [V2 {consumer:<21}] state: 3 inflt: 2    rdy: 2    fin: 1        re-q: 1        msgs: 4        connected: …"
    );
    let topics = [
        "",
        "Topics:",
        "   [st             ] depth: 0     be-depth: 0     msgs: 8        e2e%: ",
        &channel,
        &client,
        "",
        "   [st2            ] depth: 1     be-depth: 0     msgs: 1        e2e%: ",
        "",
    ]
    .join("\n");
    let producers =
        format!("\nProducers:\n   [V2 {producer:<21}] msgs: 8        topics: st=8 connected: …\n");
    let expected = format!("{}{topics}{producers}", head());
    assert_eq!(text(&daemon, "?include_mem=0"), expected);
}

#[test]
fn filters_and_clients() {
    let (daemon, mut clients) = populated();
    daemon.order("/topic/pause?topic=st2");
    daemon.order("/channel/pause?topic=st&channel=ch");
    let unknown = text(&daemon, "?include_mem=0&topic=unknown");
    assert_eq!(unknown, format!("{}\nTopics: None\n\nProducers: None\n", head()));
    let other = text(&daemon, "?include_mem=0&topic=st2");
    assert!(other.contains("\nTopics:\n*P [st2            ] depth: 1 "), "{other}");
    // Who never published to this topic is listed, as if it consumed.
    assert!(other.contains("ua/1     ] state: 0 inflt: 0    rdy: 0    fin: 0 "), "{other}");
    let none = text(&daemon, "?include_mem=0&include_clients=false");
    assert!(none.contains("\n   *P [ch                       ] depth: 4 "), "{none}");
    assert!(none.ends_with("\nProducers: None\n") && !none.contains("[V2"), "{none}");
    // A consumer that has published is shown as a producer.
    clients[0].send(publish("st", "1"));
    clients[0].expect_ok();
    let both = text(&daemon, "?include_mem=0&topic=st");
    let lines: Vec<_> = both.lines().filter(|line| line.contains(" ua/2 ")).collect();
    assert_eq!(lines.len(), 2, "{both}");
    assert!(lines[0].starts_with("        [V2 chost:"), "{both}");
    assert!(lines[1].starts_with("   [V2 chost:"), "{both}");
    assert!(lines.iter().all(|line| line.contains("] msgs: 1        topics: st=1 ")), "{both}");
    let parsed: Value = daemon.stats();
    assert_eq!(parsed["producers"].as_array().map(Vec::len), Some(2));
}
