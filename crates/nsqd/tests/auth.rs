//! tcp-protocol.md §8: AUTH with an auth server, and what is refused without it. It holds for the
//! original, too, but where it asks `is_original()`: see the transcripts.

#[allow(dead_code, unused_imports, reason = "the transcripts use the rest of it")]
mod support;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use nsq_net::{Socket, Stream, TlsClient, TlsClientFiles, TlsServer, TlsServerFiles};
use rcgen::{CertificateParams, DnType, KeyPair};
use support::{
    Client, Daemon, Frame, PATIENCE, deferred, eventually, identify, is_original, publish,
    publish_many, with_size,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Permits everything with topics that begin with `t`.
const ALLOWED: &str = r#"{"ttl":3600,"identity":"<joe>","identity_url":"http://a/?b&c",
    "authorizations":[{"topic":"^t","channels":[".*"],"permissions":["subscribe","publish"]}]}"#;

/// An auth server that says what a test wants and notes what it was asked.
#[derive(Clone)]
struct Authority {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    requests: Vec<String>,
    /// Status and body; none: it reads and says nothing.
    answer: Option<(u16, String)>,
}

impl Authority {
    fn start(body: &str) -> Self {
        Self::start_with(None, Some((200, body.to_owned())))
    }

    fn start_with(tls: Option<TlsServer>, answer: Option<(u16, String)>) -> Self {
        let shared = Arc::new(Mutex::new(Shared { requests: Vec::new(), answer }));
        let (bound, wait) = mpsc::channel();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                bound.send(listener.local_addr().expect("it is bound")).expect("the test waits");
                let tls = tls.map(Arc::new);
                loop {
                    let (tcp, _) = listener.accept().await.expect("a connection");
                    let socket = Socket::from_tcp(tcp).expect("a connection");
                    tokio::spawn(serve(Arc::clone(&served), socket, tls.clone()));
                }
            });
        });
        let address = wait.recv().expect("it binds");
        Self { address, shared }
    }

    fn flag(&self) -> String {
        format!("--auth-http-address={}", self.address)
    }

    fn answer_with(&self, status: u16, body: &str) {
        self.shared.lock().expect("no panic").answer = Some((status, body.to_owned()));
    }

    fn requests(&self) -> Vec<String> {
        self.shared.lock().expect("no panic").requests.clone()
    }
}

