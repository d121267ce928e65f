//! `nsq bench` against the daemons of this tree.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Parser;
use nsq_app::{LogLevel, Logger, Shutdown};
use nsq_bench::{BenchArgs, Report};
use tempfile::TempDir;

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    bench: BenchArgs,
}

/// A daemon of this tree in a thread of its own.
struct Daemon {
    tcp: String,
    http: String,
    shutdown: Shutdown,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// The TCP and the HTTP address of a daemon.
type Addresses = (String, String);

impl Daemon {
    fn start(
        run: impl FnOnce(mpsc::Sender<Addresses>, Shutdown) -> anyhow::Result<()> + Send + 'static,
    ) -> Self {
        let (listening, listens) = mpsc::channel();
        let shutdown = Shutdown::new();
        let stopped = shutdown.clone();
        let thread = std::thread::spawn(move || run(listening, stopped));
        match listens.recv_timeout(Duration::from_secs(20)) {
            Ok((tcp, http)) => Self { tcp, http, shutdown, thread },
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it takes long to start"),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                panic!("it does not start: {:?}", thread.join())
            }
        }
    }

    fn nsqlookupd() -> Self {
        Self::start(|listening, stopped| {
            nsqd::runtime()?.block_on(async move {
                let options = nsqlookupd::Options {
                    tcp_address: "127.0.0.1:0".to_owned(),
                    http_address: "127.0.0.1:0".to_owned(),
                    ..nsqlookupd::Options::default()
                };
                let log = Logger::to_stderr("[nsqlookupd] ", LogLevel::Fatal);
                let server = nsqlookupd::Server::start(options, log).await?;
                listening.send((server.tcp_address(), server.http_address()))?;
                server.run(stopped).await
            })
        })
    }

    fn nsqd(options: nsqd::Options) -> Self {
        Self::start(move |listening, stopped| {
            nsqd::runtime()?.block_on(async move {
                let log = Logger::to_stderr("[nsqd] ", LogLevel::Fatal);
                let server = nsqd::Server::start(options, log).await?;
                let http = server.http_address().expect("it has an HTTP address");
                listening.send((server.tcp_address(), http))?;
                server.run(stopped).await
            })
        })
    }

    /// Runs `words` (scenario first) against the daemon.
    fn measure(&self, words: &str) -> anyhow::Result<Report> {
        let words = ["bench"].into_iter().chain(words.split_whitespace());
        let words = words.chain(["--address", &self.tcp, "--http-address", &self.http]);
        nsq_bench::measure(&CommandLine::try_parse_from(words)?.bench)
    }

    /// The text of the error that `words` end in.
    fn refusal(&self, words: &str) -> String {
        format!("{:#}", self.measure(words).expect_err(words))
    }

    fn stop(self) {
        self.shutdown.begin();
        self.thread.join().expect("no panic").expect("it stops in order");
    }
}

/// A certificate for 127.0.0.1 that signs itself, and a directory for an nsqd that shows it.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().expect("a directory") };
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("signed");
        std::fs::write(home.path("cert.pem"), signed.cert.pem()).expect("written");
        std::fs::write(home.path("key.pem"), signed.signing_key.serialize_pem()).expect("written");
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn options(&self) -> nsqd::Options {
        let text = |name| self.path(name).to_str().expect("UTF-8").to_owned();
        nsqd::Options {
            tcp_address: "127.0.0.1:0".to_owned(),
            http_address: "127.0.0.1:0".to_owned(),
            https_address: "127.0.0.1:0".to_owned(),
            data_path: self.directory.path().to_str().expect("UTF-8").to_owned(),
            tls_cert: text("cert.pem"),
            tls_key: text("key.pem"),
            ..nsqd::Options::default()
        }
    }

    /// The words that make connections believe this certificate and no other.
    fn tls(&self) -> String {
        format!("--tls --tls-root-ca-file {}", self.path("cert.pem").display())
    }
}

#[test]
fn lookup_registers_what_it_says_and_leaves_no_node_behind() {
    let nsqlookupd = Daemon::nsqlookupd();
    let words = "lookup --nodes 7 --topics 150 --producers 3 --requests-at-once 2 \
                 --list-requests 1 --duration 50ms";
    let report = nsqlookupd.measure(words).expect("it measures");
    assert_eq!(report.problems(), [] as [&str; 0]);
    // Three groups: 3, 3 and 1 nodes. The list of topics tells how many there really are.
    assert_eq!(report.figure("registrations"), Some(1050.0), "{report}");
    assert_eq!(report.figure("different_topics"), Some(450.0), "{report}");
    let names: usize = (0..150).map(|index| format!("\"bench_lookup_0_{index}\",").len()).sum();
    let expected = r#"{"topics":[]}"#.len() + 3 * names - 1;
    assert_eq!(report.figure("topics_bytes"), Some(expected as f64), "{report}");
    nsqlookupd.stop();
}

