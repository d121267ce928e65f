//! Which response which request line gets.

use crate::daemon::Daemon;

const NOT_FOUND: &str = "\
HTTP/1.1 404 Not Found
Content-Length: 23
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"NOT_FOUND\"}";

fn not_allowed(allow: &str) -> String {
    format!(
        "\
HTTP/1.1 405 Method Not Allowed
Allow: {allow}
Content-Length: 32
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{{\"message\":\"METHOD_NOT_ALLOWED\"}}"
    )
}

fn options(allow: &str) -> String {
    format!("HTTP/1.1 200 OK\nAllow: {allow}\nContent-Length: 0\n\n")
}

fn moved(location: &str, page_location: &str) -> String {
    let page = format!("<a href=\"{page_location}\">Moved Permanently</a>.\n\n");
    format!(
        "\
HTTP/1.1 301 Moved Permanently
Content-Length: {}
Content-Type: text/html; charset=utf-8
Location: {location}

{page}",
        page.len()
    )
}

fn redirected(location: &str) -> String {
    format!("HTTP/1.1 307 Temporary Redirect\nContent-Length: 0\nLocation: {location}\n\n")
}

fn json(body: &str) -> String {
    format!(
        "\
HTTP/1.1 200 OK
Content-Length: {}
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{body}",
        body.len()
    )
}

fn plain_ok() -> String {
    "\
HTTP/1.1 200 OK
Content-Length: 2
Content-Type: text/plain; charset=utf-8

OK"
    .to_owned()
}

/// Asks each request line on one connection, which must stay usable throughout.
async fn check(cases: &[(&str, String)]) {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    for (line, expected) in cases {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        client.send(request).await;
        let response = client.next_response(!line.starts_with("HEAD")).await;
        assert_eq!(response, *expected, "{line}");
    }
}

#[tokio::test]
async fn outcomes_of_handlers() {
    check(&[
        ("GET /ping", plain_ok()),
        ("GET /%70ing", plain_ok()),
        ("GET http://elsewhere/ping?x", plain_ok()),
        ("GET /ping?%zz", plain_ok()),
        ("GET /stats?topic=%3Ca%26b%3E", json("[\"\\u003ca\\u0026b\\u003e\"]")),
        ("GET /stats", json("[null]")),
        ("GET /config/log_level", json("\"log_level\"")),
        ("GET /config/lOG%5flevel", json("\"lOG_level\"")),
        (
            "POST /topic/create",
            "HTTP/1.1 200 OK\nContent-Length: 0\nX-Nsq-Content-Type: nsq; version=1.0\n\n".into(),
        ),
        (
            "GET /stats?x=a;b",
            "\
HTTP/1.1 400 Bad Request
Content-Length: 29
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"INVALID_REQUEST\"}"
                .into(),
        ),
        (
            "PUT /debug/setblockrate",
            "\
HTTP/1.1 400 Bad Request
Content-Length: 18
Content-Type: text/plain; charset=utf-8

invalid block rate"
                .into(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    check(&[
        ("GET /nope", NOT_FOUND.into()),
        ("GET /", NOT_FOUND.into()),
        ("OPTIONS /nope", NOT_FOUND.into()),
        ("GET /config/", NOT_FOUND.into()),
        ("GET /config", NOT_FOUND.into()),
        ("GET /config/a/b", NOT_FOUND.into()),
        // A misspelling helps only if the right path has this method.
        ("GET /PUB", NOT_FOUND.into()),
        ("GET /pub/", NOT_FOUND.into()),
        ("OPTIONS /PUB", NOT_FOUND.into()),
        ("HEAD /PING", NOT_FOUND.split_once("{").expect("a body").0.into()),
        ("POST /ping", not_allowed("GET, OPTIONS")),
        ("TRACE /ping", not_allowed("GET, OPTIONS")),
        ("FOO /ping", not_allowed("GET, OPTIONS")),
        ("GET /pub", not_allowed("OPTIONS, POST")),
        ("GET /topic%2fcreate", not_allowed("OPTIONS, POST")),
        ("POST /config/x", not_allowed("GET, OPTIONS, PUT")),
        ("HEAD /ping", not_allowed("GET, OPTIONS").split_once("{").expect("a body").0.into()),
        ("OPTIONS /pub", options("OPTIONS, POST")),
        ("OPTIONS /config/x", options("GET, OPTIONS, PUT")),
        ("OPTIONS *", "HTTP/1.1 200 OK\nContent-Length: 0\n\n".into()),
    ])
    .await;
}

#[tokio::test]
async fn misspelled_paths() {
    check(&[
        ("GET /ping/", moved("/ping", "/ping")),
        ("GET //ping", moved("/ping", "/ping")),
        ("GET /foo/../ping", moved("/ping", "/ping")),
        ("GET /../../ping", moved("/ping", "/ping")),
        ("GET /./ping", moved("/ping", "/ping")),
        ("GET /PING?a=b%20c", moved("/ping?a=b%20c", "/ping?a=b%20c")),
        ("GET /PING?a=b&c=d'", moved("/ping?a=b&c=d'", "/ping?a=b&amp;c=d&#39;")),
        ("GET /debug/pprof", moved("/debug/pprof/", "/debug/pprof/")),
        ("GET /config/log_level/", moved("/config/log_level", "/config/log_level")),
        ("GET /CONFIG/log_level", moved("/config/log_level", "/config/log_level")),
        ("POST /Pub?topic=t", redirected("/pub?topic=t")),
        ("PUT /Debug/SetBlockRate/", redirected("/debug/setblockrate")),
    ])
    .await;
}

#[tokio::test]
async fn requests_leave_gos_log_lines() {
    let mut daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    for line in [
        "GET /ping",
        "GET /PING",    // redirects are not logged
        "OPTIONS /pub", // nor are these
        "POST /pub?a",  // nor is publishing
        "GET /nope",
        "POST /ping",
        "GET /stats?x=%zz",
        "GET /%70ing?a=%3Cb",
    ] {
        client.ask(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    }
    for expected in [
        "INFO: 200 GET /ping",
        "INFO: 404 GET /nope",
        "INFO: 405 POST /ping",
        "INFO: 400 GET /stats?x=%zz",
        "INFO: 200 GET /%70ing?a=%3Cb",
    ] {
        assert_eq!(daemon.next_request().await, expected);
    }
}

#[tokio::test]
async fn a_panic_ends_only_its_request() {
    let mut daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    assert_eq!(
        client.ask("GET /fault HTTP/1.1\r\nHost: x\r\n\r\n").await,
        "\
HTTP/1.1 500 Internal Server Error
Content-Length: 28
Content-Type: application/json; charset=utf-8
X-Nsq-Content-Type: nsq; version=1.0

{\"message\":\"INTERNAL_ERROR\"}"
    );
    assert!(client.is_usable().await);
    assert_eq!(daemon.next_line().await, "ERROR: panic in HTTP handler - no /fault");
    assert_eq!(daemon.next_request().await, "INFO: 500 GET /fault");
}