/// One request on a connection of its own.
async fn serve(
    shared: Arc<Mutex<Shared>>,
    socket: Socket,
    tls: Option<Arc<TlsServer>>,
) -> io::Result<()> {
    let mut stream = Stream::new(socket);
    if let Some(tls) = tls {
        let shaken = stream.start_tls(&tls, Bytes::new(), PATIENCE).await;
        shaken.map_err(|_| io::ErrorKind::InvalidData)?;
    }
    let mut input = BytesMut::new();
    let request = loop {
        let text = String::from_utf8_lossy(&input).into_owned();
        let parts = text.split_once("\r\n\r\n");
        if let Some((head, body)) = parts.filter(|(head, body)| body.len() == length_of(head)) {
            break format!("{head}\r\n\r\n{body}");
        }
        input.reserve(1 << 16);
        if poll_fn(|context| stream.poll_read(context, &mut input)).await? == 0 {
            return Ok(());
        }
    };
    let answer = {
        let mut shared = shared.lock().expect("no panic");
        shared.requests.push(request);
        shared.answer.clone()
    };
    let Some((status, body)) = answer else {
        // Until the other side has had enough.
        return poll_fn(|context| stream.poll_read(context, &mut input)).await.map(drop);
    };
    let head = format!("HTTP/1.1 {status} -\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).await?;
    poll_fn(|context| stream.poll_flush(context)).await
}

fn length_of(head: &str) -> usize {
    let mut lines = head.lines().map(str::to_ascii_lowercase);
    let length = lines.find_map(|line| line.strip_prefix("content-length: ").map(str::to_owned));
    length.map_or(0, |length| length.parse().expect("a number"))
}

fn auth(secret: impl AsRef<[u8]>) -> Vec<u8> {
    [b"AUTH\n".to_vec(), with_size(secret)].concat()
}

/// A client that has sent its secret and was let in.
#[track_caller]
fn let_in(daemon: &Daemon) -> Client {
    let mut client = daemon.client();
    client.send(auth("s"));
    client.expect(&Frame::response(
        r#"{"identity":"\u003cjoe\u003e","identity_url":"http://a/?b\u0026c","permission_count":1}"#,
    ));
    client
}

#[test]
fn what_is_asked_and_what_is_permitted() {
    let authority = Authority::start(ALLOWED);
    let daemon = Daemon::start(&[&authority.flag()]);
    let mut client = daemon.client();
    client.send(identify(r#"{"feature_negotiation":true}"#));
    let answer = client.next_frame().expect("an answer").data;
    assert!(String::from_utf8_lossy(&answer).contains(r#""auth_required":true"#));
    client.send(auth("sp ace&=ü/%"));
    assert_eq!(client.next_frame().expect("an answer").kind, 0);
    let requests = authority.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").expect("a head");
    let lines: Vec<_> = head.lines().collect();
    assert_eq!(
        lines[0],
        "GET /auth?common_name=&remote_ip=127.0.0.1&secret=sp+ace%26%3D%C3%BC%2F%25&tls=false \
         HTTP/1.1"
    );
    for header in
        [format!("host: {}", authority.address), "accept: application/vnd.nsq; version=1.0".into()]
    {
        let found = lines.iter().any(|line| line.eq_ignore_ascii_case(&header));
        assert!(found, "{header} in {head}");
    }
    assert!(is_original() || head.contains("\r\nuser-agent: nsq-rust/"), "{head}");
    assert_eq!(body, "");

    client.send([publish("t", "a"), publish("t", "b"), publish_many("t", &["c"])].concat());
    client.send([deferred("t2", 0, "d"), publish_many("t", &["e", "f"])].concat());
    (0..5).for_each(|_| client.expect_ok());
    client.subscribe("t", "c");
    client.ready(10);
    assert_eq!(client.expect_bodies(5), ["a", "b", "c", "e", "f"]);
    let stats = daemon.stats();
    let shown = &stats["topics"][0]["channels"][0]["clients"][0];
    assert_eq!(shown["authed"], true);
    assert_eq!(shown["auth_identity"], "<joe>");
    assert_eq!(shown["auth_identity_url"], "http://a/?b&c");
    assert_eq!(authority.requests().len(), 1);
}

#[test]
fn what_is_refused() {
    let authority = Authority::start(ALLOWED);
    let daemon = Daemon::start(&[&authority.flag()]);
    for (input, verb) in [
        (publish("t", "a"), "PUB"),
        (deferred("t", 0, "a"), "DPUB"),
        (b"MPUB t\n".to_vec(), "MPUB"),
        (b"SUB t c\n".to_vec(), "SUB"),
    ] {
        daemon.refuses(input, format!("E_AUTH_FIRST AUTH required before {verb}"));
    }
    // PUB and DPUB are checked behind their body, SUB behind both names.
    daemon.refuses_at_end("PUB t\n\0\0\0\x02a", "E_BAD_MESSAGE PUB failed to read message body");
    daemon.refuses("PUB t\n\0\0\0\0", "E_BAD_MESSAGE PUB invalid message body size 0");
    daemon.refuses("MPUB t!\n", "E_BAD_TOPIC E_BAD_TOPIC MPUB topic name \"t!\" is not valid");
    daemon.refuses("SUB t c!\n", "E_BAD_CHANNEL SUB channel name \"c!\" is not valid");
    for (input, what) in [
        (publish("x", "a"), r#"PUB on "x" """#),
        (deferred("x", 0, "a"), r#"DPUB on "x" """#),
        (b"MPUB x\n".to_vec(), r#"MPUB on "x" """#),
        (b"SUB x c#ephemeral\n".to_vec(), r#"SUB on "x" "c#ephemeral""#),
    ] {
        let mut client = let_in(&daemon);
        client.send([publish("t", "first"), input].concat());
        client.expect_ok();
        client.expect_last_error(format!("E_UNAUTHORIZED AUTH failed for {what}"));
    }
    assert!(daemon.topic("x").is_null());
    let mut client = let_in(&daemon);
    client.send(auth("s"));
    client.expect_last_error("E_INVALID AUTH already set");
    // HTTP is open.
    daemon.publish("x", "a");
}

#[test]
fn answers_that_let_nobody_in() {
    let authority = Authority::start("");
    let daemon = Daemon::start(&[&authority.flag()]);
    for (status, body, expected) in [
        (200, r#"{"ttl":1,"authorizations":[]}"#, "E_UNAUTHORIZED AUTH no authorizations found"),
        (200, r#"{"ttl":1}"#, "E_UNAUTHORIZED AUTH no authorizations found"),
        (201, ALLOWED, "E_AUTH_FAILED AUTH failed"),
        (302, ALLOWED, "E_AUTH_FAILED AUTH failed"),
        (403, ALLOWED, "E_AUTH_FAILED AUTH failed"),
        (500, ALLOWED, "E_AUTH_FAILED AUTH failed"),
        (200, "OK", "E_AUTH_FAILED AUTH failed"),
        (200, r#"{"ttl":0}"#, "E_AUTH_FAILED AUTH failed"),
        (200, &" ".repeat((1 << 20) + 1), "E_AUTH_FAILED AUTH failed"),
    ] {
        authority.answer_with(status, body);
        daemon.refuses(auth("s"), expected);
    }
    if is_original() {
        return;
    }
    let asked = authority.requests().len();
    authority.answer_with(200, ALLOWED);
    daemon.refuses(auth([b's'; (64 << 10) + 1]), "E_AUTH_FAILED AUTH failed");
    assert_eq!(authority.requests().len(), asked);
}

#[test]
fn what_was_permitted_is_asked_again_when_its_time_has_passed() {
    let allowed = ALLOWED.replace("3600", "1");
    let authority = Authority::start(&allowed);
    let daemon = Daemon::start(&[&authority.flag()]);
    let mut consumer = let_in(&daemon);
    consumer.subscribe("t", "c");
    consumer.ready(1);
    let mut client = let_in(&daemon);
    let asked_before = authority.requests().len();
    assert_eq!(asked_before, 2);
    let publish_once = |client: &mut Client| {
        client.send(publish("t", "a"));
        client.next_frame().expect("an answer")
    };
    eventually("it asks again", || {
        assert_eq!(publish_once(&mut client), Frame::response("OK"));
        authority.requests().len() > asked_before
    });
    let requests = authority.requests();
    assert_eq!(requests[asked_before], requests[0]);
    authority.answer_with(200, r#"{"ttl":1,"authorizations":[]}"#);
    let mut last = Frame::response("OK");
    eventually("it is told otherwise", || {
        last = publish_once(&mut client);
        last != Frame::response("OK")
    });
    assert_eq!(last, Frame::error(r#"E_UNAUTHORIZED AUTH failed for PUB on "t" """#));
    // The consumer's time has passed, too, and nobody cares.
    let message = consumer.expect_message();
    consumer.finish(&message);
    consumer.expect_message();
    authority.answer_with(500, "");
    consumer.send(publish("t", "a"));
    consumer.expect_last_error("E_AUTH_FAILED AUTH failed");
}

#[test]
fn a_dead_server_is_passed_over() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dead = listener.local_addr().expect("it is bound");
    drop(listener);
    let authority = Authority::start(ALLOWED);
    let daemon = Daemon::start(&[&format!("--auth-http-address={dead}"), &authority.flag()]);
    for _ in 0..16 {
        drop(let_in(&daemon));
    }
}

#[test]
fn nobody_waits_for_a_server_that_hangs_when_the_daemon_stops() {
    if is_original() {
        // It waits.
        return;
    }
    let authority = Authority::start_with(None, None);
    let flags = [&authority.flag(), "--http-client-request-timeout=1h"];
    let mut daemon = Daemon::start(&flags.map(|flag| flag as &str));
    let mut client = daemon.client();
    client.send([identify("{}"), auth("s")].concat());
    client.expect_ok();
    let mut gone = daemon.client();
    gone.send(auth("s"));
    eventually("both were asked about", || authority.requests().len() == 2);
    drop(gone);
    let began = Instant::now();
    daemon.stop();
    client.expect_closed();
    // Connections that do not end by themselves are given 5 s.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_server_that_hangs_lets_nobody_in() {
    let authority = Authority::start_with(None, None);
    let daemon = Daemon::start(&[&authority.flag(), "--http-client-request-timeout=50ms"]);
    daemon.refuses(auth("s"), "E_AUTH_FAILED AUTH failed");
}

#[test]
fn questions_by_post() {
    if is_original() {
        // There is no such flag in 1.3.
        return;
    }
    let authority = Authority::start(ALLOWED);
    let url = format!("--auth-http-address=http://{}/p?x=1", authority.address);
    let daemon = Daemon::start(&[&url, "--auth-http-request-method=post"]);
    let_in(&daemon);
    let requests = authority.requests();
    assert!(requests[0].starts_with("POST /p?x=1 HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"));
    assert!(requests[0].ends_with("\r\n\r\ncommon_name=&remote_ip=127.0.0.1&secret=s&tls=false"));
}

#[test]
fn the_query_follows_whatever_the_url_has() {
    let authority = Authority::start(ALLOWED);
    let url = format!("--auth-http-address=http://{}/p?x=1", authority.address);
    let daemon = Daemon::start(&[&url]);
    let_in(&daemon);
    let requests = authority.requests();
    assert!(requests[0].starts_with("GET /p?x=1?common_name=&"), "{}", requests[0]);
}

/// Writes a certificate of its own for a host, with a common name, and its key.
fn certify(directory: &Path, host: &str, common_name: &str) -> (PathBuf, PathBuf) {
    let mut wanted = CertificateParams::new([host.to_owned()]).expect("a name or an address");
    wanted.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate().expect("a key");
    let certificate = wanted.self_signed(&key).expect("a certificate");
    let paths = (directory.join(format!("{host}.pem")), directory.join(format!("{host}.key")));
    std::fs::write(&paths.0, certificate.pem()).expect("room for files");
    std::fs::write(&paths.1, key.serialize_pem()).expect("room for files");
    paths
}

/// The rest of a frame, behind its size.
async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let size = stream.read_u32().await?;
    let mut frame = vec![0; size as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// IDENTIFY, TLS, AUTH; returns the answer.
async fn authenticate_in_tls(daemon: SocketAddr, files: TlsClientFiles) -> io::Result<Vec<u8>> {
    let address = nsq_net::Address::parse(&daemon.to_string());
    let mut socket = Socket::connect(&address, PATIENCE).await?;
    let hello = identify(r#"{"feature_negotiation":true,"tls_v1":true}"#);
    socket.write_all(&[b"  V2", &hello[..]].concat()).await?;
    frame(&mut socket).await?;
    let tls = TlsClient::load(&files).expect("certificates");
    let mut stream = tls.connect("127.0.0.1", socket).await?;
    assert_eq!(frame(&mut stream).await?, b"\0\0\0\0OK");
    stream.write_all(&auth("s")).await?;
    frame(&mut stream).await
}

#[test]
fn what_is_known_of_a_client_with_a_certificate() {
    let directory = tempfile::tempdir().expect("room for files");
    let (certificate, key) = certify(directory.path(), "127.0.0.1", "nsqd");
    let own = certify(directory.path(), "client", "joe & co");
    let authority = Authority::start(ALLOWED);
    let daemon = Daemon::start(&[
        &authority.flag(),
        &format!("--tls-cert={}", certificate.display()),
        &format!("--tls-key={}", key.display()),
        "--https-address=",
        "--tls-client-auth-policy=require",
        "--tls-required=tcp-https",
    ]);
    let files = TlsClientFiles {
        authority: Some(certificate),
        own: Some(own),
        ..TlsClientFiles::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.expect("a runtime").block_on(authenticate_in_tls(daemon.tcp(), files));
    let answer = asked.expect("a connection in TLS");
    assert!(answer.starts_with(b"\0\0\0\0{\"identity\""), "{}", answer.escape_ascii());
    let requests = authority.requests();
    let expected = "GET /auth?common_name=joe+%26+co&remote_ip=127.0.0.1&secret=s&tls=true ";
    assert!(requests[0].starts_with(expected), "{}", requests[0]);
}

#[test]
fn servers_with_https() {
    let directory = tempfile::tempdir().expect("room for files");
    let own = |host: &str| {
        let (certificate, key) = certify(directory.path(), host, host);
        let trusted = format!("--tls-root-ca-file={}", certificate.display());
        let files = TlsServerFiles { certificate, key, ..TlsServerFiles::default() };
        (TlsServer::load(files).expect("a certificate and its key"), trusted)
    };
    let answer = || Some((200, ALLOWED.to_owned()));

    let (tls, trusted) = own("127.0.0.1");
    let secure = Authority::start_with(Some(tls), answer());
    let url = format!("--auth-http-address=https://{}/auth", secure.address);
    let daemon = Daemon::start(&[&url, &trusted]);
    let_in(&daemon);

    let plain = Authority::start_with(None, None);
    plain.answer_with(403, &format!(r#"{{"https_port":{}}}"#, secure.address.port()));
    let daemon = Daemon::start(&[&plain.flag(), &trusted]);
    let_in(&daemon);
    assert_eq!(plain.requests().len(), 1);
    let requests = secure.requests();
    assert!(requests.len() == 2 && requests[1].starts_with("GET /auth?common_name=&"));

    // Signed for somebody else.
    let (tls, trusted) = own("elsewhere.test");
    let stranger = Authority::start_with(Some(tls), answer());
    let url = format!("--auth-http-address=https://{}/auth", stranger.address);
    let daemon = Daemon::start(&[&url, &trusted]);
    daemon.refuses(auth("s"), "E_AUTH_FAILED AUTH failed");
}
