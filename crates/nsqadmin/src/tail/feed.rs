//! The messages of one node.

use std::time::Duration;

use nsq_api::cluster::Node;
use nsq_client::{Config, Consumer, MessageId};
use nsq_proto::TopicName;
use tokio::sync::mpsc::Sender;

use super::event::Excerpt;
use crate::options::Options;
use crate::tls;

/// What a client cannot be told to wait for.
const PATIENCE_MIN: Duration = Duration::from_millis(1);
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// One connection to one node, which is not made again.
#[derive(Debug)]
pub(super) struct Feed {
    /// `address:port` of its HTTP.
    node: String,
    consumer: Consumer,
}

/// A message that came and is finished.
#[derive(Debug)]
pub(super) struct Received {
    /// `address:port` of the node's HTTP.
    pub(super) node: String,
    pub(super) id: MessageId,
    pub(super) timestamp_ns: i64,
    pub(super) attempts: u16,
    /// Cut here, so that what waits to be shown is small.
    pub(super) body: Excerpt,
}

/// Who subscribes, and to what.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) topic: TopicName,
    pub(super) channel: String,
    pub(super) config: Config,
}

impl Subscription {
    /// With so many messages in flight on each connection.
    pub(super) fn new(
        options: &Options,
        topic: TopicName,
        channel: String,
        max_in_flight: u32,
    ) -> Self {
        let within = |patience: Duration| patience.clamp(PATIENCE_MIN, PATIENCE_MAX);
        let config = Config {
            dial_timeout: within(options.http_client_connect_timeout),
            handshake_timeout: within(options.http_client_request_timeout),
            user_agent: concat!("nsqadmin/", env!("CARGO_PKG_VERSION")).to_owned(),
            max_in_flight,
            // Shown however often it was delivered, and finished.
            max_attempts: 0,
            reconnect: false,
            tls: tls::files(options),
            ..Config::default()
        };
        Self { topic, channel, config }
    }
}

impl Feed {
    /// Connects; with TLS if the node demands it.
    ///
    /// # Errors
    ///
    /// With a sentence that names the node.
    pub(super) async fn connect(
        subscription: Subscription,
        node: &Node,
        demands_tls: bool,
    ) -> Result<Self, String> {
        let Subscription { topic, channel, config } = subscription;
        let (name, address) = (node.http_address(), node.near_tcp_address());
        let config = Config { tls_v1: demands_tls, ..config };
        let failed = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let consumer = Consumer::new(topic.as_str(), &channel, config);
        let mut consumer = consumer.map_err(|error| failed(&error))?;
        let connected = consumer.connect_to_nsqds(&[address]).await;
        connected.map_err(|error| failed(&error))?;
        Ok(Self { node: name, consumer })
    }

    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Hands on its messages, each finished, until the connection is lost. Returns the node.
    pub(super) async fn run(mut self, out: Sender<Received>) -> String {
        while let Some(message) = self.consumer.next().await {
            // At once: it is this tail's own copy, and nobody else waits for it.
            message.finish();
            let received = Received {
                node: self.node.clone(),
                id: message.id(),
                timestamp_ns: message.timestamp_ns(),
                attempts: message.attempts(),
                body: Excerpt::of(message.body()),
            };
            drop(message);
            if out.send(received).await.is_err() {
                break;
            }
        }
        self.node
    }
}
