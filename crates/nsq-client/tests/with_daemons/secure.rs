//! TLS, compression and AUTH.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use nsq_client::{Config, Consumer, TlsClientFiles};
use nsq_sim::Daemon;
use nsq_sim::certificates::Authority;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use crate::http_server::HttpServer;
use crate::support::{config, consumer, numbered, producer, receive, soon, tcp};

struct Secure {
    nsqd: Daemon,
    authority: PathBuf,
    own: (PathBuf, PathBuf),
    _files: TempDir,
}

impl Secure {
    fn start(flags: &[&str]) -> Self {
        let files = tempdir().expect("a directory");
        let authority = Authority::new();
        let trusted = authority.write(files.path(), "authority");
        let (certificate, key) = authority.sign(files.path(), "nsqd");
        let own = authority.sign(files.path(), "client");
        let mut all = vec![
            format!("--tls-cert={}", certificate.display()),
            format!("--tls-key={}", key.display()),
            format!("--tls-root-ca-file={}", trusted.display()),
            "--https-address=".to_owned(),
        ];
        all.extend(flags.iter().map(|&flag| flag.to_owned()));
        let nsqd = nsqd(files.path(), &all);
        Self { nsqd, authority: trusted, own, _files: files }
    }

    fn tls(&self) -> TlsClientFiles {
        TlsClientFiles { authority: Some(self.authority.clone()), ..TlsClientFiles::default() }
    }
}

fn nsqd(data: &Path, flags: &[String]) -> Daemon {
    let binary = nsq_sim::binary("nsqd");
    let mut words = vec![binary.to_str().expect("text").to_owned()];
    words.push(format!("--data-path={}", data.display()));
    words.extend_from_slice(flags);
    Daemon::run(words, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Publishes and consumes some small and some large messages.
async fn works(nsqd: &Daemon, config: Config) {
    let producer = producer(&[nsqd], config.clone());
    let mut bodies = numbered("small", 100);
    bodies.extend((0..4).map(|number| "large".repeat(30_000 + number)));
    for body in &bodies {
        soon("publishing", producer.publish("t", body)).await.expect("published");
    }
    let mut consumer = consumer(&[nsqd], "t", config).await;
    receive(&mut consumer, &bodies).await;
    soon("stopping", consumer.stop()).await;
}

async fn refused(nsqd: &Daemon, config: Config) -> String {
    let mut consumer = Consumer::new("t", "channel", config).expect("a consumer");
    let connected = consumer.connect_to_nsqds(&[tcp(nsqd)]).await;
    connected.expect_err("refused").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_in_all_combinations() {
    let secure = Secure::start(&["--tls-required=true"]);
    let layer =
        |snappy, deflate| Config { tls_v1: true, tls: secure.tls(), snappy, deflate, ..config() };
    for (snappy, deflate) in [(false, false), (true, false), (false, true)] {
        works(&secure.nsqd, layer(snappy, deflate)).await;
    }
    let plain = tempdir().expect("a directory");
    let nsqd = nsqd(plain.path(), &[]);
    let error = refused(&nsqd, Config { tls_v1: true, ..config() }).await;
    assert_eq!(error, "TLS is wanted, and nsqd does not offer it");
    works(&nsqd, Config { snappy: true, ..config() }).await;
    works(&nsqd, Config { deflate: true, deflate_level: 1, ..config() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_both_ways() {
    let secure = Secure::start(&["--tls-required=true", "--tls-client-auth-policy=require-verify"]);
    let with = |tls| Config { tls_v1: true, tls, ..config() };
    let own = Some(secure.own.clone());
    works(&secure.nsqd, with(TlsClientFiles { own: own.clone(), ..secure.tls() })).await;
    let unchecked = TlsClientFiles { own, skip_verification: true, ..TlsClientFiles::default() };
    works(&secure.nsqd, with(unchecked)).await;
    refused(&secure.nsqd, with(secure.tls())).await;
    let stranger = Authority::new().write(secure._files.path(), "stranger");
    let stranger = TlsClientFiles { authority: Some(stranger), ..TlsClientFiles::default() };
    let error = refused(&secure.nsqd, with(stranger)).await;
    assert!(error.contains("TLS handshake with 127.0.0.1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_shown_where_it_is_asked_for() {
    let permitted = json!({ "ttl": 60, "identity": "who", "authorizations": [
        { "topic": "t", "channels": [".*"], "permissions": ["subscribe", "publish"] }] });
    let server = HttpServer::start(Some(("200 OK", permitted.to_string()))).await;
    let data = tempdir().expect("a directory");
    let nsqd = nsqd(data.path(), &[format!("--auth-http-address={}", server.address)]);
    works(&nsqd, Config { auth_secret: "s".to_owned(), ..config() }).await;
    assert_eq!(refused(&nsqd, config()).await, "Auth Required");
    let producer = producer(&[&nsqd], Config { auth_secret: "s".to_owned(), ..config() });
    let error =
        soon("refusing", producer.publish("elsewhere", "x")).await.expect_err("not permitted");
    assert!(error.to_string().starts_with("E_UNAUTHORIZED"), "{error}");
}
