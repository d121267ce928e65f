//! Bodies within and beyond limits, whole and broken.

use crate::daemon::{BODY_LIMIT_BYTES, Daemon};

const TOO_BIG: &str = "\
HTTP/1.1 413 Request Entity Too Large
Connection: close
Content-Length: 25
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"MSG_TOO_BIG\"}";

const UNREADABLE: &str = "\
HTTP/1.1 500 Internal Server Error
Connection: close
Content-Length: 28
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"INTERNAL_ERROR\"}";

fn published(body: &str) -> String {
    let length = body.len();
    format!(
        "\
HTTP/1.1 200 OK
Content-Length: {length}
Content-Type: text/plain; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{body}"
    )
}

fn sized(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn chunked(path: &str, chunks: &[&str]) -> String {
    let mut request =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in chunks.iter().chain(&[""]) {
        request.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    request
}

#[tokio::test]
async fn whole_bodies_reach_the_handler() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    let largest = "x".repeat(usize::try_from(BODY_LIMIT_BYTES).expect("small"));
    assert_eq!(client.ask(sized("/pub", "ab")).await, published("ab"));
    assert_eq!(client.ask(sized("/pub", &largest)).await, published(&largest));
    assert_eq!(client.ask(chunked("/pub", &["ab", "c", "de"])).await, published("abcde"));
    assert_eq!(client.ask(chunked("/pub", &[&largest])).await, published(&largest));
    let empty = "HTTP/1.1 200 OK\nContent-Length: 0\nX-Nsq-Content-Type: nsq; version=1.0\n\n";
    assert_eq!(client.ask(sized("/pub", "")).await, empty);
    assert_eq!(client.ask(chunked("/pub", &[])).await, empty);
    assert_eq!(client.ask("POST /pub HTTP/1.1\r\nHost: x\r\n\r\n").await, empty);
}

#[tokio::test]
async fn a_body_may_arrive_in_pieces() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    // The 100 shows that the daemon has begun to wait for the body.
    client
        .send("POST /pub HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    assert_eq!(client.next_response(false).await, "HTTP/1.1 100 Continue\n\n");
    client.send("ab").await;
    client.send("cd").await;
    assert_eq!(client.next_response(true).await, published("abcd"));
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    client.send(sized("/pub", "one") + &sized("/pub", "two") + &chunked("/pub", &["three"])).await;
    for body in ["one", "two", "three"] {
        assert_eq!(client.next_response(true).await, published(body));
    }
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let daemon = Daemon::start().await;
    let too_long = "x".repeat(usize::try_from(BODY_LIMIT_BYTES + 1).expect("small"));
    for request in [
        // An announced length is refused before the body was sent.
        "POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n".to_owned(),
        "POST /pub HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
            .to_owned(),
        sized("/pub", &too_long),
        chunked("/pub", &[&too_long]),
        chunked("/pub", &["x", &too_long]),
    ] {
        let mut client = daemon.connect().await;
        assert_eq!(client.ask(&request).await, TOO_BIG);
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn broken_bodies() {
    let daemon = Daemon::start().await;
    let broken = "HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n";
    let mut client = daemon.connect().await;
    assert_eq!(client.ask(format!("POST /pub {broken}")).await, UNREADABLE);
    assert!(client.is_closed().await);
    // An endpoint that wants no body does not mind, but the connection is of no more use.
    let mut client = daemon.connect().await;
    assert_eq!(
        client.ask(format!("POST /topic/create {broken}")).await,
        "\
HTTP/1.1 200 OK
Connection: close
Content-Length: 0
X-Nsq-Content-Type: nsq; version=1.0

"
    );
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn unwanted_bodies_are_discarded() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    let body = "x".repeat(1 << 20);
    for path in ["/topic/create", "/nope", "/ping", "/Pub"] {
        let response = client.ask(sized(path, &body)).await;
        assert!(!response.contains("Connection: close"), "{response}");
        let response = client.ask(chunked(path, &[&body])).await;
        assert!(!response.contains("Connection: close"), "{response}");
    }
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn discarding_has_a_limit() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    client.send("POST /topic/create HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n").await;
    client.send("x".repeat(2 << 20)).await;
    let response = client.next_response(true).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\nConnection: close\n"), "{response}");
    assert!(client.is_closed().await);
}
