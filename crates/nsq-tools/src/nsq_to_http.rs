//! nsq_to_http: makes an HTTP request of every message of a channel.

mod handler;
mod headers;
mod mode;
mod requests;
mod sample;
mod url_template;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use log::LevelFilter;
use nsq_app::flags::CommandLine;
use nsq_client::{Config, Consumer};
use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::cli::{self, ClientOptions, Sources, StopSignals, say};
use crate::host_pool::PoolMode;
use crate::upstreams::Upstreams;
use handler::RequestHandler;
use requests::{Endpoint, RequestOptions, Requests};
use url_template::UrlTemplate;

pub use mode::Mode;
pub use sample::Sample;

const TOOL: &str = "nsq_to_http";
const CONTENT_TYPE: &str = "application/octet-stream";

nsq_app::flags! {
    /// The options of nsq_to_http; see `docs/flags.md` of NSQ for each.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// nsq topic
        "topic", no key => topic: String = String::new();
        /// nsq channel
        "channel", no key => channel: String = TOOL.to_owned();
        /// max number of messages to allow in flight
        "max-in-flight", no key => max_in_flight: u32 = 200;
        /// number of concurrent publishers
        "n", no key => concurrency: usize = 100;
        /// the upstream request mode options: round-robin, hostpool, epsilon-greedy, or all for
        /// every message to every address
        "mode", no key => mode: Mode = Mode::One(PoolMode::Hostpool);
        /// fraction of messages to publish, from 0.0 to 1.0
        "sample", no key => sample: Sample = Sample(1.0);
        /// timeout for HTTP connect
        "http-client-connect-timeout", no key
            => http_client_connect_timeout: Duration = Duration::from_secs(2);
        /// timeout for HTTP request
        "http-client-request-timeout", no key
            => http_client_request_timeout: Duration = Duration::from_secs(20);
        /// the # of requests between logging status (per handler), 0 disables
        "status-every", no key => status_every: usize = 250;
        /// the Content-Type used for POST requests
        "content-type", no key => content_type: String = CONTENT_TYPE.to_owned();
        /// Custom header for HTTP requests, 'Name: value' (may be given multiple times)
        "header", no key => headers: Vec<String> = Vec::new();
        /// HTTP address to make a POST request to. data will be in the body (may be given
        /// multiple times)
        "post", no key => post: Vec<String> = Vec::new();
        /// HTTP address to make a GET request to. '%s' will be printf replaced with data (may be
        /// given multiple times)
        "get", no key => get: Vec<String> = Vec::new();
        /// take any status from 200 to 299 for success of a GET request, as of a POST request,
        /// instead of 200 only
        "get-any-2xx", no key => get_any_2xx: bool = false;
        /// nsqd TCP address (may be given multiple times)
        "nsqd-tcp-address", no key => nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", no key => lookupd_http_addresses: Vec<String> = Vec::new();
        /// option to passthrough to the consumer, name,value (may be given multiple times)
        "consumer-opt", no key => consumer_options: ClientOptions
            = ClientOptions::never_giving_up();
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
    let plan = Plan::of(&options)?;
    cli::runtime()?.block_on(consume(&options, plan))
}

/// The options as they were understood.
#[derive(Debug)]
struct Plan {
    sources: Sources,
    addresses: Vec<String>,
    endpoints: Vec<Endpoint>,
    requests: RequestOptions,
}

impl Plan {
    /// Checks in NSQ's order, so that the same mistake is named first.
    fn of(options: &Options) -> anyhow::Result<Self> {
        let headers = headers::parse(&options.headers)?;
        let is_named = !options.topic.is_empty() && !options.channel.is_empty();
        ensure!(is_named, "--topic and --channel are required");
        let content_type = content_type(options)?;
        let nsqds = &options.nsqd_tcp_addresses;
        let sources = cli::sources("nsqd-tcp-address", nsqds, &options.lookupd_http_addresses)?;
        let (addresses, endpoints) = endpoints(options)?;
        ensure!(options.sample.is_valid(), "ERROR: --sample must be between 0.0 and 1.0");
        ensure!(options.concurrency > 0, "no handlers");
        for name in &headers.ignored {
            say(format_args!("Warning: --header {name} is ignored, it follows from the request"));
        }
        let requests = RequestOptions {
            connect_timeout: options.http_client_connect_timeout,
            request_timeout: options.http_client_request_timeout,
            content_type,
            headers: headers.sent,
            concurrency: options.concurrency,
        };
        Ok(Self { sources, addresses, endpoints, requests })
    }
}

fn content_type(options: &Options) -> anyhow::Result<HeaderValue> {
    let text = &options.content_type;
    if text != CONTENT_TYPE {
        ensure!(!options.post.is_empty(), "--content-type only used with --post");
        ensure!(!text.is_empty(), "--content-type requires a value when used");
    }
    HeaderValue::from_str(text).with_context(|| format!("invalid --content-type {text:?}"))
}

