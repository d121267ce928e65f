//! nsq_stat: statistics of one channel over all nodes, in the manner of vmstat.

mod count;
mod report;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use nsq_api::HttpClient;
use nsq_api::cluster::Cluster;
use nsq_app::flags::CommandLine;
use nsq_net::{TlsClient, TlsClientFiles};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{self, Sources};

pub use count::Count;

use report::{HEADER, HEADER_EVERY};
use watch::Watch;

const TOOL: &str = "nsq_stat";
/// More than any daemon says of one channel.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

nsq_app::flags! {
    /// The options of nsq_stat.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version
        "version", no key => version: bool = false;
        /// NSQ topic
        "topic", no key => topic: String = String::new();
        /// NSQ channel
        "channel", no key => channel: String = String::new();
        /// nsqd HTTP address (may be given multiple times)
        "nsqd-http-address", no key => nsqd_http_addresses: Vec<String> = Vec::new();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", no key => lookupd_http_addresses: Vec<String> = Vec::new();
        /// duration of time between polling/printing output
        "interval", no key => interval: Duration = Duration::from_secs(2);
        /// number of reports
        "count", no key => count: Count = Count(None);
        /// timeout for HTTP connect
        "http-client-connect-timeout", no key
            => http_client_connect_timeout: Duration = Duration::from_secs(2);
        /// timeout for HTTP request
        "http-client-request-timeout", no key
            => http_client_request_timeout: Duration = Duration::from_secs(5);
    }
}

/// What the program `nsq_stat` does.
#[must_use]
pub fn main() -> ExitCode {
    cli::main(TOOL, run)
}

fn run(line: CommandLine<Options>) -> anyhow::Result<()> {
    let options = line.options;
    if options.version {
        return print(&format!("{}\n", cli::version_line(TOOL)));
    }
    let sources = options.check()?;
    cli::runtime()?.block_on(async {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            // Go's stops by SIGHUP, too.
            _ = hang_up.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            ended = report(&options, &sources) => ended,
        }
    })
}

/// One poll more than there are lines: the first has nothing to compare with.
async fn report(options: &Options, sources: &Sources) -> anyhow::Result<()> {
    let Options { topic, channel, interval, .. } = options;
    let mut watch = Watch::new(options.cluster(sources), topic, channel);
    let last = options.count.0.map(u64::from);
    for poll in (0_u64..).take_while(|poll| last.is_none_or(|last| *poll <= last)) {
        let line = watch.poll(*interval).await?;
        if poll % HEADER_EVERY == 0 {
            print(HEADER)?;
        }
        if let Some(line) = line {
            print(&line.to_string())?;
        }
        tokio::time::sleep(*interval).await;
    }
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.context("ERROR: failed to write to os.Stdout")
}

impl Options {
    /// The first mistake in the order of Go's tool.
    fn check(&self) -> anyhow::Result<Sources> {
        let has_names = !self.topic.is_empty() && !self.channel.is_empty();
        ensure!(has_names, "--topic and --channel are required");
        for (flag, duration) in [
            ("interval", self.interval),
            ("http-client-connect-timeout", self.http_client_connect_timeout),
            ("http-client-request-timeout", self.http_client_request_timeout),
        ] {
            ensure!(!duration.is_zero(), "--{flag} should be positive");
        }
        ensure!(self.count.0 != Some(0), "--count should be positive");
        let (nsqds, lookupds) = (&self.nsqd_http_addresses, &self.lookupd_http_addresses);
        let sources = cli::sources("nsqd-http-address", nsqds, lookupds)?;
        for (flag, addresses) in [("nsqd", nsqds), ("lookupd", lookupds)] {
            let has_scheme = addresses.iter().any(|address| address.starts_with("http"));
            ensure!(!has_scheme, "--{flag}-http-address error - address should not contain scheme");
        }
        Ok(sources)
    }

    fn cluster(&self, sources: &Sources) -> Cluster {
        let client = HttpClient {
            connect_timeout: self.http_client_connect_timeout,
            request_timeout: self.http_client_request_timeout,
            max_body_bytes: ANSWER_BYTES_MAX,
            // For a daemon that wants it. A system that trusts nobody can still do without.
            tls: TlsClient::load(&TlsClientFiles::default()).ok(),
            authorization: None,
        };
        match sources {
            Sources::Nsqds(addresses) => Cluster::by_nsqds(addresses, client),
            Sources::Lookupds(addresses) => Cluster::by_lookupds(addresses, client),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(flags: &[&str], expected: Result<Sources, &str>) {
        let line = nsq_app::flags::parse::<Options>(flags.iter().map(Into::into));
        let found = line.expect("flags that exist").options.check();
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn mistakes_in_the_order_of_go() {
        // Each line mends the mistake of the line before, or adds the next.
        let zeros = ["--interval=0", "--http-client-connect-timeout=0s"];
        let count = ["--http-client-request-timeout=0", "--count=0"];
        let all = [zeros, count].concat();
        let names = ["--topic=t", "--channel=c"];
        check(&all, Err("--topic and --channel are required"));
        check(&["--topic=t"], Err("--topic and --channel are required"));
        for (from, text) in [
            (0, "--interval should be positive"),
            (1, "--http-client-connect-timeout should be positive"),
            (2, "--http-client-request-timeout should be positive"),
            (3, "--count should be positive"),
            (4, "--nsqd-http-address or --lookupd-http-address required"),
        ] {
            check(&[&names, &all[from..]].concat(), Err(text));
        }
        let (nsqd, lookupd) = ("--nsqd-http-address=a:1", "--lookupd-http-address=http://b:2");
        check(
            &[&names[..], &[nsqd, lookupd]].concat(),
            Err("use --nsqd-http-address or --lookupd-http-address not both"),
        );
        check(
            &[&names[..], &[lookupd]].concat(),
            Err("--lookupd-http-address error - address should not contain scheme"),
        );
        check(&[&names[..], &[nsqd]].concat(), Ok(Sources::Nsqds(vec!["a:1".to_owned()])));
    }
}
