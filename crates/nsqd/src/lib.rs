//! The message daemon: topics, channels and connections of one node.

mod auth;
mod backing;
mod channel;
mod client;
mod credentials;
mod crowd;
mod driver;
mod handles;
mod health;
mod host;
mod http;
mod keeper;
mod latency;
mod lookup;
mod metadata;
mod meters;
mod metrics;
mod node;
mod options;
mod pending;
mod process;
mod published;
mod restore;
mod server;
mod signal;
mod space;
mod stats;
mod statsd;
mod sweep;
mod syncer;
mod topic;

use std::process::ExitCode;
use std::sync::Arc;

use nsq_app::{Logger, Reload, Shutdown, Signals};

pub use node::Node;
pub use options::{InvalidOptions, Options};
pub use server::Server;

/// The fewest worker threads: the disk may hold up all but one of them while that one goes on.
const WORKERS_MIN: usize = 2;

/// The runtime that nsqd is made for. More threads than cores cost a third of the throughput of
/// single publishes in wake-ups between them.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.max(WORKERS_MIN))
        .enable_all()
        .build()
}

/// What the program `nsqd` does.
pub fn main() -> ExitCode {
    nsq_app::daemon::main("nsqd", run)
}

fn run(options: Options, mut reload: Reload<Options>, log: Logger) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let shutdown = Shutdown::new();
        let signals = Signals::catch()?;
        let server = Server::start(options, log.clone()).await?;
        let node = Arc::clone(server.node());
        node.credentials.renew_with(&mut reload);
        reload.on_change("nsqlookupd_tcp_addresses", move |options| {
            node.set_lookup_peers(&options.nsqlookupd_tcp_addresses);
        });
        tokio::spawn(signals.run(log, shutdown.clone(), move || reload.run()));
        server.run(shutdown).await
    })
}
