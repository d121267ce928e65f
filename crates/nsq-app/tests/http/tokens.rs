//! Who is answered when tokens are asked for.

use std::path::Path;
use std::sync::Arc;

use nsq_app::TokenFile;

use crate::daemon::Daemon;

const ONE: &str = "token-of-the-console";
const OTHER: &str = "another-0123456789+/=~";
const UNAUTHORIZED: &str = "\
HTTP/1.1 401 Unauthorized
Content-Length: 26
Content-Type: application/json; charset=utf-8
Www-Authenticate: Bearer
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"UNAUTHORIZED\"}";

fn load(path: &Path) -> Arc<TokenFile> {
    let path = path.to_str().expect("plain characters");
    TokenFile::load(path).expect("a list").expect("a path")
}

fn list(directory: &tempfile::TempDir, text: &str) -> Arc<TokenFile> {
    let path = directory.path().join("tokens");
    std::fs::write(&path, text).expect("room for a file");
    load(&path)
}

/// A request on a connection of its own; its response, or `""` for the usual refusal.
async fn ask(daemon: &Daemon, request: &str, headers: &str) -> String {
    let mut client = daemon.connect().await;
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let response = client.ask(request).await;
    if response == UNAUTHORIZED {
        // It is told, not thrown out.
        assert!(client.is_usable().await);
        return String::new();
    }
    response.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn only_those_who_know_a_token_are_answered() {
    let directory = tempfile::tempdir().expect("a directory");
    let tokens = list(&directory, &format!("# both\n{ONE}\n\n {OTHER}\n"));
    let daemon = Daemon::guarded(Some(tokens)).await;
    for (request, headers, expected) in [
        ("GET /stats", format!("Authorization: Bearer {ONE}\r\n"), "HTTP/1.1 200 OK"),
        ("GET /stats", format!("authorization: bearer  {OTHER} \r\n"), "HTTP/1.1 200 OK"),
        ("GET /nothing", format!("Authorization: Bearer {ONE}\r\n"), "HTTP/1.1 404 Not Found"),
        ("GET /stats", String::new(), ""),
        ("GET /stats", "Authorization:\r\n".to_owned(), ""),
        ("GET /stats", "Authorization: Bearer\r\n".to_owned(), ""),
        ("GET /stats", "Authorization: Bearer \r\n".to_owned(), ""),
        ("GET /stats", format!("Authorization: {ONE}\r\n"), ""),
        ("GET /stats", format!("Authorization: Basic {ONE}\r\n"), ""),
        ("GET /stats", format!("Authorization: Bearer {ONE}x\r\n"), ""),
        ("GET /stats", "Authorization: Bearer token-of-the-consol\r\n".to_owned(), ""),
        ("GET /stats", format!("Authorization: Bearer {ONE}, {OTHER}\r\n"), ""),
        ("GET /stats", format!("Authorization: Bearer {ONE} {OTHER}\r\n"), ""),
        ("GET /stats", "Authorization: Bearer # both\r\n".to_owned(), ""),
        ("GET /stats", format!("X-Authorization: Bearer {ONE}\r\n"), ""),
        ("GET /stats", format!("Authorization: Bearer {ONE}\r\n").repeat(2), ""),
        // Only the open route is open, and neither its neighbours nor its misspellings.
        ("GET /ping", String::new(), "HTTP/1.1 200 OK"),
        (
            "GET /ping",
            "Authorization: Bearer wrong-and-no-matter\r\n".to_owned(),
            "HTTP/1.1 200 OK",
        ),
        ("GET /ping?x=1", String::new(), "HTTP/1.1 200 OK"),
        ("GET /%70ing", String::new(), "HTTP/1.1 200 OK"),
        ("POST /ping", String::new(), ""),
        ("GET /ping/", String::new(), ""),
        ("GET //ping", String::new(), ""),
        ("GET /PING", String::new(), ""),
        ("GET /nothing", String::new(), ""),
        ("OPTIONS /stats", String::new(), ""),
        ("OPTIONS *", String::new(), ""),
        ("PUT /config/ping", String::new(), ""),
        ("GET /debug/pprof/", String::new(), ""),
        ("POST /pub", "Content-Length: 0\r\n".to_owned(), ""),
        ("PUT /debug/setblockrate", String::new(), ""),
    ] {
        let found = ask(&daemon, request, &headers).await;
        assert_eq!(found, expected, "{request} with {headers:?}");
    }
}

#[tokio::test]
async fn refusals_are_logged_and_tokens_are_not() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut daemon = Daemon::guarded(Some(list(&directory, ONE))).await;
    let wrong = "Authorization: Bearer wrong-but-long-enough\r\n";
    assert_eq!(ask(&daemon, "POST /pub?topic=t", wrong).await, "");
    assert_eq!(daemon.next_request().await, "INFO: 401 POST /pub?topic=t");
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /ping");
    let right = format!("Authorization: Bearer {ONE}\r\n");
    assert_eq!(ask(&daemon, "GET /stats", &right).await, "HTTP/1.1 200 OK");
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /stats");
}

#[tokio::test]
async fn a_body_that_nobody_may_send_is_dropped() {
    let directory = tempfile::tempdir().expect("a directory");
    let daemon = Daemon::guarded(Some(list(&directory, ONE))).await;
    let mut client = daemon.connect().await;
    let body = "x".repeat(1000);
    let request = format!("POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{body}");
    assert_eq!(client.ask(&request).await, UNAUTHORIZED);
    assert_eq!(client.ask(&request).await, UNAUTHORIZED);
    // One without end is not read to its end.
    let request = "POST /pub HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    client.send(request).await;
    client.send(body.repeat(2000)).await;
    let response = client.next_response(true).await;
    assert!(response.starts_with("HTTP/1.1 401 Unauthorized\nConnection: close\n"), "{response}");
}

#[tokio::test]
async fn tokens_change_when_their_file_is_read_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let tokens = list(&directory, ONE);
    let daemon = Daemon::guarded(Some(Arc::clone(&tokens))).await;
    let mut client = daemon.connect().await;
    let request =
        |token| format!("GET /stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert!(client.ask(request(ONE)).await.starts_with("HTTP/1.1 200 OK\n"));
    assert_eq!(client.ask(request(OTHER)).await, UNAUTHORIZED);
    let path = directory.path().join("tokens");
    std::fs::write(&path, OTHER).expect("room for a file");
    tokens.reload().expect("a list");
    assert_eq!(client.ask(request(ONE)).await, UNAUTHORIZED);
    assert!(client.ask(request(OTHER)).await.starts_with("HTTP/1.1 200 OK\n"));
    std::fs::write(&path, "short").expect("room for a file");
    tokens.reload().expect_err("too short");
    assert!(client.ask(request(OTHER)).await.starts_with("HTTP/1.1 200 OK\n"));
}
