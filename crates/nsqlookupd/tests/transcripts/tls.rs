//! TLS on both ports: who gets in, and what the others are told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use nsq_net::{Address, Outgoing, TlsClient, TlsClientFiles, dial};
use nsq_sim::certificates::Authority;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Client, Daemon, PATIENCE, with_size};

const IDENTITY: &str = r#"{"broadcast_address":"n","tcp_port":1,"http_port":2,"version":"v"}"#;
const IS_TLS_REQUIRED: &str = "E_INVALID TLS required";

/// Certificates of one cluster.
struct World {
    directory: TempDir,
    authority: Authority,
    trusted: PathBuf,
}

impl World {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let authority = Authority::new();
        let trusted = authority.write(directory.path(), "authority");
        Self { directory, authority, trusted }
    }

    /// An nsqlookupd with a certificate.
    fn daemon(&self, flags: &[&str]) -> Daemon {
        let (certificate, key) = self.authority.sign(self.directory.path(), "nsqlookupd");
        let own = [
            format!("--tls-cert={}", certificate.display()),
            format!("--tls-key={}", key.display()),
            format!("--tls-root-ca-file={}", self.trusted.display()),
        ];
        let all: Vec<_> = own.iter().map(String::as_str).chain(flags.iter().copied()).collect();
        Daemon::start(&all)
    }

    /// Somebody who trusts the authority, with a certificate of this one or none.
    fn client(&self, signed_by: Option<&Authority>) -> TlsClient {
        let own = signed_by.map(|authority| authority.sign(self.directory.path(), "nsqd"));
        let files =
            TlsClientFiles { authority: Some(self.trusted.clone()), own, ..Default::default() };
        TlsClient::load(&files).expect("files that are right")
    }
}

async fn open(address: SocketAddr, tls: &TlsClient) -> std::io::Result<Outgoing> {
    dial(&Address::Tcp(address.to_string()), Some(tls), PATIENCE).await
}

