//! nsqlookupd over TLS and behind tokens, end to end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nsq_app::{LogLevel, Logger, Shutdown};
use nsq_sim::certificates::Authority;
use tempfile::TempDir;

use crate::support::{Daemon, eventually, is_original};

const TOKEN: &str = "token-for-nsqlookupd";

/// A real nsqlookupd in this process.
struct Nsqlookupd {
    shutdown: Shutdown,
    tcp: String,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Nsqlookupd {
    fn start(flags: &[String]) -> Self {
        let own = [
            "--tcp-address=127.0.0.1:0",
            "--http-address=127.0.0.1:0",
            "--broadcast-address=127.0.0.1",
        ];
        let all = own.iter().map(OsString::from).chain(flags.iter().map(OsString::from));
        let line = nsq_app::flags::parse::<nsqlookupd::Options>(all.collect::<Vec<_>>());
        let options = line.expect("flags that exist").options;
        let (shutdown, (started, wait)) = (Shutdown::new(), mpsc::channel());
        let until = shutdown.clone();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let log = Logger::to_stderr(&options.log_prefix, LogLevel::Fatal);
                let server = nsqlookupd::Server::start(options, log).await?;
                started.send(server.tcp_address()).expect("the test waits");
                server.run(until).await
            })
        });
        let tcp = wait.recv().expect("it starts");
        Self { shutdown, tcp, served: Some(served) }
    }

    fn flag(&self) -> String {
        format!("--lookupd-tcp-address={}", self.tcp)
    }
}

impl Drop for Nsqlookupd {
    fn drop(&mut self) {
        self.shutdown.begin();
        let served = self.served.take().expect("it is taken only here").join();
        if !std::thread::panicking() {
            served.expect("no panic in the daemon").expect("it stops in order");
        }
    }
}

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

    /// The flags of an nsqlookupd with a certificate.
    fn flags(&self, others: &[&str]) -> Vec<String> {
        let (certificate, key) = self.authority.sign(self.directory.path(), "nsqlookupd");
        let mut flags = vec![
            format!("--tls-cert={}", certificate.display()),
            format!("--tls-key={}", key.display()),
            format!("--tls-root-ca-file={}", self.trusted.display()),
        ];
        flags.extend(others.iter().map(|&flag| flag.to_owned()));
        flags
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).expect("room for a file");
        path
    }
}

fn start(lookupd: &Nsqlookupd, flags: &[String]) -> Daemon {
    let own = lookupd.flag();
    let all: Vec<_> = std::iter::once(&own).chain(flags).map(String::as_str).collect();
    Daemon::start(&all)
}

fn standing(daemon: &Daemon) -> String {
    daemon.get("/debug/lookup").text().to_owned()
}

#[track_caller]
fn registers(daemon: &Daemon) {
    eventually("it is connected", || standing(daemon).contains("\n  connected yes\n"));
    assert!(!standing(daemon).contains("last_error"), "{}", standing(daemon));
}

/// It keeps trying and says why it is in vain, and everything else goes on.
#[track_caller]
fn is_refused(daemon: &Daemon, reason: &str) {
    eventually("it has tried twice", || {
        let text = standing(daemon);
        let failures = text.lines().find_map(|line| line.strip_prefix("  failures "));
        failures.and_then(|count| count.parse().ok()).is_some_and(|count: u32| count >= 2)
    });
    let text = standing(daemon);
    assert!(text.contains("\n  connected no\n"), "{text}");
    assert!(text.contains(&format!("\n  last_error {reason}")), "{text}");
    daemon.publish("t", "still");
    assert_eq!(daemon.topic("t")["message_count"], 1);
}

