//! tcp-protocol.md §8: what is asked of an auth server, and which answers are none.

use std::net::TcpListener;

use serde_json::json;

use crate::support::{
    AuthServer, Certificates, Client, Daemon, Frame, Reply, eventually, publish, with_size,
};

const EVERYTHING: &str = r#"{"ttl":60,"identity":"who","authorizations":[{"topic":".*","channels":[".*"],"permissions":["subscribe","publish"]}]}"#;
const ADMITTED: &str = r#"{"identity":"who","identity_url":"","permission_count":1}"#;
const FAILED: &str = "E_AUTH_FAILED AUTH failed";

fn auth(secret: impl AsRef<[u8]>) -> Vec<u8> {
    [b"AUTH\n".to_vec(), with_size(secret)].concat()
}

/// Sends AUTH; returns the answer.
#[track_caller]
fn ask(client: &mut Client, secret: impl AsRef<[u8]>) -> Frame {
    client.send(auth(secret));
    client.next_frame().expect("an answer")
}

/// The request line for this secret over plain TCP.
fn line(path: &str, secret: &str) -> String {
    let query = format!("common_name=&remote_ip=127.0.0.1&secret={secret}&tls=false");
    format!("GET {path}?{query} HTTP/1.1")
}

#[test]
fn the_request() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    let daemon = Daemon::start(&[&server.flag()]);
    assert_eq!(ask(&mut daemon.client(), "s3cret"), Frame::response(ADMITTED));
    let requests = server.requests();
    let (first, headers) = requests[0].split_first().expect("a request");
    assert_eq!(*first, line("/auth", "s3cret"));
    let host = format!("Host: {}", server.address);
    for header in [host.as_str(), "Accept: application/vnd.nsq; version=1.0"] {
        let found = headers.iter().filter(|line| line.eq_ignore_ascii_case(header));
        assert_eq!(found.count(), 1, "{header} in {headers:?}");
    }
    // Nothing is kept between connections.
    assert_eq!(ask(&mut daemon.client(), "s3cret"), Frame::response(ADMITTED));
    assert_eq!(server.requests()[1], requests[0]);
}

#[test]
fn secrets_are_escaped_as_in_a_form() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    let daemon = Daemon::start(&[&server.flag()]);
    let every_byte: Vec<u8> = (0..=255).collect();
    let escaped: String = every_byte
        .iter()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'-' | b'_' | b'.' | b'~' => char::from(*byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(*byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    for (secret, expected) in [
        ("sp ace&=ü/%".as_bytes(), "sp+ace%26%3D%C3%BC%2F%25"),
        (b"\0\xff", "%00%FF"),
        (b"\n", "%0A"),
        (&every_byte, &escaped),
    ] {
        ask(&mut daemon.client(), secret);
        let requests = server.requests();
        assert_eq!(requests.last().expect("a request")[0], line("/auth", expected));
    }
}

#[test]
fn addresses_may_be_urls() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    // Nothing is understood of a URL: the query is put behind it.
    for (url, path) in
        [("/p", "/p"), ("", "/"), ("/", "/"), ("/a/b/", "/a/b/"), ("/p?x=1", "/p?x=1")]
    {
        let flag = format!("--auth-http-address=http://{}{url}", server.address);
        let daemon = Daemon::start(&[&flag]);
        assert_eq!(ask(&mut daemon.client(), "x"), Frame::response(ADMITTED), "{url}");
        let requests = server.requests();
        assert_eq!(requests.last().expect("a request")[0], line(path, "x"), "{url}");
    }
}

