//! An nsqlookupd for one test, in this process or, when `NSQ_TEST_NSQLOOKUPD` names a binary, in
//! another.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nsq_app::{LogLevel, Logger, Shutdown};
use nsqlookupd::{Options, Server};
use serde_json::Value;

use super::client::Client;
use super::http::{Answer, ask};
use super::program::{self, Program};

/// Whether the daemon under test is the original, which differs deliberately in some points.
pub(crate) fn is_original() -> bool {
    program::is_built_with_go()
}

/// Why a daemon with these flags does not start.
#[track_caller]
pub(crate) fn refused(flags: &[String]) -> String {
    let line = nsq_app::flags::parse::<Options>(flags.iter().map(OsString::from));
    let options = line.expect("flags that exist").options;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let log = Logger::to_stderr(&options.log_prefix, LogLevel::Fatal);
    let started = runtime.expect("a runtime").block_on(Server::start(options, log));
    nsq_app::daemon::chain(&started.expect_err("it must not start"))
}

/// A daemon. It stops in order when it is dropped.
pub(crate) struct Daemon {
    running: Running,
}

enum Running {
    Here(Thread),
    There(Program),
}

impl Daemon {
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        let own =
            ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", "--broadcast-address=me"];
        let all: Vec<_> = own.iter().chain(flags).map(|&flag| flag.to_owned()).collect();
        let running = match program::named() {
            Some(path) => Running::There(Program::start(path, &all)),
            None => Running::Here(Thread::start(&all)),
        };
        Self { running }
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        match &self.running {
            Running::Here(thread) => thread.tcp,
            Running::There(program) => program.tcp,
        }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        match &self.running {
            Running::Here(thread) => thread.http,
            Running::There(program) => program.http,
        }
    }

    /// A client that has sent the magic.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        let mut client = Client::connect(self.tcp());
        client.send("  V1");
        client
    }

    /// An nsqd of this name that has identified.
    #[track_caller]
    pub(crate) fn nsqd(&self, name: &str) -> Client {
        let mut client = self.client();
        let answer = client.identify(format!(
            r#"{{"broadcast_address":"{name}","hostname":"h","tcp_port":4150,"http_port":4151,"version":"1.3.0"}}"#
        ));
        assert!(answer.is_some_and(|answer| answer.starts_with('{')));
        client
    }

    /// A new client sends `input` and gets `error` as its last response.
    #[track_caller]
    pub(crate) fn refuses(&self, input: impl AsRef<[u8]>, error: &str) {
        let mut client = self.client();
        client.send(input);
        client.expect_last(error);
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        ask(self.http(), "GET", target)
    }

    #[track_caller]
    pub(crate) fn post(&self, target: &str) -> Answer {
        ask(self.http(), "POST", target)
    }

    /// A POST that must succeed.
    #[track_caller]
    pub(crate) fn order(&self, target: &str) {
        assert_eq!(self.post(target).line(), "200", "{target}");
    }

    /// The names of the nsqd nodes that `/lookup` tells, in order.
    #[track_caller]
    pub(crate) fn producers(&self, topic: &str) -> Vec<String> {
        let answer = self.get(&format!("/lookup?topic={topic}"));
        assert_eq!(answer.status, 200, "{topic}");
        names(&answer)
    }
}

/// The names of the nsqd nodes in an answer of `/lookup` or `/nodes`, in order.
#[track_caller]
pub(crate) fn names(answer: &Answer) -> Vec<String> {
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let producers = answer["producers"].as_array().expect("a list");
    let name = |producer: &Value| producer["broadcast_address"].as_str().map(str::to_owned);
    let mut names: Vec<_> = producers.iter().filter_map(name).collect();
    if is_original() {
        names.sort();
    }
    names
}

/// A daemon of this process, with a runtime of its own.
struct Thread {
    shutdown: Shutdown,
    tcp: SocketAddr,
    http: SocketAddr,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Thread {
    fn start(flags: &[String]) -> Self {
        let line = nsq_app::flags::parse::<Options>(flags.iter().map(OsString::from));
        let options = line.expect("correct flags").options;
        let shutdown = Shutdown::new();
        let (started, wait) = mpsc::channel();
        let until = shutdown.clone();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = { runtime }.worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let log = Logger::to_stderr(&options.log_prefix, LogLevel::Fatal);
                let server = Server::start(options, log).await?;
                let addresses = (server.tcp_address().parse()?, server.http_address().parse()?);
                started.send(addresses).expect("the test waits");
                server.run(until).await
            })
        });
        let (tcp, http) = wait.recv().expect("it starts");
        Self { shutdown, tcp, http, served: Some(served) }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.shutdown.begin();
        let served = self.served.take().expect("it is taken only here").join();
        if !std::thread::panicking() {
            served.expect("no panic in the daemon").expect("it stops in order");
        }
    }
}
