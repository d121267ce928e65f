//! The program nsqadmin as an operator meets it: its lines on standard error and exit codes.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nsq_sim::certificates::Authority;
use nsq_sim::{Daemon, http};
use rustix::process::{Pid, Signal, kill_process};

const FAILED: &str = " FATAL: failed to instantiate nsqadmin - ";

fn run(flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nsqadmin"));
    command.args(flags).stdin(Stdio::null()).output().expect("it starts")
}

/// What it says when it does not start.
#[track_caller]
fn refused(flags: &[&str], expected: &str) {
    let output = run(flags);
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.trim_end().split_once(FAILED).map(|(_, reason)| reason);
    assert_eq!(reason, Some(expected), "{flags:?}: {said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_version() {
    let output = run(&["--version"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("nsqadmin v1.3.0 (built w/rust"), "{said}");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(run(&["--nosuch"]).status.code(), Some(2));
}

#[test]
fn starts_that_fail() {
    const LOOKUPD: &str = "--lookupd-http-address=127.0.0.1:4161";
    refused(&[], "--nsqd-http-address or --lookupd-http-address required");
    refused(
        &[LOOKUPD, "--nsqd-http-address=127.0.0.1:4151", "--http-client-tls-cert=x"],
        "use --nsqd-http-address or --lookupd-http-address not both",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-cert=y"],
        "--http-client-tls-key must be specified with --http-client-tls-cert",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-key=x"],
        "--http-client-tls-cert must be specified with --http-client-tls-key",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-cert=y", "--http-client-tls-key=x"],
        "failed to LoadX509KeyPair y, x - open y: no such file or directory",
    );
    refused(
        &[LOOKUPD, "--http-client-tls-root-ca-file=nofile", "--lookupd-http-address=a"],
        "failed to read TLS root CA file nofile - open nofile: no such file or directory",
    );
    let missing = "address 127.0.0.1: missing port in address";
    for flag in ["--lookupd-http-address", "--nsqd-http-address"] {
        refused(
            &[&format!("{flag}=127.0.0.1"), "--allow-config-from-cidr=foo"],
            &format!("failed to resolve {flag} (127.0.0.1) - {missing}"),
        );
    }
    refused(
        &[LOOKUPD, "--proxy-graphite", "--graphite-url=:bad", "--allow-config-from-cidr=foo"],
        "failed to parse --graphite-url (:bad) - parse \":bad\": missing protocol scheme",
    );
    refused(
        &[LOOKUPD, "--proxy-graphite", "--graphite-url=http://u:secret@g?"],
        "failed to parse --graphite-url (http://u:xxxxx@g?) - \
         parse \"http://u:xxxxx@g?\": there is a query or a fragment",
    );
    // No name has a part that long, so nobody is asked for it.
    let unknown = "x".repeat(64);
    refused(
        &[&format!("--lookupd-http-address={unknown}:1")],
        &format!(
            "failed to resolve --lookupd-http-address ({unknown}:1) - lookup {unknown}: no such host"
        ),
    );
    refused(
        &[LOOKUPD, "--allow-config-from-cidr=foo"],
        "failed to parse --allow-config-from-cidr (foo) - invalid CIDR address: foo",
    );
    let endpoint = "--notification-http-endpoint";
    refused(
        &[LOOKUPD, "--http-client-token-file=nofile"],
        "open nofile: no such file or directory",
    );
    refused(
        &[LOOKUPD, &format!("{endpoint}=a")],
        &format!("failed to parse {endpoint} (a) - no URL of HTTP or HTTPS"),
    );
}

#[test]
fn files_that_are_no_certificates() {
    let home = tempfile::tempdir().expect("a directory");
    let (_, key) = Authority::new().sign(home.path(), "nsqadmin");
    let key = key.display();
    refused(
        &["--nsqd-http-address=127.0.0.1:4151", &format!("--http-client-tls-root-ca-file={key}")],
        &format!("failed to AppendCertsFromPEM {key}"),
    );
}

#[test]
fn an_address_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let reason = format!("listen tcp {address}: bind: address already in use");
    refused(
        &["--nsqd-http-address=127.0.0.1:4151", &format!("--http-address={address}")],
        &format!("listen ({address}) failed - {reason}"),
    );
}

/// A running nsqadmin.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    said: String,
    address: SocketAddr,
}