#[test]
fn the_certificate_of_a_client_is_named() {
    let certificates = Certificates::new();
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    // Without a policy no certificate is asked for, and a client's own is not seen.
    for (policy, name) in [("require-verify", "client"), ("", "")] {
        let mut flags = certificates.policy_flags(policy);
        flags.push(server.flag());
        let daemon = Daemon::start_with(&flags);
        let mut client = daemon.client();
        client.negotiate(r#"{"tls_v1":true}"#);
        client.start_tls(certificates.with_certificate("client"));
        assert_eq!(ask(&mut client, "x"), Frame::response(ADMITTED));
        let query = format!("common_name={name}&remote_ip=127.0.0.1&secret=x&tls=true");
        let requests = server.requests();
        let last = &requests.last().expect("a request")[0];
        assert_eq!(*last, format!("GET /auth?{query} HTTP/1.1"));
    }
}

#[test]
fn answers_that_are_failures() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    let daemon = Daemon::start(&[&server.flag()]);
    let entry = json!({ "topic": "t", "channels": ["c"], "permissions": ["publish"] });
    let mut replies: Vec<Reply> = [201, 202, 204, 400, 401, 403, 404, 500, 503]
        .map(|status| Reply::Status(status, EVERYTHING.to_owned()))
        .to_vec();
    let bodies = ["", "OK", "null", "[]", "1", "{}", "{", &format!("{EVERYTHING} x")];
    replies.extend(bodies.map(Reply::ok));
    for ttl in [json!(0), json!(-1), json!("3"), json!(3.5), json!(null), json!(1e30), json!(true)]
    {
        let body = json!({ "ttl": ttl, "authorizations": [entry] });
        replies.push(Reply::ok(body.to_string()));
    }
    let good = || json!({ "topic": ".*", "channels": [".*"], "permissions": ["publish"] });
    for (key, value) in [
        ("permissions", json!(["publish", "admin"])),
        ("permissions", json!(["Publish"])),
        ("permissions", json!([""])),
        ("permissions", json!("publish")),
        ("topic", json!("(")),
        ("topic", json!("*")),
        ("topic", json!("(?=t)")),
        ("topic", json!(1)),
        ("channels", json!([".*", "["])),
        ("channels", json!([r"(a)\1"])),
        ("channels", json!(".*")),
    ] {
        let mut bad = good();
        bad[key] = value;
        // One bad entry spoils all.
        let body = json!({ "ttl": 60, "authorizations": [good(), bad] });
        replies.push(Reply::ok(body.to_string()));
    }
    replies.push(Reply::Raw(Vec::new()));
    replies.push(Reply::Raw(b"no HTTP\r\n\r\n".to_vec()));
    replies.push(Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec()));
    for reply in replies {
        server.replies(reply.clone());
        let mut client = daemon.client();
        assert_eq!(ask(&mut client, "x"), Frame::error(FAILED), "{reply:?}");
        client.expect_closed();
    }
}

#[test]
fn an_answer_without_entries_permits_nothing() {
    let server = AuthServer::start(Reply::ok(EVERYTHING));
    let daemon = Daemon::start(&[&server.flag()]);
    for body in [
        r#"{"ttl":60}"#,
        r#"{"ttl":60,"authorizations":[]}"#,
        r#"{"ttl":60,"authorizations":null,"identity":"who"}"#,
    ] {
        server.replies(Reply::ok(body));
        let mut client = daemon.client();
        let error = "E_UNAUTHORIZED AUTH no authorizations found";
        assert_eq!(ask(&mut client, "x"), Frame::error(error), "{body}");
        client.expect_closed();
    }
}

/// The flag for an address at which nobody listens.
fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = listener.local_addr().expect("it is bound");
    format!("--auth-http-address={address}")
}

#[test]
fn of_several_servers_one_that_answers_is_enough() {
    let failing = AuthServer::start(Reply::Status(500, String::new()));
    let working = AuthServer::start(Reply::ok(EVERYTHING));
    let daemon = Daemon::start(&[&dead(), &failing.flag(), &working.flag()]);
    // The first is chosen at random; at some time it is the one that fails.
    eventually("the failing one is asked", || {
        let asked = working.count();
        assert_eq!(ask(&mut daemon.client(), "x"), Frame::response(ADMITTED));
        assert_eq!(working.count(), asked + 1);
        failing.count() > 1
    });
    let daemon = Daemon::start(&[&dead(), &failing.flag(), &dead()]);
    let asked = failing.count();
    assert_eq!(ask(&mut daemon.client(), "x"), Frame::error(FAILED));
    assert_eq!(failing.count(), asked + 1);
}

