//! The lookup daemon: which nsqd serves which topic, and which channels exist.
//!
//! nsqd nodes connect and register their topics and channels ([`registry`]); consumers ask over
//! HTTP. Nothing is kept on disk: after a restart the nsqd nodes register again. Several daemons
//! run side by side without knowing of each other.

mod command;
mod connection;
mod crowd;
mod daemon;
mod doors;
mod http;
mod identify;
mod metrics;
mod nodes_page;
mod options;
mod poll;
pub mod registry;
mod server;

use std::process::ExitCode;

use nsq_app::{Logger, Reload, Shutdown, Signals};

pub use options::Options;
pub use server::Server;

/// What the program `nsqlookupd` does.
pub fn main() -> ExitCode {
    nsq_app::daemon::main("nsqlookupd", run)
}

#[tokio::main]
async fn run(options: Options, mut reload: Reload<Options>, log: Logger) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let signals = Signals::catch()?;
    let server = Server::start(options, log.clone()).await?;
    server.renew_with(&mut reload);
    tokio::spawn(signals.run(log, shutdown.clone(), move || reload.run()));
    server.run(shutdown).await
}
