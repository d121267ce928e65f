//! Command line settings of the scenarios, and what several of them share.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::command::Identify;
use crate::content::Content;
use crate::quantity::{
    parse_bytes, parse_count, parse_span, serialize_optional_span, serialize_span,
};

/// What every scenario needs to know.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct CommonArgs {
    /// TCP address of the nsqd to measure
    #[arg(long, default_value = "127.0.0.1:4150")]
    pub(crate) address: String,
    /// HTTP address of the same nsqd, for creating and deleting topics
    #[arg(long)]
    pub(crate) http_address: Option<String>,
    /// Process id of the same nsqd, for its processor time and memory
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Topic to use; each scenario has its own default
    #[arg(long, value_parser = parse_name)]
    pub(crate) topic: Option<String>,
    /// Delete the topic afterwards (needs --http-address)
    #[arg(long, requires = "http_address")]
    pub(crate) delete_topic: bool,
    /// Give up when nothing moves for this long
    #[arg(long, default_value = "30s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    pub(crate) timeout: Duration,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

impl CommonArgs {
    /// The chosen topic, or `default`.
    pub(crate) fn topic_or(&self, default: &str) -> String {
        self.topic.clone().unwrap_or_else(|| default.to_owned())
    }

    /// The chosen topic, or one that nobody has used before.
    pub(crate) fn topic_or_fresh(&self, scenario: &str) -> String {
        let fresh = || format!("bench_{scenario}_{:x}", run_number());
        self.topic.clone().unwrap_or_else(fresh)
    }
}

/// When a scenario ends.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct LimitArgs {
    /// Stop after this many messages (suffixes k, M, G)
    #[arg(long, value_parser = parse_count, conflicts_with = "duration")]
    pub(crate) messages: Option<u64>,
    /// Stop after this time; 10 s when neither this nor --messages is given
    #[arg(long, value_parser = parse_span)]
    #[serde(serialize_with = "serialize_optional_span")]
    pub(crate) duration: Option<Duration>,
    /// Time to run before measuring; 1 s, or none with --messages
    #[arg(long, value_parser = parse_span)]
    #[serde(serialize_with = "serialize_optional_span")]
    pub(crate) warmup: Option<Duration>,
}

impl LimitArgs {
    /// How long to measure when no number of messages ends the run.
    pub(crate) fn duration(&self) -> Duration {
        self.duration.unwrap_or(Duration::from_secs(10))
    }

    /// How long to run before measuring.
    pub(crate) fn warmup(&self) -> Duration {
        let default = if self.messages.is_some() { Duration::ZERO } else { Duration::from_secs(1) };
        self.warmup.unwrap_or(default)
    }
}

/// What is published, and how much of it is in the pipe.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct PublishArgs {
    /// Size of a message body in bytes
    #[arg(long, default_value = "200", value_parser = parse_bytes)]
    pub(crate) size: u64,
    /// What message bodies are made of
    #[arg(long, value_enum, default_value_t)]
    pub(crate) content: Content,
    /// Messages per command: 1 sends PUB, more sends MPUB
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Commands of a connection that may wait for their OK
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8192))]
    pub(crate) depth: u32,
    /// Threads that serve the publishing connections; 0: one each up to 4 connections, else one
    #[arg(long, default_value_t = 0)]
    pub(crate) publisher_threads: usize,
}

/// How messages are consumed.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct ConsumeArgs {
    /// Ready count of a connection
    #[arg(long, default_value_t = 2500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rdy: u32,
    /// Name of the channel; with several channels each gets a number behind it
    #[arg(long, default_value = "bench", value_parser = parse_name)]
    pub(crate) channel: String,
    /// Channels, each with its own consumers
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) channels: u32,
    /// `output_buffer_size` to ask for (default: nsqd's)
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) output_buffer_size: Option<i64>,
    /// `output_buffer_timeout` in ms to ask for (default: nsqd's)
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) output_buffer_timeout: Option<i64>,
    /// `msg_timeout` in ms to ask for (default: nsqd's)
    #[arg(long)]
    pub(crate) msg_timeout: Option<i64>,
    /// Threads that serve the consuming connections; 0: one each up to 4 connections, else one
    #[arg(long, default_value_t = 0)]
    pub(crate) consumer_threads: usize,
}

impl ConsumeArgs {
    /// Names of all channels.
    pub(crate) fn channel_names(&self) -> Vec<String> {
        match self.channels {
            1 => vec![self.channel.clone()],
            several => (0..several).map(|index| format!("{}{index}", self.channel)).collect(),
        }
    }

    /// What the consumers tell the daemon about themselves.
    pub(crate) fn identify(&self) -> Identify {
        Identify {
            output_buffer_size: self.output_buffer_size,
            output_buffer_timeout: self.output_buffer_timeout,
            msg_timeout: self.msg_timeout,
            ..Identify::new()
        }
    }
}

/// Shares `total` out over `parts` as evenly as possible; this is the share of `index`.
pub(crate) fn share(total: u64, parts: usize, index: usize) -> u64 {
    let parts = parts.max(1) as u64;
    total / parts + u64::from((index as u64) < total % parts)
}

/// A number that no other run on this machine has.
pub(crate) fn run_number() -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = clock.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    (millis << 20) ^ u64::from(std::process::id())
}

/// Checks a topic or channel name before it gets into a command line.
pub(crate) fn parse_name(name: &str) -> Result<String, String> {
    let base = name.strip_suffix("#ephemeral").unwrap_or(name);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if base.is_empty() || name.len() > 64 || !base.chars().all(is_allowed) {
        return Err("not a topic or channel name".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        for (total, parts) in [(10, 3), (2, 4), (0, 2), (u64::MAX, 7)] {
            let shares: Vec<u64> = (0..parts).map(|index| share(total, parts, index)).collect();
            assert_eq!(shares.iter().sum::<u64>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn names_cannot_smuggle_in_commands() {
        assert!(parse_name("a.b_c-9#ephemeral").is_ok());
        for wrong in ["", "#ephemeral", "a b", "a\nFIN", "ä", &"x".repeat(65)] {
            assert!(parse_name(wrong).is_err(), "{wrong:?}");
        }
    }
}
