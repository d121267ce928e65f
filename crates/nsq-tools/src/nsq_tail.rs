//! nsq_tail: prints the messages of topics.

mod tail;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use log::LevelFilter;
use nsq_app::flags::CommandLine;
use nsq_client::{Config, Consumer, ConsumerHandle, Message};
use tokio::sync::mpsc;

use crate::cli::{self, ClientOptions, Sources, StopSignals, say};

use tail::Tail;

const TOOL: &str = "nsq_tail";
/// How many messages are written at once, at most.
const BATCH: usize = 100;

nsq_app::flags! {
    /// The options of nsq_tail.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// NSQ topic (may be given multiple times)
        "topic", no key => topics: Vec<String> = Vec::new();
        /// NSQ channel (default: an ephemeral one with a name of its own)
        "channel", no key => channel: String = String::new();
        /// max number of messages to allow in flight
        "max-in-flight", no key => max_in_flight: u32 = 200;
        /// total messages to show (will wait if starved)
        "n", no key => n: i64 = 0;
        /// print topic name where message was received
        "print-topic", no key => print_topic: bool = false;
        /// nsqd TCP address (may be given multiple times)
        "nsqd-tcp-address", no key => nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", no key => lookupd_http_addresses: Vec<String> = Vec::new();
        /// option of the consumer, name,value or name for true (may be given multiple times)
        "consumer-opt", no key => consumer_opt: ClientOptions
            = ClientOptions::never_giving_up();
    }
}

/// What the program `nsq_tail` does.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(TOOL, run)
}

fn run(line: CommandLine<Options>) -> anyhow::Result<()> {
    let options = line.options;
    if options.version {
        println!("{}", cli::version_line(TOOL));
        return Ok(());
    }
    let sources = options.check()?;
    cli::log_to_stderr(LevelFilter::Info);
    cli::runtime()?.block_on(async {
        let signals = StopSignals::catch()?;
        let (sender, arrivals) = mpsc::channel(BATCH);
        let mut handles = Vec::with_capacity(options.topics.len());
        let (channel, config) = (options.channel(), options.config());
        for topic in &options.topics {
            say(format_args!("Adding consumer for topic: {topic}"));
            let mut consumer = Consumer::new(topic, &channel, config.clone())?;
            sources.connect(&mut consumer).await?;
            handles.push(consumer.handle());
            tokio::spawn(forward(consumer, topic.as_str().into(), sender.clone()));
        }
        drop(sender);
        let tail = Tail::new(options.limit(), options.print_topic);
        Screen { tail, handles }.show_all(arrivals, signals).await
    })
}

/// A message, and the topic it is of.
type Arrival = (Arc<str>, Message);

/// Brings the messages of one topic to where those of all are shown.
async fn forward(mut consumer: Consumer, topic: Arc<str>, arrivals: mpsc::Sender<Arrival>) {
    while let Some(message) = consumer.next().await {
        if arrivals.send((Arc::clone(&topic), message)).await.is_err() {
            // Showing has failed, and the process ends: what is in flight goes to others.
            return;
        }
    }
}

/// Where the messages of all topics are shown.
struct Screen {
    tail: Tail,
    handles: Vec<ConsumerHandle>,
}

impl Screen {
    /// Until a signal comes, enough was shown or nothing can be, and everything is answered.
    async fn show_all(
        mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        mut signals: StopSignals,
    ) -> anyhow::Result<()> {
        let (mut batch, mut outcome) = (Vec::with_capacity(BATCH), Ok(()));
        loop {
            let count = tokio::select! {
                () = signals.wait() => {
                    self.stop();
                    continue;
                }
                count = arrivals.recv_many(&mut batch, BATCH) => count,
            };
            if count == 0 {
                return outcome;
            }
            if let Err(error) = self.show(&mut batch) {
                outcome = Err(error).context("ERROR: failed to write to os.Stdout");
                self.tail = Tail::new(Some(0), false);
            }
            // What is left goes to others at once, not after the delay of a failure.
            for (_, message) in batch.drain(..) {
                message.requeue_without_backoff(Duration::ZERO);
            }
            if self.tail.is_over() {
                self.stop();
            }
        }
    }

