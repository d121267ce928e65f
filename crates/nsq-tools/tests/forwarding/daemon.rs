//! An nsqd or an nsqlookupd in a process of its own.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::time::SystemTime;

use nsq_sim::{Addresses, Connection, Program, Received, command, http};
use serde_json::Value;
use tempfile::TempDir;

use crate::patience::{PATIENCE, wait_until};

/// Killed when it is dropped.
pub(crate) struct Daemon {
    addresses: Addresses,
    words: Vec<String>,
    /// None between [`Self::kill`] and [`Self::start_again`].
    program: Option<Program>,
    _data: TempDir,
}

/// What an nsqd says of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    /// Waiting, in flight or deferred.
    pub(crate) left: u64,
    pub(crate) in_flight: u64,
    pub(crate) requeued: u64,
}

impl Daemon {
    pub(crate) fn nsqd(lookupds: &[&Self]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let mut words = vec![binary("nsqd").display().to_string()];
        words.push("--broadcast-address=127.0.0.1".to_owned());
        words.push(format!("--data-path={}", data.path().display()));
        let lookupds = lookupds.iter().map(|lookupd| lookupd.addresses.tcp);
        words.extend(lookupds.map(|address| format!("--lookupd-tcp-address={address}")));
        Self::run(words, data)
    }

    pub(crate) fn lookupd() -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        Self::run(vec![binary("nsqlookupd").display().to_string()], data)
    }

    fn run(words: Vec<String>, data: TempDir) -> Self {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let program = start(&words, Addresses { tcp: free, http: free });
        Self { addresses: program.addresses, words, program: Some(program), _data: data }
    }

    /// Kill -9.
    pub(crate) fn kill(&mut self) {
        drop(self.program.take());
    }

    /// Starts it where it was.
    pub(crate) fn start_again(&mut self) {
        self.program = Some(start(&self.words, self.addresses));
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.addresses.tcp
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.addresses.http
    }

    #[track_caller]
    pub(crate) fn publish(&self, topic: &str, bodies: &[impl AsRef<[u8]>]) {
        let mut connection = Connection::open(self.tcp()).expect("nsqd is there");
        let bodies: Vec<_> = bodies.iter().map(|body| body.as_ref().to_vec()).collect();
        let answer = connection.ask(&command::publish_many(topic, &bodies));
        assert_eq!(answer.expect("an answer"), Received::Response(b"OK".to_vec()));
    }

    /// Creates a topic and a channel.
    #[track_caller]
    pub(crate) fn create(&self, topic: &str, channel: &str) {
        for target in [
            format!("/topic/create?topic={topic}"),
            format!("/channel/create?topic={topic}&channel={channel}"),
        ] {
            let answer = http::post(self.http(), &target, b"").expect("an answer");
            assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        }
    }

    /// Zero everywhere if there is no such channel.
    #[track_caller]
    pub(crate) fn counts(&self, topic: &str, channel: &str) -> Counts {
        let target = format!("/stats?format=json&topic={topic}&channel={channel}");
        let answer = http::get(self.http(), &target).expect("an answer");
        let stats: Value = serde_json::from_str(&answer.body).expect("JSON");
        let channel = &stats["topics"][0]["channels"][0];
        let count = |key: &str| channel[key].as_u64().unwrap_or_default();
        Counts {
            messages: count("message_count"),
            left: count("depth") + count("in_flight_count") + count("deferred_count"),
            in_flight: count("in_flight_count"),
            requeued: count("requeue_count"),
        }
    }

    /// Waits until so many messages came through the channel, and all are finished.
    #[track_caller]
    pub(crate) fn wait_finished(&self, topic: &str, channel: &str, messages: u64) {
        wait_until(&format!("{messages} finished in {topic}/{channel}"), || {
            let counts = self.counts(topic, channel);
            counts.messages >= messages && counts.left == 0
        });
    }

    /// Consumes from a topic until each of `expected` has come, in any order and however often.
    /// Returns the others.
    #[track_caller]
    pub(crate) fn take(&self, topic: &str, expected: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
        let mut missing: BTreeSet<&[u8]> = expected.iter().map(AsRef::as_ref).collect();
        let mut others = Vec::new();
        let mut connection = Connection::open(self.tcp()).expect("nsqd is there");
        let answer = connection.ask(&command::subscribe(topic, "test")).expect("an answer");
        assert_eq!(answer, Received::Response(b"OK".to_vec()));
        connection.send(&command::ready(1000)).expect("nsqd is there");
        while !missing.is_empty() {
            match connection.receive(PATIENCE).expect("nsqd is there") {
                Some(Received::Message(message)) => {
                    connection.send(&command::finish(&message.id)).expect("nsqd is there");
                    if !missing.remove(message.body.as_slice()) {
                        others.push(message.body);
                    }
                }
                Some(other) => panic!("{other:?}"),
                None => panic!("{} never came, such as {:?}", missing.len(), missing.first()),
            }
        }
        others
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
fn binary(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(Path::parent).expect("cargo puts tests into deps/");
    BUILT.call_once(|| {
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
