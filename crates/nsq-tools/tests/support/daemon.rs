//! An nsqd and an nsqlookupd for one test, in this process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;

use nsq_app::{LogLevel, Logger, Shutdown, flags};
use nsq_sim::http;
use tempfile::TempDir;

/// A daemon. It stops in order when it is dropped.
pub(crate) struct Daemon {
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
    shutdown: Shutdown,
    serving: Option<JoinHandle<()>>,
    /// Where it keeps its messages; goes with it.
    data: Option<TempDir>,
}

const LOCAL: [&str; 3] =
    ["--tcp-address=127.0.0.1:0", "--http-address=127.0.0.1:0", "--broadcast-address=127.0.0.1"];

impl Daemon {
    #[track_caller]
    pub(crate) fn nsqd(own: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let path = format!("--data-path={}", data.path().display());
        let options = options::<nsqd::Options>(&[&[&*path], own].concat());
        let mut daemon = Self::serve(nsqd::runtime(), move |addresses, shutdown| async move {
            let log = Logger::to_stderr("[nsqd] ", LogLevel::Fatal);
            let server = nsqd::Server::start(options, log).await.expect("nsqd starts");
            let http = server.http_address().expect("it is switched on");
            addresses.send((server.tcp_address(), http)).expect("somebody waits");
            server.run(shutdown).await.expect("it stops in order");
        });
        daemon.data = Some(data);
        daemon
    }

    #[track_caller]
    pub(crate) fn lookupd() -> Self {
        let options = options::<nsqlookupd::Options>(&[]);
        Self::serve(nsqd::runtime(), move |addresses, shutdown| async move {
            let log = Logger::to_stderr("[nsqlookupd] ", LogLevel::Fatal);
            let server = nsqlookupd::Server::start(options, log).await.expect("it starts");
            addresses.send((server.tcp_address(), server.http_address())).expect("it waits");
            server.run(shutdown).await.expect("it stops in order");
        })
    }

    #[track_caller]
    fn serve<F: Future<Output = ()>>(
        runtime: std::io::Result<tokio::runtime::Runtime>,
        serve: impl FnOnce(mpsc::Sender<(String, String)>, Shutdown) -> F + Send + 'static,
    ) -> Self {
        let (shutdown, (sender, addresses)) = (Shutdown::new(), mpsc::channel());
        let (runtime, stop) = (runtime.expect("a runtime"), shutdown.clone());
        let serving = std::thread::spawn(move || runtime.block_on(serve(sender, stop)));
        let (tcp, http) = addresses.recv().expect("it starts");
        let address = |text: String| text.parse().expect("an address");
        let (tcp, http) = (address(tcp), address(http));
        Self { tcp, http, shutdown, serving: Some(serving), data: None }
    }

    /// Sends a POST that must succeed.
    #[track_caller]
    pub(crate) fn order(&self, target: &str, body: &str) {
        let answer = http::post(self.http, target, body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.begin();
        let ended = self.serving.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
        drop(self.data.take());
    }
}

#[track_caller]
fn options<O: flags::FlagSet>(own: &[&str]) -> O {
    let all = LOCAL.iter().chain(own).map(OsString::from);
    flags::parse::<O>(all).unwrap_or_else(|error| panic!("{error}")).options
}
