//! nsq_to_http: requests, failures, modes, signals, first checks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::daemon::Daemon;
use crate::patience::wait_until;
use crate::tool::{IMPATIENT, NSQ_TO_HTTP, Tool, run};
use crate::web_server::{Reply, WebServer};

const CHANNEL: &str = "nsq_to_http";

/// Consumes topic `t` of that nsqd, and tries failed messages again soon.
#[track_caller]
fn start(nsqd: &Daemon, arguments: &[&str]) -> Tool {
    let source = format!("--nsqd-tcp-address={}", nsqd.tcp());
    let mut all = vec!["--topic=t", &*source];
    all.extend(IMPATIENT);
    all.extend(arguments);
    Tool::start(NSQ_TO_HTTP, &all)
}

fn bodies(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}

/// An nsqd with a channel, so that nothing published before the tool starts goes elsewhere.
fn source() -> Daemon {
    let nsqd = Daemon::nsqd(&[]);
    nsqd.create("t", CHANNEL);
    nsqd
}

#[test]
fn a_post_has_the_message_in_its_body() {
    let (nsqd, server) = (source(), WebServer::start(|_, _| Reply::status(201)));
    let post = format!("--post={}", server.url("/p"));
    let tool = start(&nsqd, &[&post, "--header=X-A: b", "--header=Host: elsewhere", "--n=1"]);
    nsqd.publish("t", &["body"; 2]);
    nsqd.wait_finished("t", CHANNEL, 2);
    let requests = server.requests();
    let mut head = requests[0].head.clone();
    head[1..].sort_unstable();
    let host = format!("Host: {}", server.address);
    let expected = [
        "POST /p HTTP/1.1",
        "Accept-Encoding: gzip",
        "Accept: */*",
        "Content-Length: 4",
        "Content-Type: application/octet-stream",
        &*host,
        "User-Agent: nsq_to_http v1.3.0",
        "X-A: b",
    ];
    assert_eq!(head, expected);
    assert_eq!(requests[0].body, b"body");
    assert_eq!(requests[1].connection, requests[0].connection, "it is kept");
    assert_eq!(tool.stop(), Some(0));
}

#[test]
fn headers_override_those_of_the_tool() {
    let (nsqd, server) = (source(), WebServer::start(|_, _| Reply::status(200)));
    let post = format!("--post={}", server.url("/"));
    let headers = ["--header=content-type: a/b", "--header=user-agent: me", "--content-type=c/d"];
    let _tool = start(&nsqd, &[[&*post].as_slice(), &headers].concat());
    nsqd.publish("t", &["body"]);
    nsqd.wait_finished("t", CHANNEL, 1);
    let request = &server.requests()[0];
    assert_eq!(request.header("Content-Type"), Some("a/b"));
    assert_eq!(request.header("User-Agent"), Some("me"));
    assert_eq!(request.head.len(), 7, "{request:?}");
}

#[test]
fn a_get_has_the_message_in_its_url_and_takes_200_only() {
    let nsqd = source();
    let server = WebServer::start(|_, before| Reply::status(if before == 0 { 204 } else { 200 }));
    let get = format!("--get={}", server.url("/g?d=%s&e=%2F"));
    let tool = start(&nsqd, &[&get]);
    nsqd.publish("t", &["hello wörld&x=1/?"]);
    nsqd.wait_finished("t", CHANNEL, 1);
    let expected = "GET /g?d=hello+w%C3%B6rld%26x%3D1%2F%3F&e=%2F HTTP/1.1";
    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|request| request.line()).collect();
    assert_eq!(lines, [expected; 2]);
    assert_eq!(requests[0].header("Content-Type"), None);
    tool.line("got status code 204");
    assert_eq!(nsqd.counts("t", CHANNEL).requeued, 1);
}

#[test]
fn a_get_may_take_any_2xx() {
    let (nsqd, server) = (source(), WebServer::start(|_, _| Reply::status(204)));
    let get = format!("--get={}", server.url("/%s"));
    let _tool = start(&nsqd, &[&get, "--get-any-2xx"]);
    nsqd.publish("t", &["a"]);
    nsqd.wait_finished("t", CHANNEL, 1);
    assert_eq!((server.count(), nsqd.counts("t", CHANNEL).requeued), (1, 0));
}