    /// Shows messages until it is over. Takes out and finishes those that were written.
    fn show(&mut self, batch: &mut Vec<Arrival>) -> io::Result<()> {
        let mut output = Vec::new();
        let is_shown =
            |(topic, message): &&Arrival| self.tail.show(topic, message.body(), &mut output);
        let shown = batch.iter().take_while(is_shown).count();
        if shown == 0 {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&output)?;
        stdout.flush()?;
        for (_, message) in batch.drain(..shown) {
            message.finish();
        }
        Ok(())
    }

    fn stop(&self) {
        self.handles.iter().for_each(ConsumerHandle::stop);
    }
}

impl Options {
    /// The first mistake in the order of Go's tool.
    fn check(&self) -> anyhow::Result<Sources> {
        let (nsqds, lookupds) = (&self.nsqd_tcp_addresses, &self.lookupd_http_addresses);
        let sources = cli::sources("nsqd-tcp-address", nsqds, lookupds)?;
        ensure!(!self.topics.is_empty(), "--topic required");
        Ok(sources)
    }

    fn limit(&self) -> Option<u64> {
        u64::try_from(self.n).ok().filter(|limit| *limit > 0)
    }

    /// As given, or one that nobody else has and that goes with this process.
    fn channel(&self) -> String {
        match &*self.channel {
            "" => format!("tail{:06}#ephemeral", fastrand::u32(..999_999)),
            channel => channel.to_owned(),
        }
    }

    fn config(&self) -> Config {
        // No more messages are asked for than are wanted.
        let limit = self.limit().and_then(|limit| u32::try_from(limit).ok()).unwrap_or(u32::MAX);
        Config {
            user_agent: cli::user_agent(TOOL),
            max_in_flight: self.max_in_flight.min(limit),
            ..self.consumer_opt.0.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(flags: &[&str]) -> Options {
        let line = nsq_app::flags::parse::<Options>(flags.iter().map(Into::into));
        line.expect("flags that exist").options
    }

    fn check(flags: &[&str], expected: Result<Sources, &str>) {
        let found = options(flags).check();
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn mistakes_in_the_order_of_go() {
        let (nsqd, lookupd) = ("--nsqd-tcp-address=a:1", "--lookupd-http-address=b:2");
        check(&[], Err("--nsqd-tcp-address or --lookupd-http-address required"));
        let both = "use --nsqd-tcp-address or --lookupd-http-address not both";
        check(&[nsqd, lookupd], Err(both));
        check(&[lookupd], Err("--topic required"));
        check(&[lookupd, "--topic=t"], Ok(Sources::Lookupds(vec!["b:2".to_owned()])));
    }

    #[test]
    fn no_more_in_flight_than_wanted() {
        for (flags, in_flight, limit) in [
            (&[][..], 200, None),
            (&["-n=5"], 5, Some(5)),
            (&["-n=500"], 200, Some(500)),
            (&["-n=-1", "--max-in-flight=7"], 7, None),
            (&["-n=99999999999"], 200, Some(99_999_999_999)),
            (&["--consumer-opt=max_in_flight,3"], 200, None),
        ] {
            let options = options(flags);
            assert_eq!((options.config().max_in_flight, options.limit()), (in_flight, limit));
        }
    }

    #[test]
    fn a_channel_of_its_own() {
        let channel = options(&[]).channel();
        let digits = channel.strip_prefix("tail").and_then(|c| c.strip_suffix("#ephemeral"));
        assert!(digits.is_some_and(|d| d.len() == 6 && d.parse::<u32>().is_ok()), "{channel}");
        assert_eq!(options(&["--channel=c"]).channel(), "c");
    }
}
