//! `nsq top`: what goes on in a cluster, now.

mod column;
mod look;
mod model;
mod screen;
mod table;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use nsq_api::HttpClient;
use nsq_api::cluster::Cluster;
use nsq_app::Shutdown;
use nsq_net::{TlsClient, TlsClientFiles};
use tokio::sync::mpsc;

use crate::client_args::duration;
use crate::interrupt;

use self::look::{Look, Lookout};
use self::model::{Key, Model};
use self::terminal::Screen;

/// A node that takes longer is down for this look.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// No node says more than that about all its topics.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Looking more often only heats the nodes.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// What to look at.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    /// HTTP address of an nsqd; may be given several times
    #[arg(long, value_name = "HTTP_ADDRESS", default_value = "127.0.0.1:4151")]
    nsqd: Vec<String>,
    /// All nsqd that this nsqlookupd knows, by its HTTP address; may be given several times
    #[arg(long, value_name = "HTTP_ADDRESS", conflicts_with = "nsqd")]
    lookupd: Vec<String>,
    /// How often to look
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Print one table and end, as in a pipe; it takes two looks to know the rates
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(arguments: &TopArgs) -> anyhow::Result<ExitCode> {
    let least = INTERVAL_MIN.as_millis();
    ensure!(arguments.interval >= INTERVAL_MIN, "--interval is at least {least}ms");
    nsqd::runtime()?.block_on(async {
        let lookout = Lookout::new(cluster(arguments));
        let stop = interrupt::catch()?;
        if arguments.once || !io::stdout().is_terminal() {
            once(lookout, arguments.interval, &stop).await
        } else {
            watch(lookout, arguments.interval, &stop).await
        }
    })
}

fn cluster(arguments: &TopArgs) -> Cluster {
    let client = HttpClient {
        connect_timeout: REQUEST_TIMEOUT,
        request_timeout: REQUEST_TIMEOUT,
        max_body_bytes: ANSWER_BYTES_MAX,
        // For a daemon that wants it. A system that trusts nobody can still do without.
        tls: TlsClient::load(&TlsClientFiles::default()).ok(),
        authorization: None,
    };
    match &*arguments.lookupd {
        [] => Cluster::by_nsqds(&arguments.nsqd, client),
        lookupds => Cluster::by_lookupds(lookupds, client),
    }
}

/// Two looks, and a table of the second. What is down is said on standard error; that nobody
/// answered is a failure.
async fn once(
    mut lookout: Lookout,
    interval: Duration,
    stop: &Shutdown,
) -> anyhow::Result<ExitCode> {
    let looks = async {
        let first = lookout.look().await;
        if first.node_count == 0 && !first.failures.is_empty() {
            return first;
        }
        tokio::time::sleep(interval).await;
        lookout.look().await
    };
    let look = tokio::select! {
        look = looks => look,
        () = stop.wait() => return Ok(ExitCode::from(interrupt::INTERRUPTED)),
    };
    for failure in &look.failures {
        eprintln!("nsq: down: {failure}");
    }
    io::stdout().write_all(table::plain(&look).as_bytes())?;
    let nobody_answered = look.node_count == 0 && !look.failures.is_empty();
    Ok(if nobody_answered { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The live screen, until the user quits.
async fn watch(
    mut lookout: Lookout,
    interval: Duration,
    stop: &Shutdown,
) -> anyhow::Result<ExitCode> {
    let mut screen = Screen::open()?;
    let mut keys = terminal::keys();
    // One look is enough to have ready; the next begins when this one was taken.
    let (sender, mut looks) = mpsc::channel::<Look>(1);
    let looking = tokio::spawn(async move {
        while sender.send(lookout.look().await).await.is_ok() {
            tokio::time::sleep(interval).await;
        }
    });
    let mut model = Model::new();
    while !model.is_over {
        screen.draw(&model, interval)?;
        tokio::select! {
            // It ends only by a panic, which has given the screen back already.
            look = looks.recv() => model.on_look(look.context("nobody looks any more")?),
            key = keys.recv() => match key {
                Some(Ok(Some(key))) => model.on_key(key),
                // Another size of the screen, or a key that means nothing.
                Some(Ok(None)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => model.on_key(Key::Interrupt),
            },
            () = stop.wait() => break,
        }
    }
    looking.abort();
    Ok(ExitCode::SUCCESS)
}
