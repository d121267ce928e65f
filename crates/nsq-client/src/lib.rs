//! Producer and Consumer of NSQ messages.
//!
//! [`Producer`] publishes to one or several nsqd, [`Consumer`] gets the messages of a channel from
//! any number of them, given by address or found through nsqlookupd. Both reconnect by themselves,
//! answer heartbeats, and speak TLS, snappy, deflate and AUTH as their [`Config`] says. They work
//! with Go NSQ's daemons as with those of this project.
//!
//! Needs a tokio runtime with time and network. Log lines go to the `log` facade, worded as
//! go-nsq's.

mod config;
mod consumer;
mod dialer;
mod duration;
mod error;
mod handler;
mod instance;
mod lookupd;
mod message;
mod producer;
mod retry;
mod wire;

pub use config::{BackoffStrategy, Config, InvalidOption};
pub use consumer::{Consumer, ConsumerHandle};
pub use error::{ConnectError, PublishError, SetupError};
pub use handler::Handler;
pub use message::Message;
pub use nsq_net::{TlsClientFiles, TlsVersion};
pub use nsq_proto::MessageId;
pub use producer::{Producer, Receipt};
