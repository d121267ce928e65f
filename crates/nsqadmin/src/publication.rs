//! A test message.

use bytes::Bytes;
use nsq_api::cluster::{Daemons, NoneAnswered, StatsQuery};
use nsq_app::http::{Failure, StatusCode};
use nsq_proto::TopicName;

use crate::admin::Admin;
use crate::ask::{known_node, topic_nodes};
use crate::notification::Origin;
use crate::upstream::{Warnings, failed};

/// The longest message; nsqd's default for `--max-msg-size`.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// A message to publish.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) topic: TopicName,
    pub(crate) body: Bytes,
    /// Only to this node, `address:port` of its HTTP; else to the first that takes it.
    pub(crate) node: Option<String>,
    pub(crate) defer_ms: Option<u64>,
}

/// That it is published.
#[derive(Debug)]
pub(crate) struct Published {
    /// Who has it.
    pub(crate) node: String,
    /// Who did not take it.
    pub(crate) warnings: Warnings,
}

impl Publication {
    /// A message for now.
    ///
    /// # Errors
    ///
    /// `400 INVALID_BODY` if it is empty, which nsqd does not take; `413 INVALID_BODY` if it is too
    /// long.
    pub(crate) fn new(
        topic: TopicName,
        body: Bytes,
        node: Option<String>,
    ) -> Result<Self, Failure> {
        if body.is_empty() {
            return Err(Failure::bad_request("INVALID_BODY"));
        }
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_BODY"));
        }
        Ok(Self { topic, body, node, defer_ms: None })
    }

    /// Publishes, and tells of it.
    ///
    /// # Errors
    ///
    /// `404 TOPIC_NOT_FOUND` if the topic is not there, `404 NODE_NOT_FOUND` if the node is none of
    /// the cluster, `502` if nobody said that it has the message.
    pub(crate) async fn publish(
        &self,
        admin: &Admin,
        origin: &Origin,
    ) -> Result<Published, Failure> {
        let Self { topic, body, node, defer_ms } = self;
        let topic = topic.to_string();
        let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
        let nodes = match node {
            Some(name) => vec![known_node(&cluster, name, &mut warnings).await?],
            None => topic_nodes(&cluster, &topic, &mut warnings).await?,
        };
        // nsqd creates a topic that it does not have, and what nsqlookupd says may be old.
        let mut serving = Vec::new();
        if !nodes.is_empty() {
            let query = StatsQuery { topic: Some(topic.clone()), ..StatsQuery::default() };
            let stats = warnings.take(cluster.stats(&nodes, &query).await).map_err(failed)?;
            let with_topic = stats.into_iter().filter(|stats| !stats.topics.is_empty());
            serving.extend(with_topic.map(|stats| stats.node));
        }
        if serving.is_empty() {
            return Err(warnings.not_found("TOPIC_NOT_FOUND"));
        }
        let mut failures = Vec::new();
        for node in serving {
            match cluster.publish(&node, &topic, *defer_ms, body).await {
                Ok(()) => {
                    let node = node.http_address();
                    warnings.note(&failures);
                    admin.notify(|| origin.node("publish_message", &topic, &node));
                    return Ok(Published { node, warnings });
                }
                Err(failure) => {
                    let is_refusal = failure.error.is_refusal();
                    failures.push(failure);
                    // It may have the message: another one would make two of it.
                    if !is_refusal {
                        break;
                    }
                }
            }
        }
        Err(failed(NoneAnswered { daemons: Daemons::Nsqds, failures }))
    }
}
