//! `nsq pub`: publishing from a shell.

mod input;
mod tally;
mod window;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use log::LevelFilter;
use nsq_app::Shutdown;
use nsq_client::{Config, Producer};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::client_args::{ClientArgs, duration};
use crate::interrupt;

use self::input::{Entries, Separator};
use self::tally::Tally;
use self::window::Window;

/// How often the line on a terminal changes. What is done before needs none.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Back to the start of the line, which is made empty.
const CLEAR_LINE: &str = "\r\x1b[K";

/// What to publish, and where.
#[derive(Args, Debug)]
pub(crate) struct PubArgs {
    /// Topic to publish to
    topic: String,
    /// Messages to publish; without any, every line of standard input is one
    #[arg(value_name = "BODY")]
    bodies: Vec<OsString>,
    /// The messages in standard input end with a zero byte instead of their line
    #[arg(long, conflicts_with_all = ["bodies", "whole"])]
    null: bool,
    /// Standard input is one message as it is
    #[arg(long, conflicts_with = "bodies")]
    whole: bool,
    /// Let the messages be delivered only after this time, such as 90s or 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    defer: Option<Duration>,
    #[command(flatten)]
    client: ClientArgs,
}

impl PubArgs {
    /// How standard input is split, if it is read.
    fn separator(&self) -> Option<Separator> {
        match self {
            Self { bodies, .. } if !bodies.is_empty() => None,
            Self { null: true, .. } => Some(Separator::Null),
            Self { whole: true, .. } => Some(Separator::End),
            _ => Some(Separator::LineBreak),
        }
    }
}

pub(crate) fn run(arguments: PubArgs) -> anyhow::Result<ExitCode> {
    // What fails in the end is returned; that a connection was lost meanwhile needs no line.
    arguments.client.start_log(LevelFilter::Off);
    nsqd::runtime()?.block_on(publish(arguments))
}

async fn publish(arguments: PubArgs) -> anyhow::Result<ExitCode> {
    let separator = arguments.separator();
    let PubArgs { topic, bodies, defer, client, .. } = arguments;
    let config = client.config(Config::default())?;
    let producer = match &*client.lookupd {
        [] => Producer::new(&client.nsqd, config)?,
        lookupds => Producer::with_lookupds(lookupds, config)?,
    };
    let stop = interrupt::catch()?;
    // A daemon that is not there is found now, and not after waiting for it to come back.
    tokio::select! {
        connected = producer.connect() => connected.context("no nsqd to publish to")?,
        () = stop.wait() => return Ok(ExitCode::from(interrupt::INTERRUPTED)),
    }
    let entries = match separator {
        None => input::of_arguments(bodies.into_iter().map(OsString::into_vec)),
        Some(separator) => input::of_stdin(separator),
    };
    let window = Window::new(producer.clone(), topic, defer);
    let progress = Progress::new(separator);
    let tally = publish_all(entries, separator, window, &stop, progress).await?;
    producer.close().await;
    if let Some(failure) = tally.failure(separator) {
        bail!(failure);
    }
    if separator == Some(Separator::End) && tally.published() == 0 && !stop.has_begun() {
        bail!("standard input is empty, and a message has at least one byte");
    }
    if client.verbose || io::stderr().is_terminal() {
        eprintln!("nsq: {}", tally.summary());
    }
    Ok(match stop.has_begun() {
        true => ExitCode::from(interrupt::INTERRUPTED),
        false => ExitCode::SUCCESS,
    })
}

/// Reads until the end, the first failure or Ctrl-C, and then waits for what is under way.
async fn publish_all(
    mut entries: Entries,
    separator: Option<Separator>,
    mut window: Window,
    stop: &Shutdown,
    mut progress: Progress,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut unreadable = None;
    let mut is_reading = true;
    loop {
        tokio::select! {
            biased;
            Some((number, result)) = window.next() => {
                tally.note(number, result);
                is_reading &= !tally.has_failed();
            }
            () = stop.wait(), if is_reading => is_reading = false,
            () = progress.due() => progress.show(&tally),
            batch = entries.recv(), if is_reading && window.has_room() => {
                let batch = batch.unwrap_or(Ok(Vec::new()));
                let batch = batch.unwrap_or_else(|error| {
                    unreadable = Some(error);
                    Vec::new()
                });
                is_reading = !batch.is_empty();
                for entry in batch {
                    // An empty argument was meant, and nsqd's words for it are the answer.
                    match entry.body.is_empty() && separator.is_some() {
                        true => tally.skip(),
                        false => window.push(entry).await,
                    }
                }
            }
        }
        if !is_reading && window.is_empty() {
            break;
        }
    }
    progress.clear();
    match unreadable {
        Some(error) if !tally.has_failed() => {
            Err(error).with_context(|| format!("standard input ({})", tally.summary()))
        }
        _ => Ok(tally),
    }
}

/// The line on a terminal.
struct Progress {
    started: Instant,
    /// None where nobody sees it, or where it would disturb somebody who is typing.
    interval: Option<Interval>,
    is_shown: bool,
}

impl Progress {
    fn new(separator: Option<Separator>) -> Self {
        let is_wanted =
            separator.is_some() && io::stderr().is_terminal() && !io::stdin().is_terminal();
        let started = Instant::now();
        let interval = is_wanted.then(|| {
            let mut interval = interval_at(started + PROGRESS_INTERVAL, PROGRESS_INTERVAL);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Self { started, interval, is_shown: false }
    }

    async fn due(&mut self) {
        match &mut self.interval {
            Some(interval) => {
                interval.tick().await;
            }
            None => std::future::pending().await,
        }
    }

    fn show(&mut self, tally: &Tally) {
        self.is_shown = true;
        self.write(&format!("{CLEAR_LINE}{}", tally.progress(self.started.elapsed())));
    }

    fn clear(&mut self) {
        if self.is_shown {
            self.write(CLEAR_LINE);
        }
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stderr().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            // The terminal is gone; the messages matter more.
            self.interval = None;
        }
    }
}
