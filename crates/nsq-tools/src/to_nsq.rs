//! to_nsq: publishes its standard input.

mod destinations;
mod input;
mod pieces;
mod progress;
mod token_bucket;

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use log::LevelFilter;
use nsq_app::Shutdown;
use nsq_app::flags::CommandLine;
use nsq_client::Config;
use tokio::sync::mpsc;

use crate::cli::{self, ClientOptions, StopSignals, say};

use destinations::{Destinations, Receipts, confirm};
use input::Input;
use pieces::Pieces;
use progress::Progress;
use token_bucket::TokenBucket;

const TOOL: &str = "to_nsq";

nsq_app::flags! {
    /// The options of to_nsq.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version
        "version", no key => version: bool = false;
        /// NSQ topic to publish to
        "topic", no key => topic: String = String::new();
        /// character to split input from stdin
        "delimiter", no key => delimiter: String = "\n".to_owned();
        /// destination nsqd TCP address (may be given multiple times)
        "nsqd-tcp-address", no key => nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// option of the producer, name,value or name for true (may be given multiple times)
        "producer-opt", no key => producer_opt: ClientOptions = ClientOptions(Config {
            // A message that may be there already is not published again: Go's tool ends, too.
            publish_retry: false,
            ..Config::default()
        });
        /// Throttle messages to n/second. 0 to disable
        "rate", no key => rate: i64 = 0;
    }
}

/// What the program `to_nsq` does.
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
    let delimiter = options.check()?;
    cli::log_to_stderr(LevelFilter::Info);
    cli::runtime()?.block_on(async {
        let destinations = options.destinations()?;
        let throttle = options.throttle();
        let (mut signals, stop) = (StopSignals::catch()?, Shutdown::new());
        tokio::spawn({
            let stop = stop.clone();
            async move {
                signals.wait().await;
                stop.begin();
            }
        });
        let publisher = Publisher { destinations: &destinations, throttle, stop };
        let input = Input::of(io::stdin()).context("cannot read /dev/stdin")?;
        let (receipts, to_confirm) = Destinations::receipts();
        let progress = Progress::new();
        let published = async {
            let all = publisher.publish_all(input, Pieces::new(delimiter), receipts);
            // The first failure of either ends both.
            tokio::try_join!(all, confirm(to_confirm, &progress)).map(|((), ())| ())
        };
        let outcome = tokio::select! {
            outcome = published => outcome,
            never = progress.show() => match never {},
        };
        progress.end();
        outcome?;
        destinations.close().await;
        Ok(())
    })
}

/// Reads, cuts, throttles, and hands over.
struct Publisher<'a> {
    destinations: &'a Destinations,
    throttle: Option<TokenBucket>,
    /// Begins when nothing more is to be read.
    stop: Shutdown,
}

impl Publisher<'_> {
    /// Everything up to the end of the input; or, when stopping begins, everything that was read.
    /// What was then read of a message whose end was not is no message.
    async fn publish_all(
        mut self,
        mut input: Input,
        mut pieces: Pieces,
        receipts: mpsc::Sender<Receipts>,
    ) -> anyhow::Result<()> {
        while let Some(chunk) = self.next_chunk(&mut input).await.context("read /dev/stdin")? {
            pieces.feed(&chunk)?;
            while let Some(piece) = pieces.next() {
                self.publish(&piece, &receipts).await?;
            }
        }
        let rest = pieces.rest();
        if rest.is_empty() {
            return Ok(());
        }
        if self.stop.has_begun() {
            let count = rest.len();
            say(format_args!("{count} bytes behind the last delimiter are not published"));
            return Ok(());
        }
        self.publish(&rest, &receipts).await
    }

    async fn next_chunk(&self, input: &mut Input) -> io::Result<Option<Bytes>> {
        tokio::select! {
            biased;
            () = self.stop.wait() => input.next_read().await,
            chunk = input.next() => chunk,
        }
    }

    async fn publish(
        &mut self,
        body: &Bytes,
        receipts: &mpsc::Sender<Receipts>,
    ) -> anyhow::Result<()> {
        self.wait_for_token().await;
        let receipt = self.destinations.publish(body).await?;
        if receipts.send(receipt).await.is_err() {
            // Confirming has ended with an error of its own, which is the one to be told.
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Whoever wants the end does not want it slowly: there is no throttle then.
    async fn wait_for_token(&mut self) {
        let Some(throttle) = &mut self.throttle else { return };
        while let Err(later) = throttle.take(Instant::now()) {
            tokio::select! {
                () = tokio::time::sleep_until(later.into()) => {}
                () = self.stop.wait() => return,
            }
        }
    }
}

impl Options {
    /// The delimiter, or the first mistake in the order of Go's tool.
    fn check(&self) -> anyhow::Result<u8> {
        ensure!(!self.topic.is_empty(), "--topic required");
        let [delimiter] = self.delimiter.as_bytes() else {
            bail!("--delimiter must be a single byte");
        };
        ensure!(!self.nsqd_tcp_addresses.is_empty(), "--nsqd-tcp-address required");
        Ok(*delimiter)
    }

    fn destinations(&self) -> anyhow::Result<Destinations> {
        let config = Config { user_agent: cli::user_agent(TOOL), ..self.producer_opt.0.clone() };
        Destinations::new(&self.topic, &self.nsqd_tcp_addresses, &config)
    }

    fn throttle(&self) -> Option<TokenBucket> {
        let rate = u64::try_from(self.rate).ok().filter(|rate| *rate > 0)?;
        say(format_args!("Throttling messages rate to max:{rate}/second"));
        Some(TokenBucket::new(rate, Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[&str], expected: Result<u8, &str>) {
        let line = nsq_app::flags::parse::<Options>(flags.iter().map(Into::into));
        let found = line.expect("flags that exist").options.check();
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn mistakes_in_the_order_of_go() {
        check(&["--delimiter="], Err("--topic required"));
        check(&["--topic=t", "--delimiter="], Err("--delimiter must be a single byte"));
        check(&["--topic=t", "--delimiter=\\n"], Err("--delimiter must be a single byte"));
        check(&["--topic=t", "--delimiter=é"], Err("--delimiter must be a single byte"));
        check(&["--topic=t"], Err("--nsqd-tcp-address required"));
        check(&["--topic=t", "--nsqd-tcp-address=a:1"], Ok(b'\n'));
        check(&["--topic=t", "--nsqd-tcp-address=a:1", "--delimiter=;"], Ok(b';'));
    }

    #[test]
    fn failed_publishes_are_not_repeated_unless_that_is_wanted() {
        assert!(!Options::default().producer_opt.0.publish_retry);
        let line = nsq_app::flags::parse::<Options>(["--producer-opt=publish_retry".into()]);
        assert!(line.expect("an option").options.producer_opt.0.publish_retry);
    }
}