#[test]
fn registering_and_asking_over_tls() {
    if is_original() {
        return;
    }
    let world = World::new();
    let tokens = world.file("tokens", &format!("another-token-of-others\n{TOKEN}\n"));
    let required = ["--tls-required", &format!("--http-token-file={}", tokens.display())];
    let policy = "--tls-client-auth-policy=require-verify";
    let lookupd = Nsqlookupd::start(&world.flags(&[&required[..], &[policy]].concat()));
    let (certificate, key) = world.authority.sign(world.directory.path(), "nsqd");
    let own = world.file("own", &format!("# ours\n{TOKEN}\n"));
    let flags = [
        "--lookupd-tls".to_owned(),
        format!("--lookupd-tls-root-ca-file={}", world.trusted.display()),
        format!("--lookupd-tls-cert={}", certificate.display()),
        format!("--lookupd-tls-key={}", key.display()),
        format!("--lookupd-http-token-file={}", own.display()),
    ];
    let first = start(&lookupd, &flags);
    registers(&first);
    first.order("/topic/create?topic=shared");
    first.order("/channel/create?topic=shared&channel=archive");
    // A second daemon hears over HTTPS, with its token, which channels the topic has.
    let second = start(&lookupd, &flags);
    registers(&second);
    eventually("the channel is known", || {
        second.order("/topic/create?topic=shared");
        if !second.channel("shared", "archive").is_null() {
            return true;
        }
        // It may have asked before the first one had registered.
        second.order("/topic/delete?topic=shared");
        false
    });
    for daemon in [&first, &second] {
        let path = daemon.get("/config/lookupd_http_token_file");
        assert_eq!(path.text(), own.display().to_string());
    }
}

#[test]
fn who_is_not_trusted_is_not_told_anything() {
    if is_original() {
        return;
    }
    let world = World::new();
    let lookupd = Nsqlookupd::start(&world.flags(&[]));
    let stranger = Authority::new().write(world.directory.path(), "stranger");
    let flags =
        ["--lookupd-tls".to_owned(), format!("--lookupd-tls-root-ca-file={}", stranger.display())];
    let reason = "TLS handshake with 127.0.0.1 - invalid peer certificate";
    is_refused(&start(&lookupd, &flags), reason);
    let plain = Nsqlookupd::start(&[]);
    is_refused(&start(&plain, &flags), "TLS handshake with 127.0.0.1 - ");
}

#[test]
fn an_nsqlookupd_that_asks_for_more_says_so() {
    if is_original() {
        return;
    }
    let world = World::new();
    let lookupd = Nsqlookupd::start(&world.flags(&["--tls-client-auth-policy=require-verify"]));
    let trusting = [
        "--lookupd-tls".to_owned(),
        format!("--lookupd-tls-root-ca-file={}", world.trusted.display()),
    ];
    is_refused(&start(&lookupd, &trusting), "received fatal alert: CertificateRequired");
    is_refused(&start(&lookupd, &[]), "IDENTIFY was answered with \"E_INVALID TLS required\"");
}

#[test]
fn flags_that_do_not_go_together() {
    if is_original() {
        return;
    }
    let world = World::new();
    let short = world.file("short", "# one\n\nsecret\n");
    let short = format!("--http-token-file={}", short.display());
    for (flags, expected) in [
        (vec!["--lookupd-tls", "--lookupd-tls-cert=a"], "--lookupd-tls-key need each other"),
        (vec!["--lookupd-tls-root-ca-file=a"], "--lookupd-tls-root-ca-file needs --lookupd-tls"),
        (
            vec!["--lookupd-tls", "--lookupd-tls-root-ca-file=nofile"],
            "failed to build TLS config for nsqlookupd - open nofile: no such file or directory",
        ),
        (vec!["--lookupd-http-token-file=nofile"], "open nofile: no such file or directory"),
        (vec![short.as_str()], "/short: line 3: a token is at least 16 visible ASCII characters"),
    ] {
        let started = crate::support::try_start(world.directory.path(), &flags);
        let error = started.err().expect("it must not start");
        assert!(error.contains(expected) && !error.contains("secret"), "{flags:?}: {error}");
    }
}

#[test]
fn tokens_guard_the_api() {
    if is_original() {
        return;
    }
    let world = World::new();
    let tokens = world.file("tokens", TOKEN);
    let daemon = Daemon::start(&[&format!("--http-token-file={}", tokens.display())]);
    for path in ["/ping", "/live", "/ready"] {
        assert_eq!(daemon.get(path).line(), "200 OK");
    }
    for (method, target) in [
        ("GET", "/stats"),
        ("GET", "/metrics"),
        ("POST", "/pub?topic=t"),
        ("POST", "/topic/create?topic=t"),
        ("GET", "/config/http_token_file"),
        ("PUT", "/config/log_level"),
        ("GET", "/debug/pprof/cmdline"),
    ] {
        let answer = daemon.request(method, target, "x");
        assert_eq!(answer.line(), "401 {\"message\":\"UNAUTHORIZED\"}", "{method} {target}");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    }
    let request = format!(
        "GET /config/http_token_file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\n\r\n"
    );
    let answer = crate::support::ask(daemon.http(), request.as_bytes());
    assert_eq!(answer.line(), format!("200 {}", tokens.display()));
}
