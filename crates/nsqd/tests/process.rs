//! The program nsqd as an operator meets it: its lines on standard error, exit codes, SIGHUP.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nsq_sim::certificates::Authority;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long to wait for a line that must come.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A directory for the data and for configuration files.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("room for a file");
        path
    }

    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsqd"));
        command.current_dir(self.0.path()).args(arguments);
        command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// Exit code and standard error of a daemon that does not stay, dates removed.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().expect("nsqd starts");
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        let lines = text.lines().map(|line| match line.strip_prefix("[nsqd] ") {
            Some(line) => format!("[nsqd] {}", line.splitn(3, ' ').nth(2).unwrap_or_default()),
            None => line.to_owned(),
        });
        (output.status.code(), lines.collect::<Vec<_>>().join("\n"))
    }
}

/// A running daemon, killed when it is dropped before it was stopped.
struct Daemon {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Daemon {
    fn start(home: &Home, arguments: &[&str]) -> Self {
        let mut all = vec!["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"];
        all.extend(arguments);
        let mut child = home.command(&all).spawn().expect("nsqd starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = log.lines().map_while(Result::ok);
            // Ends early when the test has seen enough.
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The rest of the next line that has `text`, from there on.
    #[track_caller]
    fn line(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no line with {text:?}: {error}"));
            if let Some(at) = line.find(text) {
                return line[at..].to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
    }

    /// Exit code after SIGTERM.
    fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().expect("it is our child").code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().expect("it is our child");
            self.child.wait().expect("it is our child");
        }
    }
}

#[test]
fn wrong_command_lines_and_files() {
    let home = Home::new();
    for (name, text) in [
        ("syntax", "id = 1\nid ="),
        ("special", "log_level = \"bogus\""),
        ("type", "id = 1.5"),
        ("tls", "tls_required = \"bogus\""),
        ("range", "id = 2000"),
    ] {
        home.write(name, text);
    }
    for (arguments, code, expected) in [
        (
            ["--nosuch"].as_slice(),
            2,
            "flag provided but not defined: -nosuch\nrun 'nsqd --help' for the flags",
        ),
        (
            &["--config=nofile", "--log-prefix=x"],
            1,
            "[nsqd] FATAL: failed to load config file nofile - open nofile: \
             no such file or directory",
        ),
        (&["--config", "special"], 1, "[nsqd] FATAL: failed parsing log_level bogus"),
        (&["--config=tls"], 1, "[nsqd] FATAL: failed parsing tls_required bogus"),
        (
            &["--config=type"],
            1,
            "[nsqd] FATAL: failed to coerce value 1.5 for id - expected an integer, not a float",
        ),
        (
            &["--config=range"],
            1,
            "[nsqd] FATAL: failed to instantiate nsqd - --node-id must be [0,1024)",
        ),
    ] {
        let (found_code, text) = home.refused(arguments);
        assert_eq!((found_code, &*text), (Some(code), expected), "{arguments:?}");
    }
    let (code, text) = home.refused(&["--config=syntax"]);
    let start = "[nsqd] FATAL: failed to load config file syntax - toml: line 2: ";
    assert!(code == Some(1) && text.starts_with(start), "{text}");
}

#[test]
fn values_that_it_cannot_run_with() {
    let home = Home::new();
    for (flag, expected) in [
        ("--node-id=1024", "--node-id must be [0,1024)"),
        ("--max-deflate-level=0", "--max-deflate-level must be [1,9]"),
        ("--max-deflate-level=1000", "--max-deflate-level must be [1,9]"),
        ("--tls-cert=a", "failed to build TLS config - --tls-cert and --tls-key need each other"),
        ("--tls-required", "cannot require TLS client connections without TLS key and cert"),
        (
            "--tls-client-auth-policy=verify",
            "--tls-client-auth-policy must be require or require-verify, not \"verify\"",
        ),
        ("--auth-http-request-method=GET", "--auth-http-request-method must be post or get"),
        (
            "--auth-http-address=ftp://a/",
            "--auth-http-address must be <addr>:<port> or a URL of http or https without user, \
             not \"ftp://a/\"",
        ),
        ("--max-rdy-count=0", "--max-rdy-count must be at least 1"),
        ("--sync-every=0", "--sync-every must be at least 1"),
        ("--statsd-udp-packet-size=0", "--statsd-udp-packet-size must be at least 1"),
        ("--statsd-udp-packet-size=70000", "--statsd-udp-packet-size must be at most 65507"),
        ("--max-body-size=2147483648", "--max-body-size must be at most 1073741823"),
        (
            "--min-output-buffer-timeout=31s",
            "--min-output-buffer-timeout must be at most --max-output-buffer-timeout",
        ),
        (
            "--e2e-processing-latency-percentile=0.5,1.5",
            "invalid E2E processing latency percentile: 1.5",
        ),
        ("--e2e-processing-latency-percentile=0", "invalid E2E processing latency percentile: 0"),
        (
            "--e2e-processing-latency-percentile=nan",
            "invalid E2E processing latency percentile: NaN",
        ),
    ] {
        let expected = format!("[nsqd] FATAL: failed to instantiate nsqd - {expected}");
        assert_eq!(home.refused(&[flag]), (Some(1), expected), "{flag}");
    }
    let negative = "invalid value \"-1\" for flag -mem-queue-size: value out of range\n\
                    run 'nsqd --help' for the flags";
    assert_eq!(home.refused(&["--mem-queue-size=-1"]), (Some(2), negative.to_owned()));
}

#[test]
fn help_and_version_are_no_mistakes() {
    let home = Home::new();
    let (code, text) = home.refused(&["--help"]);
    assert!(code == Some(0) && text.starts_with("Usage of nsqd:\n  -auth-http-"), "{text}");
    assert_eq!(home.refused(&["--version", "--config=nofile"]), (Some(0), String::new()));
}

#[test]
fn warnings_are_log_lines() {
    let home = Home::new();
    home.write("a.cfg", "nosuch = 1\nlog_prefix = \"p \"\nid = 3");
    let daemon = Daemon::start(
        &home,
        &["--config=a.cfg", "--worker-id", "5", "--enable-experiment=x", "and", "-so", "on"],
    );
    assert_eq!(
        daemon.line("WARNING"),
        "WARNING: --worker-id has no effect: deprecated in NSQ, see --node-id"
    );
    assert_eq!(
        daemon.line("WARNING"),
        "WARNING: ignored on the command line, for it is no flag: and -so on"
    );
    let unknown = daemon.line("p ");
    assert!(
        unknown.ends_with("WARNING: a.cfg: ignoring nosuch: no such option in a file"),
        "{unknown}"
    );
    assert_eq!(daemon.line("ID: "), "ID: 3");
    assert_eq!(daemon.line("WARNING"), "WARNING: --enable-experiment: there is no experiment x");
    daemon.line("HTTP: listening on ");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn log_lines_in_json() {
    let home = Home::new();
    home.write("a.cfg", "log_format = \"json\"");
    let daemon = Daemon::start(&home, &["--config=a.cfg"]);
    let line = daemon.line("{\"time\":\"20");
    let rest = r#","level":"info","program":"nsqd","message":"nsqd v1.3.0 (built w/rust"#;
    assert!(line.contains(rest) && line.ends_with(")\"}"), "{line}");
    daemon.line("HTTP: listening on ");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sighup_reads_the_file_again() {
    let home = Home::new();
    let change = |text: &str| drop(home.write("a.cfg", text));
    change("log_level = \"info\"\nmem_queue_size = 10");
    let daemon = Daemon::start(&home, &["--config=a.cfg"]);
    daemon.line("HTTP: listening on ");
    for (text, expected) in [
        (
            "log_level = \"info\"\nmem_queue_size = 10",
            ["INFO: SIGHUP: read a.cfg again, there is nothing to change"].as_slice(),
        ),
        (
            "log_level = \"debug\"\nmem_queue_size = 5\nsync_every = 1",
            &[
                "INFO: SIGHUP: read a.cfg again, log_level is debug now",
                "INFO: SIGHUP: these changes wait for a restart: mem_queue_size, sync_every",
            ],
        ),
        (
            "log_level = \"bogus\"",
            &["ERROR: SIGHUP: nothing has changed - failed parsing log_level bogus"],
        ),
        (
            "log_level = \"error\"\nid = 5000",
            &["ERROR: SIGHUP: nothing has changed - --node-id must be [0,1024)"],
        ),
        // The default comes back when the file says nothing.
        (
            "mem_queue_size = 10\nnosuch = 1",
            &[
                "WARNING: a.cfg: ignoring nosuch: no such option in a file",
                "INFO: SIGHUP: read a.cfg again, log_level is info now",
            ],
        ),
    ] {
        change(text);
        daemon.signal(Signal::HUP);
        for expected in expected {
            // Other lines may come in between: listeners start on their own.
            assert_eq!(daemon.line(expected), *expected, "{text}");
        }
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sighup_leaves_what_was_given_as_a_flag() {
    let home = Home::new();
    home.write("a.cfg", "log_level = \"error\"");
    let daemon = Daemon::start(&home, &["--config=a.cfg", "--log-level=info"]);
    daemon.line("HTTP: listening on ");
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.line("SIGHUP"), "SIGHUP: read a.cfg again, there is nothing to change");
    assert_eq!(daemon.stop(), Some(0));
}

/// An nsqlookupd that answers to IDENTIFY.
struct Lookupd(TcpListener);

impl Lookupd {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        listener.set_nonblocking(true).expect("a socket can be");
        Self(listener)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }

    /// The next connection, when its daemon has said who it is.
    #[track_caller]
    fn found(&self) -> TcpStream {
        let deadline = Instant::now() + PATIENCE;
        let mut stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert!(Instant::now() < deadline, "nobody came: {error}"),
            }
            std::thread::sleep(LOOK_EVERY);
        };
        stream.set_nonblocking(false).expect("a socket can be");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        let mut said = [0; b"  V1IDENTIFY\n".len()];
        stream.read_exact(&mut said).expect("it speaks first");
        assert_eq!(&said, b"  V1IDENTIFY\n");
        let mut size = [0; 4];
        stream.read_exact(&mut size).expect("the size of what it says");
        let mut body = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut body).expect("what it says");
        let answer =
            br#"{"broadcast_address":"a","hostname":"h","http_port":1,"tcp_port":1,"version":"v"}"#;
        let size = u32::try_from(answer.len()).expect("it is short").to_be_bytes();
        stream.write_all(&[&size[..], answer].concat()).expect("it reads");
        stream
    }
}

/// The daemon ends this connection without another word.
#[track_caller]
fn ends(mut connection: TcpStream) {
    assert_eq!(connection.read(&mut [0]).expect("an end in order"), 0);
}

#[test]
fn sighup_changes_the_nsqlookupds() {
    let home = Home::new();
    let lookupds = [Lookupd::start(), Lookupd::start()];
    let [one, other] = lookupds.each_ref().map(|lookupd| lookupd.address());
    let change = |addresses: &str, rest: &str| {
        home.write("a.cfg", &format!("nsqlookupd_tcp_addresses = [{addresses}]\n{rest}"));
    };
    change(&format!("\"{one}\""), "");
    let daemon = Daemon::start(&home, &["--config=a.cfg"]);
    let first = lookupds[0].found();
    change(&format!("\"{other}\""), "");
    daemon.signal(Signal::HUP);
    let again = "SIGHUP: read a.cfg again, ";
    daemon.line(&format!("LOOKUP({other}): adding peer"));
    daemon.line(&format!("LOOKUP({one}): removing peer"));
    let news = format!("{again}nsqlookupd_tcp_addresses has changed");
    assert_eq!(daemon.line("SIGHUP"), news);
    ends(first);
    let second = lookupds[1].found();
    change(&format!("\"{other}\""), "log_level = \"debug\"");
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.line("SIGHUP"), format!("{again}log_level is debug now"));
    change("", "log_level = \"debug\"");
    daemon.signal(Signal::HUP);
    daemon.line(&format!("LOOKUP({other}): removing peer"));
    assert_eq!(daemon.line("SIGHUP"), news);
    ends(second);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sighup_leaves_nsqlookupds_that_were_given_as_flags_or_over_http() {
    let home = Home::new();
    home.write("a.cfg", "nsqlookupd_tcp_addresses = [\"127.0.0.1:1\"]");
    let daemon = Daemon::start(&home, &["--config=a.cfg", "--lookupd-tcp-address=127.0.0.1:2"]);
    daemon.line("LOOKUP(127.0.0.1:2): adding peer");
    daemon.line("HTTP: listening on ");
    home.write("a.cfg", "nsqlookupd_tcp_addresses = [\"127.0.0.1:3\"]");
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.line("SIGHUP"), "SIGHUP: read a.cfg again, there is nothing to change");
    assert_eq!(daemon.stop(), Some(0));