/// Identifies over TLS; the answer, or why there is none.
async fn identify(daemon: &Daemon, tls: &TlsClient) -> Result<String, String> {
    let asked = async {
        let mut stream = open(daemon.tcp(), tls).await?;
        let bytes = [b"  V1IDENTIFY\n".as_slice(), &with_size(IDENTITY)].concat();
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        let size = stream.read_u32().await?;
        let mut answer = vec![0; usize::try_from(size).expect("small").min(1 << 16)];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let asked = tokio::time::timeout(PATIENCE, asked).await.expect("it says something");
    asked.map_err(|error| error.to_string())
}

/// The first line of the answer to a request over TLS, or why there is none.
async fn get(daemon: &Daemon, tls: &TlsClient) -> Result<String, String> {
    let asked = async {
        let mut stream = open(daemon.http(), tls).await?;
        stream.write_all(b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
        stream.flush().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer.lines().next().unwrap_or_default().to_owned())
    };
    let asked = tokio::time::timeout(PATIENCE, asked).await.expect("it says something");
    asked.map_err(|error| error.to_string())
}

/// All that a plain HTTP client gets.
fn get_plainly(daemon: &Daemon) -> String {
    let mut stream = TcpStream::connect(daemon.http()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let request = b"GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("no reset");
    answer
}

/// Whether a plain nsqd gets in; the refusal if not.
fn identify_plainly(daemon: &Daemon) -> Result<(), String> {
    let mut client = daemon.client();
    let answer = client.identify(IDENTITY).expect("an answer");
    if answer.starts_with('{') { Ok(()) } else { Err(answer) }
}

#[tokio::test]
async fn both_are_served_on_each_port() {
    let world = World::new();
    let daemon = world.daemon(&[]);
    let tls = world.client(None);
    assert!(identify(&daemon, &tls).await.is_ok_and(|answer| answer.starts_with('{')));
    assert_eq!(get(&daemon, &tls).await.as_deref(), Ok("HTTP/1.1 200 OK"));
    assert_eq!(identify_plainly(&daemon), Ok(()));
    assert!(get_plainly(&daemon).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn those_who_must_speak_tls_and_do_not_are_told() {
    let world = World::new();
    let tls = world.client(None);
    for (required, is_plain_http_served) in [("true", false), ("tcp-https", true)] {
        let daemon = world.daemon(&[&format!("--tls-required={required}")]);
        assert!(identify(&daemon, &tls).await.is_ok_and(|answer| answer.starts_with('{')));
        assert_eq!(get(&daemon, &tls).await.as_deref(), Ok("HTTP/1.1 200 OK"));
        assert_eq!(identify_plainly(&daemon), Err(IS_TLS_REQUIRED.to_owned()));
        let mut client = Client::connect(daemon.tcp());
        client.send("garbage");
        client.expect_last(IS_TLS_REQUIRED);
        let answer = get_plainly(&daemon);
        let refusal = "HTTP/1.0 400 Bad Request\r\n\r\n\
                       Client sent an HTTP request to an HTTPS server.\n";
        if is_plain_http_served {
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        } else {
            assert_eq!(answer, refusal);
        }
    }
}

#[tokio::test]
async fn certificates_of_clients() {
    let world = World::new();
    let stranger = Authority::new();
    let (none, some) = (world.client(None), world.client(Some(&stranger)));
    for (policy, is_any_enough) in [("require", true), ("require-verify", false)] {
        let daemon = world.daemon(&[&format!("--tls-client-auth-policy={policy}")]);
        let ours = world.client(Some(&world.authority));
        assert!(identify(&daemon, &ours).await.is_ok_and(|answer| answer.starts_with('{')));
        assert_eq!(get(&daemon, &ours).await.as_deref(), Ok("HTTP/1.1 200 OK"));
        for result in [identify(&daemon, &none).await, get(&daemon, &none).await] {
            let error = result.expect_err("it has no certificate");
            assert_eq!(error, "received fatal alert: CertificateRequired");
        }
        for result in [identify(&daemon, &some).await, get(&daemon, &some).await] {
            match result {
                Ok(_) => assert!(is_any_enough, "{policy}"),
                Err(error) => assert!(!is_any_enough, "{policy}: {error}"),
            }
        }
        // A policy implies that everybody must speak TLS.
        assert_eq!(identify_plainly(&daemon), Err(IS_TLS_REQUIRED.to_owned()));
    }
}

#[tokio::test]
async fn a_handshake_of_garbage_ends_in_order() {
    let world = World::new();
    let daemon = world.daemon(&[]);
    for address in [daemon.tcp(), daemon.http()] {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        stream.write_all(&[0x16; 4096]).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("no reset");
        // An alert that is fatal.
        assert_eq!(answer.first_chunk(), Some(&[0x15, 3, 3, 0, 2, 2]), "{answer:?}");
    }
    assert_eq!(identify_plainly(&daemon), Ok(()));
}

#[tokio::test]
async fn half_a_handshake_ends_in_time_and_holds_nobody_up() {
    let world = World::new();
    let daemon = world.daemon(&[]);
    let mut begun: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.tcp()).expect("it listens");
            stream.set_read_timeout(Some(2 * PATIENCE)).expect("a valid timeout");
            stream.write_all(&[0x16, 3, 1, 1]).expect("it reads");
            stream
        })
        .collect();
    assert_eq!(identify_plainly(&daemon), Ok(()));
    let tls = world.client(None);
    assert!(identify(&daemon, &tls).await.is_ok_and(|answer| answer.starts_with('{')));
    for stream in &mut begun {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("it is closed in order");
    }
}

#[test]
fn wrong_files_are_named() {
    let world = World::new();
    let directory = world.directory.path();
    let (certificate, key) = world.authority.sign(directory, "right");
    let (certificate, key) = (certificate.display(), key.display());
    for (flags, expected) in [
        (vec![format!("--tls-cert={certificate}")], "--tls-cert and --tls-key need each other"),
        (vec!["--tls-required".to_owned()], "cannot require TLS"),
        (vec!["--tls-client-auth-policy=maybe".to_owned()], "must be require or require-verify"),
        (
            vec!["--tls-cert=nofile".to_owned(), format!("--tls-key={key}")],
            "failed to build TLS config - open nofile: no such file or directory",
        ),
        (vec!["--http-token-file=nofile".to_owned()], "open nofile: no such file or directory"),
    ] {
        let error = crate::support::refused(&flags);
        assert!(error.contains(expected), "{flags:?}: {error}");
    }
}
