//! A test message.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsq_app::http::{Answer, Failure, HandlerResult, Request};
use nsq_proto::TopicName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change;
use crate::act::Actor;
use crate::admin::Admin;
use crate::publication::{Publication, Published};
use crate::request_names as names;

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

#[derive(Serialize)]
struct Done {
    /// Who has the message.
    node: String,
    message: String,
}

/// `POST /api/topics/:topic/publish`. What Go NSQ has there, an action on a channel that is called
/// `publish`, is told from it by its `action`.
pub(super) async fn channel_or_publish(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let topic = match request.two_parameters() {
        Some((topic, "publish")) => names::topic(topic),
        _ => return change::channel(admin, request).await,
    };
    let body = request.read_body(REQUEST_BYTES_MAX).await;
    let body = body.map_err(|error| error.refuse("INVALID_BODY"))?;
    let object = serde_json::from_slice::<Map<String, Value>>(&body);
    if object.as_ref().is_ok_and(|object| object.contains_key("action")) {
        return change::act_on_channel(&actor, &request, &body).await;
    }
    let topic = topic?;
    let object = object.map_err(|_| invalid())?;
    let wish: Wish = serde_json::from_value(object.into()).map_err(|_| invalid())?;
    let publication = wish.of_topic(topic)?;
    let Published { node, warnings } = actor.publish(&publication).await?;
    Answer::json(&Done { node, message: warnings.message() })
}

impl Wish {
    fn of_topic(self, topic: TopicName) -> Result<Publication, Failure> {
        let body = match (self.body, self.body_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| invalid())?,
            (Some(_), Some(_)) | (None, None) => return Err(invalid()),
        };
        let node = self.node.filter(|node| !node.is_empty());
        Ok(Publication { defer_ms: self.defer_ms, ..Publication::new(topic, body.into(), node)? })
    }
}

fn invalid() -> Failure {
    Failure::bad_request("INVALID_BODY")
}
