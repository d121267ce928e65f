//! Connections and listeners from open to close.

use std::sync::Arc;
use std::time::Duration;

use nsq_app::Shutdown;
use nsq_app::http::{Router, serve};
use nsq_net::{Door, Listener};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::daemon::{CONNECTIONS_MAX, Daemon, LARGE_BYTES, State, capture_log, routes};

const GET_PING: &str = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn http_1_0_closes_unless_asked_not_to() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    assert_eq!(
        client.ask("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await,
        "\
HTTP/1.0 200 OK
Connection: keep-alive
Content-Length: 2
Content-Type: text/plain; charset=utf-8

OK"
    );
    assert_eq!(
        client.ask("GET /ping HTTP/1.0\r\n\r\n").await,
        "HTTP/1.0 200 OK\nContent-Length: 2\nContent-Type: text/plain; charset=utf-8\n\nOK"
    );
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn improper_requests_are_refused() {
    let daemon = Daemon::start().await;
    let long_head = format!("GET /ping HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(2 << 20));
    for (request, status_line) in [
        ("garbage\r\n\r\n", "HTTP/1.1 400 Bad Request\n"),
        ("GET /pi%zz HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 Bad Request\n"),
        ("GET /ping HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request: missing required Host header\n"),
        (long_head.as_str(), "HTTP/1.1 431 Request Header Fields Too Large\n"),
    ] {
        let mut client = daemon.connect().await;
        let response = client.ask(request).await;
        assert!(response.starts_with(status_line), "{response}");
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_lets_requests_finish() {
    let mut daemon = Daemon::start().await;
    let mut fresh = daemon.connect().await;
    let mut idle = daemon.connect().await;
    idle.ask(GET_PING).await;
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /ping");
    let mut busy = daemon.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    daemon.state.waiting.notified().await;

    daemon.shutdown.begin();
    assert!(idle.is_closed().await);
    assert!(fresh.is_closed().await);
    assert_eq!(daemon.next_line().await, format!("INFO: HTTP: closing {}", daemon.address));
    assert!(TcpStream::connect(&daemon.address).await.is_err());
    daemon.state.go_on.notify_one();
    let response = busy.next_response(true).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\nConnection: close\n"), "{response}");
    assert!(response.ends_with("waited"), "{response}");
    assert!(busy.is_closed().await);
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /wait");
    daemon.server.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn who_has_closed_its_direction_is_answered() {
    let daemon = Daemon::answering_half_closed().await;
    let mut stream = TcpStream::connect(&daemon.address).await.expect("the daemon listens");
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    daemon.state.waiting.notified().await;
    stream.shutdown().await.expect("it is open");
    // Long enough for it to be noticed.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    daemon.state.go_on.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("waited"), "{answer}");
}

#[tokio::test]
async fn what_is_detached_goes_on_without_its_client() {
    let mut daemon = Daemon::start().await;
    for path in ["/wait", "/wait/detached"] {
        let mut client = daemon.connect().await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        daemon.state.waiting.notified().await;
        drop(client);
        while daemon.meter.open() > 0 {
            tokio::task::yield_now().await;
        }
        daemon.state.go_on.notify_one();
    }
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /wait/detached");
}

#[tokio::test]
async fn the_longest_idle_connection_makes_room_and_a_busy_one_stays() {
    let daemon = Daemon::start().await;
    let mut busy = daemon.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    daemon.state.waiting.notified().await;
    // Half a request is as good as none.
    let mut slow = daemon.connect().await;
    slow.send("GET /ping HTTP/1.1\r\nHos").await;
    let mut others = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut client = daemon.connect().await;
        assert!(client.is_usable().await);
        others.push(client);
    }
    assert!(slow.is_closed().await);
    let (evicted, rest) = others.split_first_mut().expect("there are some");
    assert!(evicted.is_closed().await);
    for client in rest {
        assert!(client.is_usable().await);
    }
    daemon.state.go_on.notify_one();
    assert!(busy.next_response(true).await.ends_with("waited"));
}

#[tokio::test]
async fn bodies_that_never_end_keep_nobody_out() {
    let daemon = Daemon::start().await;
    let mut endless = Vec::new();
    // More than there may be, those included that are just ending.
    for _ in 0..4 * CONNECTIONS_MAX {
        let mut client = daemon.connect().await;
        client.send("POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf").await;
        endless.push(client);
    }
    let mut late = daemon.connect().await;
    assert!(late.is_usable().await);
}

#[tokio::test]
async fn a_newcomer_does_not_make_room_for_itself() {
    let daemon = Daemon::start().await;
    let mut busy = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut client = daemon.connect().await;
        client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
        daemon.state.waiting.notified().await;
        busy.push(client);
    }
    let mut newcomer = daemon.connect().await;
    assert!(newcomer.is_usable().await);
}

/// The clock runs ahead as soon as nobody can go on.
#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let daemon = Daemon::start().await;
    let mut stream = TcpStream::connect(&daemon.address).await.expect("the daemon listens");
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    stream.readable().await.expect("the response has begun");
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    let mut received = Vec::new();
    // What the kernel holds, then the end or a reset.
    match stream.read_to_end(&mut received).await {
        Ok(_) | Err(_) => {}
    }
    assert!(received.len() < LARGE_BYTES, "{} bytes came", received.len());
}

#[tokio::test]
async fn clients_of_a_unix_socket_show_as_at_sign() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("http.sock");
    let text = path.to_str().expect("plain characters");
    let listener = Listener::bind(text).await.expect("a free path");
    let (log, mut lines) = capture_log();
    let router = Arc::new(Router::new(Arc::new(State::default()), log, routes()));
    let server = tokio::spawn(serve("HTTP", (listener, Door::Plain), router, Shutdown::new(), 10));
    let mut line = async || lines.recv().await.expect("the logger lives");
    assert!(line().await.ends_with(&format!("INFO: HTTP: listening on {}\n", path.display())));

    let mut client = UnixStream::connect(&path).await.expect("the daemon listens");
    client.write_all(b"GET /ping HTTP/1.0\r\n\r\n").await.expect("the daemon reads");
    let mut response = String::new();
    client.read_to_string(&mut response).await.expect("the daemon answers");
    assert!(response.ends_with("\r\n\r\nOK"), "{response}");
    assert!(line().await.contains("INFO: 200 GET /ping (@) "));
    server.abort();
}
