//! nsq_to_nsq: publishes the messages of channels to other nsqd nodes.

mod go_json;
mod handler;
mod json_filter;
mod undecodable;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{anyhow, ensure};
use log::LevelFilter;
use nsq_app::flags::CommandLine;
use nsq_client::{Config, Consumer, Producer};
use nsq_proto::{ChannelName, TopicName};
use tokio::task::JoinSet;

use crate::cli::{self, ClientOptions, Sources, StopSignals};
use crate::host_pool::PoolMode;
use crate::upstreams::Upstreams;
use handler::{Publisher, TopicHandler};
use json_filter::JsonFilter;
use undecodable::UndecodableMessages;

pub use undecodable::Undecodable;

const TOOL: &str = "nsq_to_nsq";
/// More messages in flight than this wait for their turn; each that is handled has a task.
const CONCURRENCY_MAX: usize = 10_000;

nsq_app::flags! {
    /// The options of nsq_to_nsq; see `docs/flags.md` of NSQ for each.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// nsq topic (may be given multiple times)
        "topic", no key => topics: Vec<String> = Vec::new();
        /// nsq channel
        "channel", no key => channel: String = TOOL.to_owned();
        /// use this destination topic for all consumed topics (default is consumed topic name)
        "destination-topic", no key => destination_topic: String = String::new();
        /// max number of messages to allow in flight
        "max-in-flight", no key => max_in_flight: u32 = 200;
        /// the # of requests between logging status (per destination), 0 disables
        "status-every", no key => status_every: usize = 250;
        /// the upstream request mode options: round-robin, hostpool, epsilon-greedy
        "mode", no key => mode: PoolMode = PoolMode::Hostpool;
        /// nsqd TCP address (may be given multiple times)
        "nsqd-tcp-address", no key => nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// destination nsqd TCP address (may be given multiple times)
        "destination-nsqd-tcp-address", no key
            => destination_nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", no key => lookupd_http_addresses: Vec<String> = Vec::new();
        /// for JSON messages: only pass messages that contain this field
        "require-json-field", no key => require_json_field: String = String::new();
        /// for JSON messages: only pass messages in which the required field has this value
        "require-json-value", no key => require_json_value: String = String::new();
        /// for JSON messages: pass this field (may be given multiple times)
        "whitelist-json-field", no key => whitelist_json_fields: Vec<String> = Vec::new();
        /// with --whitelist-json-field: leave order and text of the fields as they are, instead of
        /// sorting them and writing numbers and strings anew
        "keep-json-text", no key => keep_json_text: bool = false;
        /// what to do with messages that are no JSON objects but should be: drop, requeue or pass
        "undecodable-json", no key => undecodable_json: Undecodable = Undecodable::Drop;
        /// option to passthrough to the consumer, name,value (may be given multiple times)
        "consumer-opt", no key => consumer_options: ClientOptions
            = ClientOptions::never_giving_up();
        /// option to passthrough to the producers, name,value (may be given multiple times)
        "producer-opt", no key => producer_options: ClientOptions = ClientOptions::default();
    }
}

/// Runs the tool.
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
    let sources = check(&options)?;
    cli::runtime()?.block_on(consume(&options, &sources))
}

/// Checks in NSQ's order, so that the same mistake is named first.
fn check(options: &Options) -> anyhow::Result<Sources> {
    let is_named = !options.topics.is_empty() && !options.channel.is_empty();
    ensure!(is_named, "--topic and --channel are required");
    let is_topic = |name: &str| TopicName::parse(name.as_bytes()).is_ok();
    ensure!(options.topics.iter().all(|topic| is_topic(topic)), "--topic is invalid");
    let destination = &options.destination_topic;
    let is_valid = destination.is_empty() || is_topic(destination);
    ensure!(is_valid, "--destination-topic is invalid");
    let is_channel = ChannelName::parse(options.channel.as_bytes()).is_ok();
    ensure!(is_channel, "--channel is invalid");
    let nsqds = &options.nsqd_tcp_addresses;
    let sources = cli::sources("nsqd-tcp-address", nsqds, &options.lookupd_http_addresses)?;
    let has_destination = !options.destination_nsqd_tcp_addresses.is_empty();
    ensure!(has_destination, "--destination-nsqd-tcp-address required");
    Ok(sources)
}

