//! A test message.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use nsq_api::cluster::{Daemons, NoneAnswered, StatsQuery};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use nsq_proto::TopicName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::show::known_node;
use super::topic_nodes::topic_nodes;
use super::{change, names};
use crate::access::admit;
use crate::admin::Admin;
use crate::notification::Origin;
use crate::upstream::{Warnings, failed};

/// The longest message; nsqd's default for `--max-msg-size`.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The longest request: such a message as base64 or with some escapes, and what is around it.
const REQUEST_BYTES_MAX: u64 = 2 << 20;

/// What a request says.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Wish {
    body: Option<String>,
    body_base64: Option<String>,
    node: Option<String>,
    defer_ms: Option<u64>,
}

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
#[derive(Debug, Serialize)]
pub(crate) struct Published {
    /// Who has it.
    pub(crate) node: String,
    pub(crate) message: String,
}

/// `POST /api/topics/:topic/publish`. What Go NSQ has there, an action on a channel that is called
/// `publish`, is told from it by its `action`.
pub(super) async fn channel_or_publish(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let topic = match request.two_parameters() {
        Some((topic, "publish")) => names::topic(topic),
        _ => return change::channel(admin, request).await,
    };
    let body = request.read_body(REQUEST_BYTES_MAX).await;
    let body = body.map_err(|error| error.refuse("INVALID_BODY"))?;
    let object = serde_json::from_slice::<Map<String, Value>>(&body);
    if object.as_ref().is_ok_and(|object| object.contains_key("action")) {
        return change::act_on_channel(&admin, &request, &body).await;
    }
    let topic = topic?;
    let object = object.map_err(|_| invalid())?;
    let wish: Wish = serde_json::from_value(object.into()).map_err(|_| invalid())?;
    let publication = wish.of_topic(topic)?;
    Answer::json(&publish(&admin, &Origin::of(&request), &publication).await?)
}

/// Publishes, and tells of it.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND` if the topic is not there, `404 NODE_NOT_FOUND` if the node is none of the
/// cluster, `502` if nobody said that it has the message.
pub(crate) async fn publish(
    admin: &Admin,
    origin: &Origin,
    publication: &Publication,
) -> Result<Published, Failure> {
    let Publication { topic, body, node, defer_ms } = publication;
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
                return Ok(Published { node, message: warnings.message() });
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

impl Wish {
    fn of_topic(self, topic: TopicName) -> Result<Publication, Failure> {
        let body = match (self.body, self.body_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| invalid())?,
            (Some(_), Some(_)) | (None, None) => return Err(invalid()),
        };
        // nsqd takes no empty message.
        if body.is_empty() {
            return Err(invalid());
        }
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_BODY"));
        }
        let node = self.node.filter(|node| !node.is_empty());
        Ok(Publication { topic, body: body.into(), node, defer_ms: self.defer_ms })
    }
}

fn invalid() -> Failure {
    Failure::bad_request("INVALID_BODY")
}