#[test]
fn e2e_delivers_every_message_through_all_layers() {
    let home = Home::new();
    let nsqd = Daemon::nsqd(home.options());
    let tls = [String::new(), home.tls()];
    let loads = [
        "--messages 5003 --batch 10 --depth 4 --content text",
        "--messages 5000 --batch 100 --size 2000 --content random --publishers 1 --consumers 1",
        "--messages 3000 --verify --depth 20 --channels 2 --consumers 3 --consumer-threads 1",
        "--messages 60 --verify --size 100k --batch 3",
    ];
    for tls in &tls {
        for compression in ["", "--snappy", "--deflate", "--deflate 1"] {
            for load in loads {
                let words = format!("e2e {load} {tls} {compression}");
                let report = nsqd.measure(&words).expect(&words);
                assert_eq!(report.problems(), [] as [&str; 0], "{words}");
                for name in ["missing", "surplus"] {
                    assert_eq!(report.figure(name), Some(0.0), "{words}: {report}");
                }
            }
        }
    }
    nsqd.stop();
}

#[test]
fn every_scenario_with_messages_knows_the_layers() {
    let home = Home::new();
    let nsqd = Daemon::nsqd(home.options());
    for compression in ["--snappy", "--deflate 3"] {
        let layers = format!("{} {compression}", home.tls());
        let check = |words: &str, figure: &str, expected: f64| {
            let report = nsqd.measure(&format!("{words} {layers}")).expect(words);
            assert_eq!(report.problems(), [] as [&str; 0], "{words}");
            assert_eq!(report.figure(figure), Some(expected), "{words}: {report}");
            let report: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
            let settings = &report["settings"];
            assert_eq!(settings["tls"], true, "{words}");
            assert_eq!(settings["snappy"], compression == "--snappy", "{words}");
            assert_eq!(settings["deflate"] == 3, compression == "--deflate 3", "{words}");
        };
        check("pub --messages 1001 --batch 10 --topic t", "published", 1001.0);
        check("sub --messages 1001 --topic t", "delivered", 1001.0);
        check("drain --messages 1001 --batch 10 --verify", "drained", 1001.0);
        check("latency --rate 1000 --duration 200ms --warmup 0s", "delivered_in_all", 200.0);
    }
    nsqd.stop();
}

#[test]
fn a_layer_that_is_not_granted_ends_the_run_by_name() {
    let home = Home::new();
    let nsqd = Daemon::nsqd(nsqd::Options {
        tls_cert: String::new(),
        tls_key: String::new(),
        snappy: false,
        ..home.options()
    });
    let cases = [
        ("--tls --tls-insecure", "does not grant TLS"),
        ("--snappy", "does not grant snappy"),
        ("--deflate 9", "grants deflate with level 6, not 9"),
        ("--tls", "--tls needs --tls-root-ca-file or --tls-insecure"),
        ("--tls-insecure", "--tls"),
        ("--snappy --deflate", "cannot be used with"),
        ("--deflate 10", "10"),
        ("--snappy --over http", "connections over TCP"),
    ];
    for (words, expected) in cases {
        let text = nsqd.refusal(&format!("pub --messages 1 {words}"));
        assert!(text.contains(expected), "{words}: {text}");
    }
    nsqd.stop();
}

#[test]
fn certificates_are_checked_on_both_sides() {
    let (home, stranger) = (Home::new(), Home::new());
    let nsqd = Daemon::nsqd(nsqd::Options {
        tls_client_auth_policy: "require".to_owned(),
        ..home.options()
    });
    let own = |home: &Home| {
        let (cert, key) = (home.path("cert.pem"), home.path("key.pem"));
        format!("--tls-cert {} --tls-key {}", cert.display(), key.display())
    };
    let text = nsqd.refusal(&format!("pub --messages 1 {}", stranger.tls()));
    assert!(text.contains("invalid peer certificate"), "{text}");
    let text = nsqd.refusal(&format!("pub --messages 1 {}", home.tls()));
    assert!(text.contains("CertificateRequired"), "{text}");
    for trust in [home.tls(), "--tls --tls-insecure".to_owned()] {
        let words = format!("pub --messages 5 {trust} {}", own(&stranger));
        assert_eq!(nsqd.measure(&words).expect(&words).figure("published"), Some(5.0));
    }
    nsqd.stop();
}

#[test]
fn unix_sockets_are_addresses_like_others() {
    let home = Home::new();
    let text = |name: &str| home.path(name).to_str().expect("plain characters").to_owned();
    let options = nsqd::Options {
        tcp_address: text("tcp.sock"),
        http_address: text("http.sock"),
        ..home.options()
    };
    let daemon = Daemon::nsqd(options);
    for words in [
        "e2e --messages 3000 --batch 10 --delete-topic",
        "pub --messages 300 --over http --connections 2",
        "latency --rate 200 --duration 200ms --warmup 0ms",
    ] {
        let report = daemon.measure(words).expect(words);
        assert_eq!(report.problems(), [] as [&str; 0], "{words}");
    }
    daemon.stop();
}
