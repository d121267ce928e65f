//! An nsqd for one test, in this process or, when `NSQ_TEST_NSQD` names a binary, in another.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use nsq_app::{LogLevel, Logger, Shutdown};
use nsqd::{Options, Server};
use rustls::ClientConfig;
use serde_json::Value;
use tempfile::TempDir;

use super::client::Client;
use super::http::{Answer, ask, ask_securely};
use super::program::{self, Program};

/// Whether the daemon under test is the original, which differs deliberately in some points.
pub(crate) fn is_original() -> bool {
    program::is_built_with_go()
}

/// Starts a daemon that may refuse, on a directory that the caller keeps.
pub(crate) fn try_start(data_path: &Path, flags: &[&str]) -> Result<Daemon, String> {
    Daemon::start_on(Directory::Borrowed(data_path.to_owned()), flags)
}

/// A daemon. It stops in order when it is dropped.
pub(crate) struct Daemon {
    flags: Vec<String>,
    // Fields are dropped in this order.
    running: Option<Running>,
    directory: Directory,
}

enum Directory {
    Owned(TempDir),
    Borrowed(PathBuf),
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Self::Owned(directory) => directory.path(),
            Self::Borrowed(path) => path,
        }
    }
}

enum Running {
    Here(Thread),
    There(Program),
}

impl Daemon {
    /// A daemon with an empty data directory of its own.
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        let directory = TempDir::new().expect("there is room for temporary files");
        Self::start_on(Directory::Owned(directory), flags).expect("the daemon starts")
    }

    /// The same with flags that the test put together.
    #[track_caller]
    pub(crate) fn start_with(flags: &[String]) -> Self {
        Self::start(&flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The same as a process of its own, whose memory can be measured.
    #[track_caller]
    pub(crate) fn start_apart() -> Self {
        let directory = TempDir::new().expect("there is room for temporary files");
        let directory = Directory::Owned(directory);
        let path = program::named().unwrap_or(Path::new(env!("CARGO_BIN_EXE_nsqd")));
        let flags = all_flags(&directory, &[]);
        let program = Program::start(path, &flags).expect("the daemon starts");
        Self { flags, running: Some(Running::There(program)), directory }
    }

    /// The most memory that it had so far; only for a process of its own.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let Running::There(program) = self.running() else { panic!("it has no process") };
        program.peak_memory_bytes()
    }

    fn start_on(directory: Directory, flags: &[&str]) -> Result<Self, String> {
        let all = all_flags(&directory, flags);
        let running = Some(Running::start(&all)?);
        Ok(Self { flags: all, running, directory })
    }

    /// Stops in order.
    pub(crate) fn stop(&mut self) {
        self.running = None;
    }

    /// Stops in order, unless it is stopped, and starts again on the same directory.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.running = Some(Running::start(&self.flags).expect("the daemon starts again"));
    }

    pub(crate) fn data_path(&self) -> &Path {
        self.directory.path()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the daemon runs")
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        match self.running() {
            Running::Here(thread) => thread.tcp,
            Running::There(program) => program.tcp,
        }
    }

    pub(crate) fn http(&self) -> SocketAddr {
        match self.running() {
            Running::Here(thread) => thread.http,
            Running::There(program) => program.http,
        }
    }

    /// Only with flags that ask for it.
    pub(crate) fn https(&self) -> SocketAddr {
        let address = match self.running() {
            Running::Here(thread) => thread.https,
            Running::There(program) => program.https,
        };
        address.expect("the test asked for HTTPS")
    }

    /// A client that has sent the magic.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        let mut client = Client::connect(self.tcp());
        client.send("  V2");
        client
    }

    /// A subscribed client with a ready count of 0.
    #[track_caller]
    pub(crate) fn consumer(&self, topic: &str, channel: &str) -> Client {
        let mut client = self.client();
        client.subscribe(topic, channel);
        client
    }

    /// A new client sends `input` and gets `error` as its last frame.
    #[track_caller]
    pub(crate) fn refuses(&self, input: impl AsRef<[u8]>, error: impl AsRef<[u8]>) {
        let mut client = self.client();
        client.send(input);
        client.expect_last_error(error);
    }

    /// The same for a client that ends its input with `input`.
    #[track_caller]
    pub(crate) fn refuses_at_end(&self, input: impl AsRef<[u8]>, error: impl AsRef<[u8]>) {
        let mut client = self.client();
        client.send(input);
        client.send_end();
        client.expect_last_error(error);
    }

    /// One request; the connection closes after it.
    #[track_caller]
    pub(crate) fn request(&self, method: &str, target: &str, body: impl AsRef<[u8]>) -> Answer {
        ask(self.http(), &request(method, target, body.as_ref()))
    }

    /// One request over HTTPS.
    #[track_caller]
    pub(crate) fn secure_request(
        &self,
        config: &Arc<ClientConfig>,
        method: &str,
        target: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        ask_securely(self.https(), config, &request(method, target, body.as_ref()))
            .expect("the handshake succeeds")
    }

    /// `/ping` over HTTPS to a daemon that may refuse this client.
    pub(crate) fn try_ping(&self, config: &Arc<ClientConfig>) -> std::io::Result<()> {
        let answer = ask_securely(self.https(), config, &request("GET", "/ping", b""))?;
        assert_eq!(answer.line(), "200 OK");
        Ok(())
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.request("GET", target, "")
    }

    #[track_caller]
    pub(crate) fn post(&self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.request("POST", target, body)
    }

    /// A POST that must succeed.
    #[track_caller]
    pub(crate) fn order(&self, target: &str) {
        let answer = self.post(target, "");
        assert_eq!((answer.status, answer.text()), (200, ""), "{target}");
    }

    /// Publishes over HTTP.
    #[track_caller]
    pub(crate) fn publish(&self, topic: &str, body: impl AsRef<[u8]>) {
        let answer = self.post(&format!("/pub?topic={}", topic.replace('#', "%23")), body);
        assert_eq!(answer.line(), "200 OK");
    }

    /// `/stats` without memory figures.
    #[track_caller]
    pub(crate) fn stats(&self) -> Value {
        let answer = self.get("/stats?format=json&include_mem=false");
        assert_eq!(answer.status, 200);
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    /// What `/stats` says of a topic; null when there is none.
    #[track_caller]
    pub(crate) fn topic(&self, name: &str) -> Value {
        find(&self.stats()["topics"], "topic_name", name)
    }

    /// What `/stats` says of a channel; null when there is none.
    #[track_caller]
    pub(crate) fn channel(&self, topic: &str, name: &str) -> Value {
        find(&self.topic(topic)["channels"], "channel_name", name)
    }

    /// One number of a channel's statistics.
    #[track_caller]
    pub(crate) fn channel_number(&self, topic: &str, name: &str, field: &str) -> i64 {
        let channel = self.channel(topic, name);
        channel[field].as_i64().unwrap_or_else(|| panic!("no {field} in {channel}"))
    }
}