    let daemon = Daemon::start(&home, &["--config=a.cfg"]);
    daemon.line("LOOKUP(127.0.0.1:3): adding peer");
    let http = daemon.line("HTTP: listening on ").replace("HTTP: listening on ", "");
    let mut stream = TcpStream::connect(http).expect("it listens");
    let put = "PUT /config/nsqlookupd_tcp_addresses HTTP/1.0\r\nContent-Length: 15\r\n\r\n";
    stream.write_all(format!("{put}[\"127.0.0.1:4\"]").as_bytes()).expect("it reads");
    daemon.line("LOOKUP(127.0.0.1:3): removing peer");
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.line("SIGHUP"), "SIGHUP: read a.cfg again, there is nothing to change");
    home.write("a.cfg", "nsqlookupd_tcp_addresses = [\"127.0.0.1:5\"]");
    daemon.signal(Signal::HUP);
    daemon.line("LOOKUP(127.0.0.1:5): adding peer");
    daemon.line("LOOKUP(127.0.0.1:4): removing peer");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sighup_without_a_file() {
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    daemon.line("HTTP: listening on ");
    daemon.signal(Signal::HUP);
    assert_eq!(daemon.line("SIGHUP"), "SIGHUP: there is no configuration file to read again");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_example_file_says_the_defaults() {
    use nsq_app::flags::{changed_keys, parse};
    use nsqd::Options;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib/nsqd.cfg.example");
    let line = parse::<Options>([]).expect("no flags");
    let settings = line.settings(path.to_str().expect("UTF-8")).expect("the example loads");
    assert_eq!(settings.warnings, [""; 0]);
    assert_eq!(changed_keys(&Options::default(), &settings.options), [""; 0]);
}

/// An HTTPS client that trusts these certificates only, and stays connected.
struct Trusting {
    runtime: tokio::runtime::Runtime,
    stream: nsq_net::Outgoing,
}

impl Trusting {
    fn connect(address: &str, trusted: &Path) -> std::io::Result<Self> {
        let authority = Some(trusted.to_owned());
        let files = nsq_net::TlsClientFiles { authority, ..Default::default() };
        let tls = nsq_net::TlsClient::load(&files).expect("files that are right");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let address = nsq_net::Address::parse(address);
        let stream = runtime.block_on(nsq_net::dial(&address, Some(&tls), PATIENCE))?;
        Ok(Self { runtime, stream })
    }

    /// The status of an answer.
    fn ask(&mut self, token: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let request =
            format!("GET /info HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
        let stream = &mut self.stream;
        self.runtime.block_on(async {
            stream.write_all(request.as_bytes()).await.expect("it reads");
            stream.flush().await.expect("it reads");
            let mut answer = Vec::new();
            while !answer.ends_with(b"}") {
                assert!(stream.read_buf(&mut answer).await.expect("no reset") > 0);
            }
            String::from_utf8_lossy(&answer).chars().skip(9).take(3).collect()
        })
    }
}

#[test]
fn certificates_and_tokens_are_renewed_in_place() {
    let home = Home::new();
    let path = home.0.path().to_owned();
    let (old, new) = (Authority::new(), Authority::new());
    let trusted = (old.write(&path, "old"), new.write(&path, "new"));
    let (certificate, key) = old.sign(&path, "nsqd");
    home.write("tokens", "the-token-of-before\n");
    let daemon = Daemon::start(
        &home,
        &[
            "--https-address=127.0.0.1:0",
            "--tls-cert=nsqd.pem",
            "--tls-key=nsqd.key",
            "--http-token-file=tokens",
        ],
    );
    let https = daemon.line("HTTPS: listening on ");
    let https = https.rsplit(' ').next().expect("an address");
    let mut early = Trusting::connect(https, &trusted.0).expect("it has the old certificate");
    assert_eq!(early.ask("the-token-of-before"), "200");
    assert_eq!(early.ask("the-token-of-later"), "401");

    assert_eq!(new.sign(&path, "nsqd"), (certificate, key));
    home.write("tokens", "the-token-of-later\n");
    daemon.signal(Signal::HUP);
    daemon.line("INFO: SIGHUP: read the certificate again");
    daemon.line("INFO: SIGHUP: read the tokens again");
    assert_eq!(early.ask("the-token-of-before"), "401", "the connection goes on");
    assert_eq!(early.ask("the-token-of-later"), "200", "the connection goes on");
    assert!(Trusting::connect(https, &trusted.0).is_err());
    let mut late = Trusting::connect(https, &trusted.1).expect("it has the new certificate");
    assert_eq!(late.ask("the-token-of-later"), "200");

    // Files with a mistake change nothing.
    home.write("nsqd.key", "nothing");
    home.write("tokens", "short");
    daemon.signal(Signal::HUP);
    let stays = "what was read before stays - ";
    daemon.line(&format!("ERROR: SIGHUP: the certificate: {stays}nsqd.key: "));
    daemon.line(&format!("ERROR: SIGHUP: the tokens: {stays}tokens: line 1: "));
    let mut last = Trusting::connect(https, &trusted.1).expect("it has the same certificate");
    assert_eq!(last.ask("the-token-of-later"), "200");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn whom_nsqd_trusts_is_read_again() {
    let home = Home::new();
    let path = home.0.path().to_owned();
    let authority = Authority::new();
    let (certificate, key) = authority.sign(&path, "nsqlookupd");
    let options = nsqlookupd::Options {
        tcp_address: "127.0.0.1:0".to_owned(),
        http_address: "127.0.0.1:0".to_owned(),
        tls_cert: certificate.display().to_string(),
        tls_key: key.display().to_string(),
        ..nsqlookupd::Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let log = nsq_app::Logger::to_stderr("", nsq_app::LogLevel::Fatal);
    let lookupd = runtime.block_on(nsqlookupd::Server::start(options, log)).expect("it starts");
    let address = format!("--lookupd-tcp-address={}", lookupd.tcp_address());
    runtime.spawn(lookupd.run(nsq_app::Shutdown::new()));
    let trusted = Authority::new().write(&path, "trusted");
    let flags = ["--lookupd-tls", "--lookupd-tls-root-ca-file=trusted.pem", &address];
    let daemon = Daemon::start(&home, &flags);
    let http = daemon.line("HTTP: listening on ");
    let http = http.rsplit(' ').next().expect("an address").to_owned();
    daemon.line("TLS handshake with 127.0.0.1 - invalid peer certificate");
    assert_eq!(authority.write(&path, "trusted"), trusted);
    daemon.signal(Signal::HUP);
    daemon.line("INFO: SIGHUP: read the certificates for nsqlookupd again");
    let began = Instant::now();
    loop {
        let mut stream = TcpStream::connect(&http).expect("it listens");
        stream.write_all(b"GET /debug/lookup HTTP/1.0\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("text");
        if text.contains("\n  connected yes\n") {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(LOOK_EVERY);
    }
}

#[test]
fn an_nsqlookupd_that_asks_for_a_token_is_named_when_it_refuses() {
    let home = Home::new();
    let tokens = home.write("tokens", "the-token-of-others\n");
    home.write("own", "the-token-that-is-wrong\n");
    let options = nsqlookupd::Options {
        tcp_address: "127.0.0.1:0".to_owned(),
        http_address: "127.0.0.1:0".to_owned(),
        broadcast_address: "127.0.0.1".to_owned(),
        http_token_file: tokens.display().to_string(),
        ..nsqlookupd::Options::default()
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let log = nsq_app::Logger::to_stderr("", nsq_app::LogLevel::Fatal);
    let lookupd = runtime.block_on(nsqlookupd::Server::start(options, log)).expect("it starts");
    let address = format!("--lookupd-tcp-address={}", lookupd.tcp_address());
    runtime.spawn(lookupd.run(nsq_app::Shutdown::new()));
    let daemon = Daemon::start(&home, &["--lookupd-http-token-file=own", &address]);
    daemon.line("--lookupd-http-token-file without --lookupd-tls: tokens travel in plain text");
    let http = daemon.line("HTTP: listening on ");
    let http = http.rsplit(' ').next().expect("an address");
    let mut stream = TcpStream::connect(http).expect("it listens");
    stream.write_all(b"POST /topic/create?topic=t HTTP/1.0\r\n\r\n").expect("it reads");
    let line = daemon.line("failed to query nsqlookupd for channels to pre-create for topic t");
    assert!(line.contains("got response 401 Unauthorized"), "{line}");
    assert!(!line.contains("the-token"), "{line}");
}