impl Running {
    #[track_caller]
    fn start(flags: &[&str]) -> Self {
        const LISTENING: &str = "INFO: HTTP: listening on ";
        let mut command = Command::new(env!("CARGO_BIN_EXE_nsqadmin"));
        command.arg("--http-address=127.0.0.1:0").args(flags);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("it is piped"));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut running = Self { child, log, said: String::new(), address };
        let line = running.line(LISTENING);
        let (_, address) = line.trim_end().split_once(LISTENING).expect("it is in it");
        running.address = address.parse().expect("an address");
        running
    }

    /// Reads on to the next line that has this text.
    #[track_caller]
    fn line(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.log.read_line(&mut line).expect("text");
            self.said.push_str(&line);
            assert!(count > 0, "it ended without {text}:\n{}", self.said);
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is our child");
    }

    #[track_caller]
    fn topics(&self) -> String {
        let answer = http::get(self.address, "/api/topics").expect("an answer");
        format!("{} {}", answer.status, answer.body)
    }

    /// All that it said, when it has stopped in order.
    #[track_caller]
    fn stopped(mut self) -> String {
        self.signal(Signal::TERM);
        self.log.read_to_string(&mut self.said).expect("text");
        assert_eq!(self.child.wait().expect("it is our child").code(), Some(0), "{}", self.said);
        std::mem::take(&mut self.said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        if self.child.kill().is_ok() && self.child.wait().is_ok() {}
    }
}

#[test]
fn the_example_of_a_configuration_file_starts_it_and_a_signal_stops_it() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/nsqadmin.cfg.example");
    // Nothing is to be told, so nothing is missed.
    let endpoint = "--notification-http-endpoint=http://127.0.0.1:1/";
    // There is no nsqlookupd to look at.
    let never = "--history-interval=0";
    let said = Running::start(&[&format!("--config={example}"), endpoint, never]).stopped();
    assert!(said.contains("[nsqadmin] ") && said.contains(" INFO: nsqadmin v1.3.0 "), "{said}");
    assert!(!said.contains("WARNING") && !said.contains("ERROR"), "{said}");
}

/// Lines of the configuration file and of the file of tokens change while it runs.
#[test]
fn a_hangup_brings_other_nsqlookupds_and_another_token() {
    const CHANGED: &str = "again, nsqlookupd_http_addresses has changed";
    const READ: &str = "INFO: SIGHUP: read the token for nsqlookupd and nsqd again";
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name).display().to_string();
    let write = |name, text: &str| std::fs::write(path(name), text).expect("room for a file");
    write("guard", "0123456789abcdef\n");
    write("tokens", "of-another-cluster\n");
    let old = Daemon::lookupd(&[]);
    let new = Daemon::lookupd(&[&format!("--http-token-file={}", path("guard"))]);
    let [old, new] = [old, new].map(|lookupd| (lookupd.addresses().http, lookupd));
    let asks = |address| write("config", &format!("nsqlookupd_http_addresses = [\"{address}\"]"));
    old.1.order("/topic/create?topic=old", "");
    asks(old.0);
    let token = format!("--http-client-token-file={}", path("tokens"));
    let mut admin = Running::start(&[&format!("--config={}", path("config")), &token]);
    assert_eq!(admin.topics(), r#"200 {"topics":["old"],"message":""}"#);
    asks(new.0);
    admin.signal(Signal::HUP);
    admin.line(CHANGED);
    let refused = admin.topics();
    assert!(refused.starts_with("502 ") && refused.contains("401 Unauthorized"), "{refused}");
    let empty = r#"200 {"topics":null,"message":""}"#;
    write("tokens", "0123456789abcdef\n");
    admin.signal(Signal::HUP);
    admin.line(READ);
    assert_eq!(admin.topics(), empty);
    // What is no token changes nothing.
    write("tokens", "short\n");
    admin.signal(Signal::HUP);
    admin.line("ERROR: SIGHUP: the token for nsqlookupd and nsqd: what was read before stays");
    assert_eq!(admin.topics(), empty);
    let said = admin.stopped();
    assert!(!said.contains("0123456789abcdef") && !said.contains("short"), "{said}");
}