fn all_flags(directory: &Directory, flags: &[&str]) -> Vec<String> {
    let mut all = vec![
        "--tcp-address=127.0.0.1:0".to_owned(),
        "--http-address=127.0.0.1:0".to_owned(),
        "--broadcast-address=127.0.0.1".to_owned(),
        format!("--data-path={}", directory.path().display()),
    ];
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    all
}

/// The bytes of a request after which the connection closes.
fn request(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: nsqd\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn find(list: &Value, key: &str, name: &str) -> Value {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().find(|entry| entry[key] == name).cloned().unwrap_or_default()
}

impl Running {
    fn start(flags: &[String]) -> Result<Self, String> {
        match program::named() {
            Some(path) => Program::start(path, flags).map(Self::There),
            None => Thread::start(flags).map(Self::Here),
        }
    }
}

/// A daemon of this process, with a runtime of its own.
struct Thread {
    shutdown: Shutdown,
    tcp: SocketAddr,
    http: SocketAddr,
    https: Option<SocketAddr>,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Thread {
    fn start(flags: &[String]) -> Result<Self, String> {
        let line = nsq_app::flags::parse::<Options>(flags.iter().map(OsString::from));
        let line = line.map_err(|error| error.to_string())?;
        let settings = line.settings(&line.options.config).map_err(|error| error.to_string())?;
        let options = settings.options;
        let shutdown = Shutdown::new();
        let (started, wait) = mpsc::channel();
        let until = shutdown.clone();
        let served = std::thread::spawn(move || {
            nsqd::runtime()?.block_on(async {
                let log = Logger::to_stderr(&options.log_prefix, LogLevel::Fatal);
                let server = match Server::start(options, log).await {
                    Ok(server) => server,
                    Err(error) => {
                        started.send(Err(nsq_app::daemon::chain(&error))).expect("the test waits");
                        return Ok(());
                    }
                };
                let http = server.http_address().expect("the test asked for HTTP").parse()?;
                let https = server.https_address().map(|address| address.parse()).transpose()?;
                let addresses = (server.tcp_address().parse()?, http, https);
                started.send(Ok(addresses)).expect("the test waits");
                server.run(until).await
            })
        });
        let (tcp, http, https) = wait.recv().expect("it starts or says why not")?;
        Ok(Self { shutdown, tcp, http, https, served: Some(served) })
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