async fn consume(options: &Options, sources: &Sources) -> anyhow::Result<()> {
    cli::log_to_stderr(LevelFilter::Info);
    let mut signals = StopSignals::catch()?;
    let publisher = Arc::new(publisher(options)?);
    let config = Config {
        max_in_flight: options.max_in_flight,
        user_agent: cli::user_agent(TOOL),
        ..options.consumer_options.0.clone()
    };
    let mut consumers = Vec::new();
    for topic in &options.topics {
        consumers.push((Consumer::new(topic, &options.channel, config.clone())?, topic));
    }
    let handles: Vec<_> = consumers.iter().map(|(consumer, _)| consumer.handle()).collect();
    tokio::spawn(async move {
        signals.wait().await;
        for handle in handles {
            handle.stop();
        }
    });
    for (consumer, _) in &mut consumers {
        sources.connect(consumer).await?;
    }
    let mut running = JoinSet::new();
    for (consumer, topic) in consumers {
        let handler = TopicHandler {
            publisher: Arc::clone(&publisher),
            destination_topic: match options.destination_topic.as_str() {
                "" => topic.clone(),
                destination => destination.to_owned(),
            },
        };
        running.spawn(consumer.run(handler, concurrency(options)));
    }
    running.join_all().await;
    for producer in &publisher.producers {
        producer.close().await;
    }
    Ok(())
}

/// How many messages of a topic are published at the same time: all that are in flight, up to a
/// bound.
fn concurrency(options: &Options) -> usize {
    usize::try_from(options.max_in_flight).unwrap_or(usize::MAX).clamp(1, CONCURRENCY_MAX)
}

fn publisher(options: &Options) -> anyhow::Result<Publisher> {
    let destinations = &options.destination_nsqd_tcp_addresses;
    let concurrency = concurrency(options).saturating_mul(options.topics.len());
    let config = Config {
        user_agent: cli::user_agent(TOOL),
        // A message that is not published is requeued, and goes to whomever the pool chooses then.
        publish_retry: false,
        ..options.producer_options.0.clone()
    };
    let producer = |address: &String| {
        let producer = Producer::new(&[address], config.clone());
        producer.map_err(|error| anyhow!("failed creating producer {error}"))
    };
    let whitelist = &options.whitelist_json_fields;
    let (field, value) = (&options.require_json_field, &options.require_json_value);
    Ok(Publisher {
        producers: destinations.iter().map(producer).collect::<anyhow::Result<_>>()?,
        upstreams: Upstreams::new(options.mode, destinations, concurrency, options.status_every)?,
        filter: JsonFilter::new(field, value, whitelist, options.keep_json_text),
        undecodable: UndecodableMessages::new(options.undecodable_json),
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use nsq_app::flags;

    use super::{Options, check};

    #[test]
    fn checks_have_nsqs_texts_and_order() {
        for (arguments, expected) in [
            ([].as_slice(), "--topic and --channel are required"),
            (&["--topic=t", "--channel="], "--topic and --channel are required"),
            (&["--topic=t", "--topic=a b", "--channel=c d"], "--topic is invalid"),
            (
                &["--topic=t", "--destination-topic=a b", "--channel=c d"],
                "--destination-topic is invalid",
            ),
            (&["--topic=t", "--channel=c d"], "--channel is invalid"),
            (&["--topic=t"], "--nsqd-tcp-address or --lookupd-http-address required"),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--lookupd-http-address=b"],
                "use --nsqd-tcp-address or --lookupd-http-address not both",
            ),
            (&["--topic=t", "--nsqd-tcp-address=a"], "--destination-nsqd-tcp-address required"),
        ] {
            let line = flags::parse::<Options>(arguments.iter().map(OsString::from));
            let refusal = check(&line.expect("flags").options).err();
            let text = refusal.map(|error| error.to_string());
            assert_eq!(text.as_deref(), Some(expected), "{arguments:?}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        for (argument, expected) in [
            (
                "--mode=all",
                "invalid value \"all\" for flag -mode: \
                 must be round-robin, hostpool or epsilon-greedy",
            ),
            (
                "--undecodable-json=keep",
                "invalid value \"keep\" for flag -undecodable-json: \
                 must be drop, requeue or pass",
            ),
        ] {
            let line = flags::parse::<Options>([OsString::from(argument)]);
            let error = line.map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_owned()));
        }
    }
}