/// The addresses as they were given, and what they mean.
fn endpoints(options: &Options) -> anyhow::Result<(Vec<String>, Vec<Endpoint>)> {
    let (addresses, endpoints): (_, anyhow::Result<_>) =
        match (options.get.is_empty(), options.post.is_empty()) {
            (true, true) => bail!("--get or --post required"),
            (false, false) => bail!("use --get or --post not both"),
            (true, false) => (&options.post, options.post.iter().map(|it| post(it)).collect()),
            (false, true) => {
                let any_2xx = options.get_any_2xx;
                (&options.get, options.get.iter().map(|it| get(it, any_2xx)).collect())
            }
        };
    Ok((addresses.clone(), endpoints?))
}

fn post(address: &str) -> anyhow::Result<Endpoint> {
    Ok(Endpoint::Post(url(address).with_context(|| format!("invalid POST address {address}"))?))
}

fn get(address: &str, takes_any_2xx: bool) -> anyhow::Result<Endpoint> {
    let refusal = || anyhow!("invalid GET address - must be a printf string");
    let template = UrlTemplate::parse(address).ok_or_else(refusal)?;
    url(&template.fill(b"0")).with_context(|| format!("invalid GET address {address}"))?;
    Ok(Endpoint::Get { template, takes_any_2xx })
}

/// NSQ finds out with the first message what is no URL, and never gets rid of the message.
fn url(text: &str) -> anyhow::Result<Url> {
    let url = Url::parse(text)?;
    ensure!(matches!(url.scheme(), "http" | "https"), "unsupported protocol scheme");
    Ok(url)
}

async fn consume(options: &Options, plan: Plan) -> anyhow::Result<()> {
    cli::log_to_stderr(LevelFilter::Info);
    let mut signals = StopSignals::catch()?;
    let config = Config {
        max_in_flight: options.max_in_flight,
        user_agent: cli::user_agent(TOOL),
        ..options.consumer_options.0.clone()
    };
    let mut consumer = Consumer::new(&options.topic, &options.channel, config)?;
    let pool_mode = match options.mode {
        Mode::One(mode) => mode,
        // Nobody picks then.
        Mode::All => PoolMode::RoundRobin,
    };
    let (every, concurrency) = (options.status_every, options.concurrency);
    let handler = RequestHandler {
        sample: options.sample,
        mode: options.mode,
        endpoints: plan.endpoints,
        upstreams: Upstreams::new(pool_mode, &plan.addresses, concurrency, every)?,
        requests: Requests::new(plan.requests)?,
    };
    let handle = consumer.handle();
    tokio::spawn(async move {
        signals.wait().await;
        handle.stop();
    });
    plan.sources.connect(&mut consumer).await?;
    consumer.run(handler, concurrency).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use nsq_app::flags;

    use super::{Options, Plan};

    /// What is wrong with a command line that the flags themselves allow.
    fn refusal(arguments: &[&str]) -> Option<String> {
        let line = flags::parse::<Options>(arguments.iter().map(OsString::from));
        let plan = Plan::of(&line.expect("flags").options);
        plan.err().map(|error| nsq_app::daemon::chain(&error))
    }

    #[test]
    fn checks_have_nsqs_texts_and_order() {
        for (arguments, expected) in [
            (
                ["--header=a=b"].as_slice(),
                "--header value format should be 'key: value', which \"a=b\" is not",
            ),
            (&[], "--topic and --channel are required"),
            (&["--topic=t", "--channel="], "--topic and --channel are required"),
            (&["--topic=t", "--content-type=x"], "--content-type only used with --post"),
            (
                &["--topic=t", "--post=http://h/", "--content-type="],
                "--content-type requires a value when used",
            ),
            (&["--topic=t"], "--nsqd-tcp-address or --lookupd-http-address required"),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--lookupd-http-address=b"],
                "use --nsqd-tcp-address or --lookupd-http-address not both",
            ),
            (&["--topic=t", "--nsqd-tcp-address=a"], "--get or --post required"),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--get=x", "--post=y"],
                "use --get or --post not both",
            ),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--get=http://h/", "--sample=2"],
                "invalid GET address - must be a printf string",
            ),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--get=http://h/%s", "--sample=2"],
                "ERROR: --sample must be between 0.0 and 1.0",
            ),
            (&["--topic=t", "--nsqd-tcp-address=a", "--get=http://h/%s", "--n=0"], "no handlers"),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--post=h:80/x"],
                "invalid POST address h:80/x - unsupported protocol scheme",
            ),
            (
                &["--topic=t", "--nsqd-tcp-address=a", "--get=/%s"],
                "invalid GET address /%s - relative URL without a base",
            ),
        ] {
            assert_eq!(refusal(arguments).as_deref(), Some(expected), "{arguments:?}");
        }
        let right = ["--topic=t", "--lookupd-http-address=a", "--post=https://h/p", "--mode=all"];
        assert_eq!(refusal(&right), None);
    }

    #[test]
    fn unknown_modes_are_refused() {
        let line = |text: &str| flags::parse::<Options>([OsString::from(text)]);
        for mode in ["round-robin", "hostpool", "epsilon-greedy", "all"] {
            assert!(line(&format!("--mode={mode}")).is_ok(), "{mode}");
        }
        let error = line("--mode=rr").map(|_| ()).map_err(|error| error.to_string());
        let expected = "invalid value \"rr\" for flag -mode: \
                        must be round-robin, hostpool, epsilon-greedy or all";
        assert_eq!(error, Err(expected.to_owned()));
    }
}