#[test]
fn all_servers_are_used() {
    let servers = [(); 3].map(|()| AuthServer::start(Reply::ok(EVERYTHING)));
    let flags = servers.each_ref().map(AuthServer::flag);
    let daemon = Daemon::start_with(&flags);
    eventually("each was asked", || {
        assert_eq!(ask(&mut daemon.client(), "x"), Frame::response(ADMITTED));
        servers.iter().all(|server| server.count() > 0)
    });
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let silent = AuthServer::start(Reply::Silence);
    let slow = AuthServer::start(Reply::Raw(b"HTTP/1.1 200 OK\r\n".to_vec()));
    for server in [&silent, &slow] {
        let daemon = Daemon::start(&[&server.flag(), "--http-client-request-timeout=100ms"]);
        let mut client = daemon.client();
        assert_eq!(ask(&mut client, "x"), Frame::error(FAILED));
        client.expect_closed();
    }
}

#[test]
fn https_servers_must_be_of_the_authority() {
    let certificates = Certificates::new();
    let server = AuthServer::start_securely(Reply::ok(EVERYTHING), &certificates);
    let flag = format!("--auth-http-address=https://{}/auth", server.address);
    let trusting = certificates.flag("tls-root-ca-file", "ca.pem");
    let mistrusting = certificates.flag("tls-root-ca-file", "stranger-ca.pem");
    let daemon = Daemon::start(&[&flag, &trusting]);
    let mut client = daemon.client();
    assert_eq!(ask(&mut client, "x"), Frame::response(ADMITTED));
    client.send(publish("t", "a"));
    client.expect_ok();
    assert_eq!(server.requests()[0][0], line("/auth", "x"));
    for flags in [vec![&flag], vec![&flag, &mistrusting]] {
        let flags: Vec<_> = flags.into_iter().cloned().collect();
        let daemon = Daemon::start_with(&flags);
        assert_eq!(ask(&mut daemon.client(), "x"), Frame::error(FAILED));
    }
    assert_eq!(server.count(), 1);
}

#[test]
fn a_plain_server_may_send_nsqd_to_its_secure_port() {
    let certificates = Certificates::new();
    let secure = AuthServer::start_securely(Reply::ok(EVERYTHING), &certificates);
    let port = secure.address.port();
    let forbidden = |body: String| AuthServer::start(Reply::Status(403, body));
    let plain = forbidden(format!(r#"{{"message": "TLS_REQUIRED", "https_port": {port}}}"#));
    let trusting = certificates.flag("tls-root-ca-file", "ca.pem");
    let daemon = Daemon::start(&[&plain.flag(), &trusting]);
    assert_eq!(ask(&mut daemon.client(), "a b"), Frame::response(ADMITTED));
    assert_eq!(plain.requests()[0][0], line("/auth", "a+b"));
    assert_eq!(secure.requests()[0][0], line("/auth", "a+b"));
    // Only where the answer is for this.
    for body in ["", "{}", r#"{"https_port":0}"#, r#"{"https_port":"x"}"#] {
        let plain = forbidden(body.to_owned());
        let daemon = Daemon::start(&[&plain.flag(), &trusting]);
        assert_eq!(ask(&mut daemon.client(), "x"), Frame::error(FAILED), "{body}");
    }
    // And only from plain to secure, or it would never end.
    let again = format!(r#"{{"https_port":{port}}}"#);
    secure.replies(Reply::Status(403, again));
    assert_eq!(ask(&mut daemon.client(), "x"), Frame::error(FAILED));
    assert_eq!(secure.count(), 2);
}
