//! `nsq sub`: messages on a terminal, or into a pipe.

mod filter;
mod json;
mod reader;
mod view;

use std::env;
use std::future::ready;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use clap::Args;
use log::LevelFilter;
use nsq_app::Shutdown;
use nsq_app::local_time::LocalTime;
use nsq_client::{Config, Consumer, Message};

use crate::client_args::ClientArgs;
use crate::interrupt;

use self::filter::Filter;
use self::view::{ColorChoice, Field, JsonChoice, Shown, View};

/// How many messages are under way at once unless `--opt max_in_flight` says otherwise.
const MAX_IN_FLIGHT: u32 = 200;
/// So much is gathered before it is written, if more is there at once.
const OUTPUT_BYTES: usize = 64 << 10;

/// What to consume, and how to show it.
#[derive(Args, Debug)]
pub(crate) struct SubArgs {
    /// Topic to consume
    topic: String,
    /// Channel to share; without it all messages come, by a channel that goes away at the end
    channel: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "COUNT")]
    count: Option<u64>,
    /// Show these fields of each message on a line above it
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    show: Vec<Field>,
    /// How JSON is shown
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = JsonChoice::Auto)]
    json: JsonChoice,
    /// When there are colours
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
    #[command(flatten)]
    client: ClientArgs,
}

impl SubArgs {
    fn view(&self, is_terminal: bool) -> View {
        let refused =
            |name, refusal: fn(&str) -> bool| env::var(name).is_ok_and(|value| refusal(&value));
        let has_colors = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                is_terminal
                    && !refused("NO_COLOR", |value| !value.is_empty())
                    && !refused("TERM", |value| value == "dumb")
            }
        };
        View {
            fields: self.show.clone(),
            lays_out_json: match self.json {
                JsonChoice::Auto => is_terminal,
                JsonChoice::Pretty => true,
                JsonChoice::Raw => false,
            },
            has_colors,
            // Colours in a pipe are meant for a terminal behind it.
            is_harmless: is_terminal || has_colors,
            time: LocalTime::system(),
        }
    }

    /// No more than can be shown, where that is known.
    fn max_in_flight(&self) -> u32 {
        let count = self.count.filter(|_| self.filter.is_open());
        let count = count.and_then(|count| u32::try_from(count).ok());
        count.map_or(MAX_IN_FLIGHT, |count| count.clamp(1, MAX_IN_FLIGHT))
    }
}

pub(crate) fn run(arguments: SubArgs) -> anyhow::Result<ExitCode> {
    arguments.client.start_log(LevelFilter::Warn);
    nsqd::runtime()?.block_on(consume(arguments))
}

async fn consume(arguments: SubArgs) -> anyhow::Result<ExitCode> {
    let stop = interrupt::catch()?;
    reader::watch(&stop);
    let config = arguments.client.config(Config {
        max_in_flight: arguments.max_in_flight(),
        // Whatever comes is shown, however often it was tried.
        max_attempts: 0,
        ..Config::default()
    })?;
    let channel = arguments.channel.clone();
    let channel =
        channel.unwrap_or_else(|| format!("sub{:06}#ephemeral", fastrand::u32(..1_000_000)));
    let mut consumer = Consumer::new(&arguments.topic, &channel, config)?;
    match &*arguments.client.lookupd {
        [] => tokio::select! {
            connected = consumer.connect_to_nsqds(&arguments.client.nsqd) => connected?,
            () = stop.wait() => return Ok(ExitCode::SUCCESS),
        },
        lookupds => consumer.connect_to_lookupds(lookupds).await?,
    }
    let mut output = Output {
        view: arguments.view(io::stdout().is_terminal()),
        topic: arguments.topic,
        text: Vec::new(),
        messages: Vec::new(),
    };
    let shown = show_all(&mut consumer, &arguments.filter, arguments.count, &mut output, &stop);
    let shown = shown.await;
    // What could not be written is requeued by this, and so are those nobody has looked at.
    drop(output);
    consumer.stop().await;
    match shown {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        // Whoever was reading has read enough.
        _ => Ok(ExitCode::SUCCESS),
    }
}

async fn show_all(
    consumer: &mut Consumer,
    filter: &Filter,
    count: Option<u64>,
    output: &mut Output,
    stop: &Shutdown,
) -> io::Result<()> {
    let mut shown = 0;
    while count.is_none_or(|count| shown < count) {
        let message = tokio::select! {
            biased;
            () = stop.wait() => break,
            message = consumer.next() => message,
            // Nothing more is there at the moment.
            () = ready(()), if !output.is_empty() => {
                output.flush()?;
                continue;
            }
        };
        let Some(message) = message else { break };
        if filter.passes(message.body()) {
            shown += 1;
            output.push(message)?;
        } else {
            message.finish();
        }
    }
    output.flush()
}

/// Messages that are not written yet, and so not finished.
struct Output {
    view: View,
    topic: String,
    text: Vec<u8>,
    messages: Vec<Message>,
}

impl Output {
    fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn push(&mut self, message: Message) -> io::Result<()> {
        let shown = Shown {
            id: message.id().to_string(),
            timestamp_ns: message.timestamp_ns(),
            attempts: message.attempts(),
            nsqd: message.nsqd(),
            topic: &self.topic,
            body: message.body(),
        };
        self.view.append(&shown, &mut self.text);
        self.messages.push(message);
        if self.text.len() >= OUTPUT_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is there. Only then is it finished: what nobody could read comes again.
    fn flush(&mut self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(&self.text)?;
        out.flush()?;
        self.text.clear();
        for message in self.messages.drain(..) {
            message.finish();
        }
        Ok(())
    }
}
