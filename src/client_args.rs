//! Which daemons a command talks to, and how.

use std::time::Duration;

use clap::Args;
use log::LevelFilter;
use nsq_client::Config;

use crate::client_log;

/// What every command with a client takes.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// Address of nsqd; may be given several times
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4150")]
    pub(crate) nsqd: Vec<String>,
    /// Find the nsqd nodes with this nsqlookupd instead; may be given several times
    #[arg(long, value_name = "ADDRESS", conflicts_with = "nsqd")]
    pub(crate) lookupd: Vec<String>,
    /// Set an option of the client, such as tls_v1=true or auth_secret=...
    #[arg(long = "opt", value_name = "NAME=VALUE", value_parser = ClientOption::parse)]
    options: Vec<ClientOption>,
    /// Say on standard error what the client does
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

/// An option of the client that is known to have this value.
#[derive(Clone, Debug)]
struct ClientOption {
    name: String,
    value: String,
}

impl ClientArgs {
    /// The options given, upon `base`.
    ///
    /// # Errors
    ///
    /// When some of them do not go together.
    pub(crate) fn config(&self, base: Config) -> anyhow::Result<Config> {
        let mut config = base;
        for ClientOption { name, value } in &self.options {
            config.set(name, value)?;
        }
        config.check()?;
        Ok(config)
    }

    /// From here on, the client's log lines are shown: those from `otherwise` up, or all that tell
    /// what it does.
    pub(crate) fn start_log(&self, otherwise: LevelFilter) {
        client_log::to_stderr(if self.verbose { LevelFilter::Info } else { otherwise });
    }
}

impl ClientOption {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE")?;
        Config::default().set(name, value).map_err(|error| error.to_string())?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

/// A duration in Go's notation, as all of NSQ takes them.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let nanoseconds = nsq_app::duration::parse_nanoseconds(text);
    let nanoseconds = nanoseconds.and_then(|nanoseconds| u64::try_from(nanoseconds).ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| "it must be like 90s or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_one_by_one_and_together() {
        for (text, expected) in [
            ("snappy=true", None),
            ("auth-secret=a=b", None),
            ("snappy", Some("it must be NAME=VALUE")),
            ("colour=red", Some("invalid option colour")),
            (
                "snappy=maybe",
                Some("failed to coerce option snappy (maybe) - must be true or false"),
            ),
        ] {
            assert_eq!(ClientOption::parse(text).err().as_deref(), expected, "{text}");
        }
        let option = |text| ClientOption::parse(text).expect("a good option");
        let arguments = ClientArgs {
            nsqd: Vec::new(),
            lookupd: Vec::new(),
            options: vec![option("snappy=true"), option("deflate=true")],
            verbose: false,
        };
        assert!(arguments.config(Config::default()).is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert!(duration("-1s").is_err() && duration("5").is_err());
    }
}
