//! The admin daemon: all nodes of a cluster seen as one, and actions on them.
//!
//! Every request asks nsqlookupd and nsqd (`nsq_api::cluster`), merges what they say (`view`), and
//! answers as JSON (`http`) or with a page (`web`). What was, nobody can be asked: `watch` looks at
//! the cluster from time to time. A `tail` shows the messages of a topic for a while.

mod access;
mod act;
mod address;
mod admin;
mod ask;
mod chart;
mod cidr;
mod counters;
mod graphite;
mod graphs;
mod growth;
mod health;
mod history;
mod http;
mod ledger;
mod names;
mod notification;
mod notifier;
mod options;
mod overview;
mod publication;
mod request_names;
mod server;
mod silence;
mod tail;
mod tls;
mod upstream;
mod view;
mod watch;
mod web;

use std::process::ExitCode;

use nsq_app::{Logger, Reload, Shutdown, Signals};

pub use options::Options;
pub use server::Server;

/// What the program `nsqadmin` does.
#[must_use]
pub fn main() -> ExitCode {
    nsq_app::daemon::main("nsqadmin", run)
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
