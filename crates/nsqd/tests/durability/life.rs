//! One life of a whole daemon on a simulated disk.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use nsq_app::{LogLevel, Logger};
use nsq_sim::{Addresses, FaultyDisk};
use nsqd::{Options, Server};
use tempfile::TempDir;

/// How long threads of a daemon that is gone may take to notice.
const END: Duration = Duration::from_secs(10);

/// A daemon that runs until it is ended, on a disk that outlives it.
pub(crate) struct Life {
    pub(crate) addresses: Addresses,
    runtime: tokio::runtime::Runtime,
}

/// A data directory: its lock is a real one, what is in it is simulated.
pub(crate) struct Home {
    pub(crate) disk: FaultyDisk,
    path: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let path = tempfile::tempdir().expect("a temporary directory");
        Self { disk: FaultyDisk::with_dir(path.path()), path }
    }

    pub(crate) fn path(&self) -> &Path {
        self.path.path()
    }

    /// Starts a daemon with these options.
    pub(crate) fn start(&self, change: impl FnOnce(&mut Options)) -> Life {
        let mut options = Options {
            tcp_address: "127.0.0.1:0".to_owned(),
            http_address: "127.0.0.1:0".to_owned(),
            data_path: self.path().display().to_string(),
            node_id: 7,
            ..Options::default()
        };
        change(&mut options);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(3)
            .enable_all()
            .build()
            .expect("a runtime");
        let log = Logger::to_stderr("", LogLevel::Fatal);
        let server = runtime.block_on(Server::start_on(options, log, self.disk.shared()));
        let server = server.expect("the daemon starts");
        let addresses = Addresses {
            tcp: local(&server.tcp_address()),
            http: local(&server.http_address().expect("HTTP is on")),
        };
        runtime.spawn(server.run(nsq_app::Shutdown::new()));
        Life { addresses, runtime }
    }
}

impl Life {
    /// Ends the daemon after its disk was taken away, so that nothing it still does counts.
    pub(crate) fn end(self) {
        self.runtime.shutdown_timeout(END);
    }
}

fn local(address: &str) -> SocketAddr {
    address.parse().expect("it listens on TCP")
}
