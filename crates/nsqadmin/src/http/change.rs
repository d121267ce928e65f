//! Changing things: each answer says whether it was done.

use std::borrow::Cow;
use std::sync::Arc;

use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::act::{Action, Actor};
use crate::admin::Admin;
use crate::names::{self, channel_of, topic_of};
use crate::upstream::Warnings;

/// No body that is wanted is longer.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// What is to be created, or of which topic a node is to be rid.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    topic: Option<String>,
    channel: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ActionName {
    action: Option<String>,
}

#[derive(Serialize)]
struct Done {
    message: String,
}

pub(super) async fn create(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let names: Names = read_json(&mut request).await?;
    let topic = names::topic(&names.topic.unwrap_or_default())?;
    let channel = names.channel.filter(|name| !name.is_empty());
    let channel = channel.map(|name| names::channel(&name)).transpose()?;
    done(&actor.create(&topic, channel.as_ref()).await?)
}

pub(super) async fn topic(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let topic = topic_of(&request)?;
    let action = read_action(&mut request).await?;
    done(&actor.topic(&topic, action).await?)
}

pub(super) async fn channel(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let (topic, channel) = channel_of(&request)?;
    let action = read_action(&mut request).await?;
    done(&actor.channel((&topic, &channel), action).await?)
}

pub(super) async fn delete_topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    done(&actor.delete_topic(&topic_of(&request)?).await?)
}

pub(super) async fn delete_channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let (topic, channel) = channel_of(&request)?;
    done(&actor.delete_channel(&topic, &channel).await?)
}

pub(super) async fn tombstone(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    let actor = Actor::admitted(&admin, &request)?;
    let body = read_body(&mut request).await?;
    let names: Names = parse(&body).map_err(|_| Failure::bad_request("INVALID_BODY"))?;
    let topic = names::topic(&names.topic.unwrap_or_default())?;
    let node = request.parameter().unwrap_or_default();
    done(&actor.tombstone(node, &topic).await?)
}

fn done(warnings: &Warnings) -> HandlerResult {
    Answer::json(&Done { message: warnings.message() })
}

async fn read_body(request: &mut Request) -> Result<bytes::Bytes, Failure> {
    let read = request.read_body(BODY_BYTES_MAX).await;
    read.map_err(|error| error.refuse("INVALID_BODY"))
}

/// A body of JSON; if it is none, the failure tells what is wrong with it.
async fn read_json<T: DeserializeOwned>(request: &mut Request) -> Result<T, Failure> {
    let body = read_body(request).await?;
    parse(&body).map_err(|error| {
        let reason = if body.trim_ascii().is_empty() {
            Cow::Borrowed("EOF")
        } else {
            Cow::Owned(error.to_string())
        };
        Failure::new(StatusCode::BAD_REQUEST, reason)
    })
}

/// An object; serde alone would take a list for one.
fn parse<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    let object: serde_json::Map<_, _> = serde_json::from_slice(body)?;
    serde_json::from_value(object.into())
}

async fn read_action(request: &mut Request) -> Result<Action, Failure> {
    let ActionName { action } = read_json(request).await?;
    let action = action.as_deref().and_then(Action::named);
    action.ok_or(Failure::bad_request("INVALID_ACTION"))
}