#[test]
fn what_fails_is_tried_again_until_it_is_taken() {
    let replies = [
        Reply::status(500),
        Reply::Raw(""),
        Reply::Raw("HTTP/1.1 200 OK\r\nContent-"),
        Reply::Raw("no HTTP\r\n\r\n"),
        Reply::Silence,
        Reply::Status(302, "Location: /nowhere\r\n", String::new()),
        Reply::status(404),
        Reply::status(200),
    ];
    let requests = replies.len();
    let (nsqd, taken) = (source(), Arc::new(AtomicBool::new(false)));
    let server = {
        let taken = Arc::clone(&taken);
        WebServer::start(move |_, before| {
            let last = requests - 1;
            taken.store(before >= last, Ordering::SeqCst);
            replies[before.min(last)].clone()
        })
    };
    let post = format!("--post={}", server.url("/"));
    let tool = start(&nsqd, &[&post, "--http-client-request-timeout=300ms"]);
    nsqd.publish("t", &["a"]);
    wait_until("the message is finished, and not before it was taken", || {
        let counts = nsqd.counts("t", CHANNEL);
        let is_finished = counts.messages == 1 && counts.left == 0;
        assert!(!is_finished || taken.load(Ordering::SeqCst), "{counts:?}");
        is_finished
    });
    assert_eq!(server.count(), requests);
    // The redirection and what it led to are one attempt.
    assert_eq!(nsqd.counts("t", CHANNEL).requeued as usize, requests - 2);
    tool.line("got status code 500");
    assert_eq!(tool.stop(), Some(0));
}

