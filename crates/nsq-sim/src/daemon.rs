//! An nsqd or an nsqlookupd of this workspace in a process of its own.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::SystemTime;

use crate::{Addresses, Program, http};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A daemon. It is killed when it is dropped.
#[derive(Debug)]
pub struct Daemon {
    /// What runs it, but for the addresses to listen on.
    words: Vec<String>,
    addresses: Addresses,
    /// None between [`Self::kill`] and [`Self::start_again`].
    program: Option<Program>,
}

impl Daemon {
    /// Our nsqlookupd with these flags besides.
    #[track_caller]
    pub fn lookupd(flags: &[&str]) -> Self {
        Self::lookupd_of(&binary("nsqlookupd"), flags)
    }

    /// Another nsqlookupd.
    #[track_caller]
    pub fn lookupd_of(binary: &Path, flags: &[&str]) -> Self {
        let mut words = vec![text(binary), "--broadcast-address=127.0.0.1".to_owned()];
        words.extend(flags.iter().map(|&flag| flag.to_owned()));
        Self::run(words, LOCAL)
    }

    /// Our nsqd, which registers with the nsqlookupds at these addresses.
    #[track_caller]
    pub fn nsqd(data_path: &Path, lookupds: &[SocketAddr]) -> Self {
        Self::nsqd_of(&binary("nsqd"), data_path, lookupds)
    }

    /// Another nsqd.
    #[track_caller]
    pub fn nsqd_of(binary: &Path, data_path: &Path, lookupds: &[SocketAddr]) -> Self {
        let mut words = vec![text(binary), "--broadcast-address=127.0.0.1".to_owned()];
        words.push(format!("--data-path={}", text(data_path)));
        words.extend(lookupds.iter().map(|lookupd| format!("--lookupd-tcp-address={lookupd}")));
        Self::run(words, LOCAL)
    }

    /// By a command that runs the daemon in the same process, on free ports of that host.
    #[track_caller]
    pub fn run(words: Vec<String>, host: IpAddr) -> Self {
        let free = SocketAddr::new(host, 0);
        let program = start(&words, Addresses { tcp: free, http: free });
        Self { words, addresses: program.addresses, program: Some(program) }
    }

    /// Kill -9.
    pub fn kill(&mut self) {
        drop(self.program.take());
    }

    /// Starts it where it was.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.program = Some(start(&self.words, self.addresses));
    }

    /// Where it listens, also while it is killed.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The port that others know it by.
    pub fn port(&self) -> u16 {
        self.addresses.tcp.port()
    }

    /// Creates a topic, if it is not there, and a channel.
    #[track_caller]
    pub fn create(&self, topic: &str, channel: &str) {
        self.order(&format!("/topic/create?topic={topic}"), "");
        self.order(&format!("/channel/create?topic={topic}&channel={channel}"), "");
    }

    /// Sends a POST that must succeed.
    #[track_caller]
    pub fn order(&self, target: &str, body: &str) {
        let answer = http::post(self.addresses.http, target, body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    }

    /// Whether this nsqd has the channel.
    pub fn has_channel(&self, topic: &str, channel: &str) -> bool {
        let target = format!("/stats?format=json&topic={topic}&channel={channel}");
        let answer = http::get(self.addresses.http, &target).expect("an answer");
        answer.body.contains(&format!("\"channel_name\":\"{channel}\""))
    }
}

#[track_caller]
fn start(words: &[String], at: Addresses) -> Program {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command.arg(format!("--tcp-address={}", at.tcp));
    command.arg(format!("--http-address={}", at.http));
    Program::run(command).expect("the daemon starts")
}

/// The binary of this workspace, which lies beside the directory of the tests. Cargo builds it with
/// its own package, so with the whole workspace, but not with this one.
#[track_caller]
pub fn binary(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(Path::parent).expect("cargo puts tests into deps/");
    BUILT.call_once(|| {
        // Building by itself may need other features of the libraries, which takes minutes.
        if ["nsqd", "nsqlookupd"].into_iter().all(|name| is_current(directory, name)) {
            return;
        }
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package=nsqd", "--package=nsqlookupd", "--bins"]);
        if directory.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(built.success(), "nsqd and nsqlookupd cannot be built");
    });
    directory.join(name)
}

/// An example of the root package, which cargo builds with all of its tests, but not with one of
/// them.
///
/// # Panics
///
/// If it cannot be built.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(Path::parent).expect("cargo puts tests into deps/");
    let examples = directory.join("examples");
    if !is_current(&examples, name) {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package=nsq", "--example", name]);
        if directory.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo starts");
        assert!(built.success(), "the example {name} cannot be built");
    }
    examples.join(name)
}

/// Whether the binary is there and newer than what it was made of.
fn is_current(directory: &Path, name: &str) -> bool {
    // Cargo writes down what that is: `target: source source …`
    let made_of = fs::read_to_string(directory.join(format!("{name}.d"))).unwrap_or_default();
    let Some((_, sources)) = made_of.split_once(": ") else { return false };
    let Ok(built_at) = modified_at(&directory.join(name)) else { return false };
    let mut sources = sources.split_whitespace().map(Path::new);
    sources.all(|source| modified_at(source).is_ok_and(|time| time <= built_at))
}

fn modified_at(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn text(path: &Path) -> String {
    path.to_str().expect("paths of tests are text").to_owned()
}
