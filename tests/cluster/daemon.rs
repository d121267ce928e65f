//! An nsqd or an nsqlookupd in a process of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use nsq_sim::{Addresses, Program, http};

/// A daemon. It is killed when it is dropped.
pub(crate) struct Daemon {
    program: Program,
}

impl Daemon {
    /// An nsqlookupd with these flags besides.
    #[track_caller]
    pub(crate) fn lookupd(flags: &[&str]) -> Self {
        let mut command = Command::new(binary("nsqlookupd"));
        command.args(["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]);
        command.args(["--broadcast-address=127.0.0.1"]).args(flags);
        Self::run(command)
    }

    /// An nsqd that registers with the nsqlookupds at these addresses.
    #[track_caller]
    pub(crate) fn nsqd(data_path: &Path, lookupds: &[SocketAddr]) -> Self {
        let mut command = Command::new(binary("nsqd"));
        command.args(["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0"]);
        command.arg("--broadcast-address=127.0.0.1").arg("--data-path").arg(data_path);
        command.args(lookupds.iter().map(|lookupd| format!("--lookupd-tcp-address={lookupd}")));
        Self::run(command)
    }

    /// By a command that runs the daemon in the same process.
    #[track_caller]
    pub(crate) fn run(command: Command) -> Self {
        Self { program: Program::run(command).expect("the daemon starts") }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.program.addresses
    }

    /// The port that others know it by.
    pub(crate) fn port(&self) -> u16 {
        self.addresses().tcp.port()
    }

    /// Creates a topic, if it is not there, and a channel.
    #[track_caller]
    pub(crate) fn create(&self, topic: &str, channel: &str) {
        self.order(&format!("/topic/create?topic={topic}"), "");
        self.order(&format!("/channel/create?topic={topic}&channel={channel}"), "");
    }

    /// Sends a POST that must succeed.
    #[track_caller]
    pub(crate) fn order(&self, target: &str, body: &str) {
        let answer = http::post(self.addresses().http, target, body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    }
}

/// The binary of this workspace, which lies beside the directory of the tests. Cargo builds it with
/// its own package, but not with this one.
#[track_caller]
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(Path::parent).expect("cargo puts tests into deps/");
    let binary = directory.join(name);
    let remedy = format!("run `cargo build -p {name}`, or test the whole workspace");
    let Ok(built_at) = modified_at(&binary) else {
        panic!("there is no {}: {remedy}", binary.display());
    };
    // Cargo writes down what it was made of: `target: source source …`
    let made_of = fs::read_to_string(directory.join(format!("{name}.d"))).expect("made by cargo");
    let sources = made_of.split_once(": ").expect("sources behind a colon").1;
    for source in sources.split_whitespace() {
        let is_older = modified_at(Path::new(source)).is_ok_and(|time| time <= built_at);
        assert!(is_older, "{name} was built before {source} changed: {remedy}");
    }
    binary
}

fn modified_at(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}
