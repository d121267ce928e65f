//! Why something could not be done.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::InvalidOption;

/// Why an nsqd cannot be used.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct ConnectError {
    pub(crate) address: String,
    pub(crate) reason: Reason,
}

impl ConnectError {
    /// The address that was tried.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the daemon was there and refused: trying again will not help by itself.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.reason, Reason::Refused(_))
    }
}

/// Why a connection cannot be used.
#[derive(Debug, Error)]
pub(crate) enum Reason {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The daemon said no.
    #[error("{0}")]
    Refused(String),
    /// Who wants to connect was stopped.
    #[error("consumer stopped")]
    Stopped,
}

/// Why there is no producer or consumer.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The name is none of a topic.
    #[error("invalid topic name")]
    TopicName,
    /// The name is none of a channel.
    #[error("invalid channel name")]
    ChannelName,
    /// An option has a value that it cannot have.
    #[error(transparent)]
    Option(#[from] InvalidOption),
    /// An address of nsqlookupd is none.
    #[error("invalid address of nsqlookupd {0}")]
    LookupdAddress(String),
    /// There is no address at all.
    #[error("no address")]
    NoAddress,
    /// It was stopped, and cannot be used again.
    #[error("consumer stopped")]
    Stopped,
}

/// Why a message was not published, or perhaps was not.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PublishError {
    /// The name is none of a topic. Nothing was sent.
    #[error("E_BAD_TOPIC PUB topic name {0:?} is not valid")]
    TopicName(Arc<str>),
    /// A message has at least one byte. Nothing was sent.
    #[error("E_BAD_MESSAGE PUB invalid message body size 0")]
    EmptyBody,
    /// nsqd refused it, with these words: it is not published.
    #[error("{0}")]
    Refused(Arc<str>),
    /// No nsqd could be reached. It is not published.
    #[error("{0}")]
    NotConnected(Arc<str>),
    /// The connection was lost before the answer came. Whether it is published is not known.
    #[error("not connected - {0}")]
    Lost(Arc<str>),
    /// Nobody answered in time; holds the last error, if there was one. Whether it is published
    /// is not known.
    #[error("no answer in time{}{_0}", if _0.is_empty() { "" } else { " - " })]
    TimedOut(Arc<str>),
    /// The producer was closed.
    #[error("stopped")]
    Stopped,
}