/// The others are still to be seen.
#[test]
fn one_name_that_is_gone() {
    let unknown = format!("--lookupd-http-address={}:1", "x".repeat(64));
    let lookupd = Daemon::lookupd(&[]);
    let known = format!("--lookupd-http-address={}", lookupd.addresses().http);
    let admin = Running::start(&[&unknown, &known]);
    let topics = admin.topics();
    assert!(topics.starts_with(r#"200 {"topics":null,"message":"WARNING: "#), "{topics}");
    let said = admin.stopped();
    assert!(said.contains("WARNING: failed to resolve --lookupd-http-address (xxx"), "{said}");
}

#[test]
fn a_hangup_keeps_addresses_that_cannot_be_asked_out() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("config").display().to_string();
    let write = |text: &str| std::fs::write(&path, text).expect("room for a file");
    let lookupd = Daemon::lookupd(&[]);
    lookupd.order("/topic/create?topic=t", "");
    write(&format!("nsqlookupd_http_addresses = [\"{}\"]", lookupd.addresses().http));
    let mut admin = Running::start(&[&format!("--config={path}")]);
    let topics = r#"200 {"topics":["t"],"message":""}"#;
    assert_eq!(admin.topics(), topics);
    for (other, said) in [
        (
            "nsqlookupd_http_addresses = [\"http://x:1\"]",
            "ERROR: the nsqlookupd that are asked stay",
        ),
        ("nsqd_http_addresses = [\"127.0.0.1:1\"]", "WARNING: the nsqlookupd that are asked stay"),
    ] {
        write(other);
        admin.signal(Signal::HUP);
        admin.line(said);
        assert_eq!(admin.topics(), topics);
    }
    admin.stopped();
}

#[test]
fn tokens_that_others_can_hear() {
    const TEXT: &str = "WARNING: HTTP: tokens travel in plain text to 192.0.2.1:4151, for whoever";
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("tokens");
    std::fs::write(&path, "0123456789abcdef\n").expect("room for a file");
    let token = format!("--http-client-token-file={}", path.display());
    let (near, far) = ("--nsqd-http-address=127.0.0.1:4151", "--nsqd-http-address=192.0.2.1:4151");
    for (flags, is_warned) in
        [(vec![near, far, &token], true), (vec![near, &token], false), (vec![far], false)]
    {
        // Nobody is asked anything.
        let flags = [flags, vec!["--history-interval=0"]].concat();
        let said = Running::start(&flags).stopped();
        assert_eq!(said.contains(TEXT), is_warned, "{flags:?}: {said}");
        assert_eq!(said.contains("WARNING"), is_warned, "{flags:?}: {said}");
    }
}

#[test]
fn graphite_as_browsers_cannot_use_it() {
    let nsqd = "--nsqd-http-address=127.0.0.1:4151";
    for (url, is_proxied, warning) in [
        ("http://u:secret@g/", false, "user and password of --graphite-url are of use only with"),
        ("http://u:secret@g/", true, ""),
        ("http://g/", false, ""),
        ("http://[::1]:8080/", false, "browsers show no graphs from an IPv6 address"),
        ("http://[::1]:8080/", true, ""),
        ("u:secret@g", false, "there are no graphs: --graphite-url is no URL"),
    ] {
        let url = format!("--graphite-url={url}");
        let proxied = format!("--proxy-graphite={is_proxied}");
        let said = Running::start(&[nsqd, &url, &proxied]).stopped();
        assert_eq!(said.contains("WARNING: GRAPHITE: "), !warning.is_empty(), "{url}: {said}");
        assert!(said.contains(warning) && !said.contains("secret"), "{url}: {said}");
    }
}
