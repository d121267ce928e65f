//! An nsqd with a directory of its own, or an nsqlookupd.

use std::net::SocketAddr;

use tempfile::TempDir;

/// A daemon. It is killed when it is dropped.
pub(crate) struct Daemon {
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
    daemon: nsq_sim::Daemon,
    /// Where it keeps its messages; goes with it.
    _data: Option<TempDir>,
}

impl Daemon {
    #[track_caller]
    pub(crate) fn nsqd(own: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let binary = nsq_sim::binary("nsqd");
        let mut words = vec![binary.display().to_string()];
        words.push("--broadcast-address=127.0.0.1".to_owned());
        words.push(format!("--data-path={}", data.path().display()));
        words.extend(own.iter().map(|&flag| flag.to_owned()));
        let host = SocketAddr::from(([127, 0, 0, 1], 0)).ip();
        Self::of(nsq_sim::Daemon::run(words, host), Some(data))
    }

    #[track_caller]
    pub(crate) fn lookupd() -> Self {
        Self::of(nsq_sim::Daemon::lookupd(&[]), None)
    }

    fn of(daemon: nsq_sim::Daemon, data: Option<TempDir>) -> Self {
        let nsq_sim::Addresses { tcp, http } = daemon.addresses();
        Self { tcp, http, daemon, _data: data }
    }

    /// Sends a POST that must succeed.
    #[track_caller]
    pub(crate) fn order(&self, target: &str, body: &str) {
        self.daemon.order(target, body);
    }
}
