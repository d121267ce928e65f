//! Topics that nsqlookupd names.

use crate::archive::{Home, is_drained, publish, wait_until};
use crate::daemon::Daemon;

#[test]
fn topics_of_a_pattern_are_found_although_one_nsqlookupd_is_down() {
    let (lookupd, home) = (Daemon::lookupd(), Home::new());
    let nsqd = Daemon::nsqd(&[&format!("--lookupd-tcp-address={}", lookupd.tcp)]);
    publish(&nsqd, "log_a", "a", 10);
    publish(&nsqd, "other", "x", 10);
    let known = |topic: &str| {
        let answer = nsq_sim::http::get(lookupd.http, "/topics").expect("an answer");
        answer.body.contains(&format!("\"{topic}\""))
    };
    wait_until("both are known", || known("log_a") && known("other"));
    let flags = [
        "--lookupd-http-address=127.0.0.1:1",
        &format!("--lookupd-http-address={}", lookupd.http),
        "--topic-pattern=log_",
        "--topic-refresh=50ms",
        "--sync-interval=20ms",
    ];
    let archive = home.start(&flags);
    archive.line("could not retrieve topic list: http://127.0.0.1:1/topics - ");
    archive.line("skipping topic other (doesn't match pattern log_)");
    publish(&nsqd, "my_log_b", "b", 10);
    for topic in ["log_a", "my_log_b"] {
        let is_written = || home.finished().names().contains(&&*format!("{topic}.log"));
        wait_until(topic, || is_written() && is_drained(&nsqd, topic));
    }
    let (code, log) = archive.stop();
    assert_eq!(code, Some(0));
    assert!(!log.iter().any(|line| line.contains("skipping topic")), "it is said once");
    let written = home.finished();
    assert_eq!(written.names(), ["log_a.log", "my_log_b.log"]);
    assert_eq!(written.lines().len(), 20);
}

#[test]
fn a_topic_that_cannot_be_started_does_not_keep_others_back() {
    let (nsqd, home) = (Daemon::nsqd(&[]), Home::new());
    let expected = publish(&nsqd, "t", "message", 3);
    let archive = home.archive(&nsqd, &["--topic=not a topic", "--sync-interval=20ms"]);
    archive.line("couldn't create logger for new topic not a topic: invalid topic name");
    wait_until("they are written", || home.finished().lines() == expected);
    assert_eq!(archive.stop().0, Some(0));
}