#[test]
fn redirections_are_followed_as_in_go() {
    let nsqd = source();
    let server = WebServer::start(|request, _| match request.line() {
        "POST /a HTTP/1.1" => Reply::Status(302, "Location: /b\r\n", String::new()),
        "POST /c HTTP/1.1" => Reply::Status(307, "Location: /d\r\n", String::new()),
        _ => Reply::status(200),
    });
    let (a, c) = (format!("--post={}", server.url("/a")), format!("--post={}", server.url("/c")));
    let _tool = start(&nsqd, &[&a, &c, "--mode=all"]);
    nsqd.publish("t", &["x"]);
    nsqd.wait_finished("t", CHANNEL, 1);
    let requests = server.requests();
    let lines: Vec<_> = requests.iter().map(|it| (it.line(), it.body.as_slice())).collect();
    let expected: [(&str, &[u8]); 4] = [
        ("POST /a HTTP/1.1", b"x"),
        ("GET /b HTTP/1.1", b""),
        ("POST /c HTTP/1.1", b"x"),
        ("POST /d HTTP/1.1", b"x"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_response_without_end_is_not_read_for_ever() {
    let nsqd = source();
    let server = WebServer::start(|_, _| Reply::Status(200, "", "x".repeat(8 << 20)));
    let post = format!("--post={}", server.url("/"));
    let _tool = start(&nsqd, &[&post]);
    nsqd.publish("t", &bodies(3));
    nsqd.wait_finished("t", CHANNEL, 3);
    assert_eq!(nsqd.counts("t", CHANNEL).requeued, 0);
}

#[test]
fn a_server_that_hangs_stops_only_its_own_requests() {
    for mode in ["round-robin", "hostpool", "epsilon-greedy"] {
        let nsqd = source();
        let hanging = WebServer::start(|_, _| Reply::Silence);
        let answering = WebServer::start(|_, _| Reply::status(200));
        let posts = [&hanging, &answering].map(|server| format!("--post={}", server.url("/")));
        let mode = format!("--mode={mode}");
        let tool = start(&nsqd, &[&*posts[0], &posts[1], "--n=10", &mode]);
        nsqd.publish("t", &bodies(500));
        wait_until("all others are finished", || {
            let (held, counts) = (hanging.count(), nsqd.counts("t", CHANNEL));
            counts.messages == 500 && held > 0 && counts.left as usize == held
        });
        assert!(hanging.count() <= 5, "{mode}: half of what is sent at a time");
        drop(tool);
    }
}

#[test]
fn modes() {
    for (mode, expected) in [("round-robin", [50, 50]), ("hostpool", [50, 50]), ("all", [100, 100])]
    {
        let nsqd = source();
        let servers = [(); 2].map(|()| WebServer::start(|_, _| Reply::status(200)));
        let posts = servers.each_ref().map(|server| format!("--post={}", server.url("/")));
        let mode = format!("--mode={mode}");
        let every = ["--n=1", "--status-every=10"];
        let tool = start(&nsqd, &[&*posts[0], &posts[1], &mode, every[0], every[1]]);
        nsqd.publish("t", &bodies(100));
        nsqd.wait_finished("t", CHANNEL, 100);
        assert_eq!(servers.each_ref().map(WebServer::count), expected, "{mode}");
        tool.line("Warning: use more than 100 status values");
        tool.line("[aggregate]: finished 10 - 99th: ");
    }
}

#[test]
fn all_means_every_address_and_the_first_ones_again_after_a_failure() {
    let nsqd = source();
    let first = WebServer::start(|_, _| Reply::status(200));
    let second = WebServer::start(|_, before| Reply::status(if before == 0 { 500 } else { 200 }));
    let posts = [&first, &second].map(|server| format!("--post={}", server.url("/")));
    let _tool = start(&nsqd, &[&posts[0], &posts[1], "--mode=all"]);
    nsqd.publish("t", &["x"]);
    nsqd.wait_finished("t", CHANNEL, 1);
    assert_eq!((first.count(), second.count()), (2, 2));
}

#[test]
fn a_sample_of_nothing_finishes_everything_unsent() {
    let (nsqd, server) = (source(), WebServer::start(|_, _| Reply::status(200)));
    let post = format!("--post={}", server.url("/"));
    let _tool = start(&nsqd, &[&post, "--sample=0"]);
    nsqd.publish("t", &bodies(100));
    nsqd.wait_finished("t", CHANNEL, 100);
    assert_eq!(server.count(), 0);
}

#[test]
fn sigterm_waits_for_what_is_in_flight() {
    let (nsqd, may_answer) = (source(), Arc::new(AtomicBool::new(false)));
    let server = {
        let may_answer = Arc::clone(&may_answer);
        WebServer::start(move |_, _| {
            wait_until("the test lets go", || may_answer.load(Ordering::SeqCst));
            Reply::status(200)
        })
    };
    let post = format!("--post={}", server.url("/"));
    let tool = start(&nsqd, &[&post, "--max-in-flight=5"]);
    nsqd.publish("t", &bodies(20));
    wait_until("five are on their way", || server.count() == 5);
    tool.terminate();
    tool.line("stopping");
    may_answer.store(true, Ordering::SeqCst);
    assert_eq!(tool.wait(), Some(0));
    wait_until("nsqd saw it leave", || nsqd.counts("t", CHANNEL).in_flight == 0);
    let counts = nsqd.counts("t", CHANNEL);
    assert_eq!((counts.left, counts.requeued, server.count()), (15, 0, 5));
}

#[test]
fn nsqd_is_found_through_nsqlookupd() {
    let lookupd = Daemon::lookupd();
    let nsqd = Daemon::nsqd(&[&lookupd]);
    let server = WebServer::start(|_, _| Reply::status(200));
    nsqd.create("t", CHANNEL);
    let post = format!("--post={}", server.url("/"));
    let source = format!("--lookupd-http-address={}", lookupd.http());
    let poll = "--consumer-opt=lookupd_poll_interval,100ms";
    let tool = Tool::start(NSQ_TO_HTTP, &["--topic=t", &source, &post, poll]);
    nsqd.publish("t", &bodies(3));
    nsqd.wait_finished("t", CHANNEL, 3);
    assert_eq!(server.count(), 3);
    assert_eq!(tool.stop(), Some(0));
}

#[test]
fn command_lines() {
    let base = ["--topic=t", "--post=http://127.0.0.1:1/"];
    let check = |arguments: &[&str], expected: (Option<i32>, &str, &str)| {
        let (code, printed, said) = run(NSQ_TO_HTTP, &[base.as_slice(), arguments].concat());
        assert_eq!((code, &*printed, &*said), expected, "{arguments:?}");
    };
    check(&["--version"], (Some(0), "nsq_to_http v1.3.0\n", ""));
    let help = "run 'nsq_to_http --help' for the flags";
    check(&["--nosuch"], (Some(2), "", help));
    check(&["--mode=hostpol"], (Some(2), "", help));
    check(&["--consumer-opt=nope"], (Some(2), "", help));
    let required = "--nsqd-tcp-address or --lookupd-http-address required";
    check(&[], (Some(1), "", required));
    check(&["--nsqd-tcp-address=127.0.0.1:1", "--topic=a b"], (Some(1), "", "invalid topic name"));
    let (code, _, said) =
        run(NSQ_TO_HTTP, &[base.as_slice(), &["--nsqd-tcp-address=127.0.0.1:1"]].concat());
    assert!(code == Some(1) && said.to_lowercase().contains("connection refused"), "{said}");
}
