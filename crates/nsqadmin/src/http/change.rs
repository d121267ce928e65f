//! Changing things: each answer says whether it was done.

use std::borrow::Cow;
use std::sync::Arc;

use nsq_api::cluster::{Cluster, Daemons, Order};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::names::{self, channel_of, topic_of};
use super::show::known_node;
use super::topic_nodes::topic_nodes;
use crate::access::admit;
use crate::admin::Admin;
use crate::notification::Origin;
use crate::upstream::{Warnings, failed, failed_or_not_found};

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

/// What can be done to a topic and to a channel: the element of its path on nsqd.
#[derive(Clone, Copy)]
enum Action {
    Pause,
    Unpause,
    Empty,
}

#[derive(Serialize)]
struct Done {
    message: String,
}

pub(super) async fn create(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let origin = Origin::of(&request);
    let names: Names = read_json(&mut request).await?;
    let topic = names::topic(&names.topic.unwrap_or_default())?.to_string();
    let channel = names.channel.filter(|name| !name.is_empty());
    let channel = channel.map(|name| names::channel(&name)).transpose()?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let order = Order { path: "/topic/create", arguments: &[("topic", &topic)] };
    warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
    admin.notify(|| origin.topic("create_topic", &topic));
    if let Some(channel) = channel {
        let channel = channel.to_string();
        create_channel(&cluster, &topic, &channel, &mut warnings).await?;
        admin.notify(|| origin.channel("create_channel", &topic, &channel));
    }
    done(&warnings)
}

async fn create_channel(
    cluster: &Cluster,
    topic: &str,
    channel: &str,
    warnings: &mut Warnings,
) -> Result<(), Failure> {
    let arguments = [("topic", topic), ("channel", channel)];
    let order = Order { path: "/channel/create", arguments: &arguments };
    warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
    if cluster.entry() == Daemons::Nsqds {
        return Ok(());
    }
    let nodes = topic_nodes(cluster, topic, warnings).await?;
    if !nodes.is_empty() {
        warnings.take(cluster.tell_nodes(&nodes, order).await).map_err(failed)?;
    }
    Ok(())
}

pub(super) async fn topic(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let (origin, topic) = (Origin::of(&request), topic_of(&request)?.to_string());
    let action = parse_action(&read_body(&mut request).await?)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = topic_nodes(&cluster, &topic, &mut warnings).await?;
    let (path, name) = action.of_topic();
    let told = cluster.tell_nodes(&nodes, Order { path, arguments: &[("topic", &topic)] }).await;
    let told = warnings.take(told);
    told.map_err(|none| failed_or_not_found(none, "TOPIC_NOT_FOUND"))?;
    admin.notify(|| origin.topic(name, &topic));
    done(&warnings)
}

pub(super) async fn channel(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    channel_of(&request)?;
    let body = read_body(&mut request).await?;
    act_on_channel(&admin, &request, &body).await
}

/// Does what the body of the request says, for somebody who may.
pub(super) async fn act_on_channel(admin: &Admin, request: &Request, body: &[u8]) -> HandlerResult {
    let (topic, channel) = channel_of(request)?;
    let (topic, channel) = (topic.to_string(), channel.to_string());
    let action = parse_action(body)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = topic_nodes(&cluster, &topic, &mut warnings).await?;
    let (path, name) = action.of_channel();
    let arguments = [("topic", &*topic), ("channel", &*channel)];
    let told = cluster.tell_nodes(&nodes, Order { path, arguments: &arguments }).await;
    let told = warnings.take(told);
    told.map_err(|none| failed_or_not_found(none, "CHANNEL_NOT_FOUND"))?;
    admin.notify(|| Origin::of(request).channel(name, &topic, &channel));
    done(&warnings)
}

pub(super) async fn delete_topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let topic = topic_of(&request)?.to_string();
    let order = Order { path: "/topic/delete", arguments: &[("topic", &topic)] };
    let warnings = delete(&admin.cluster(), &topic, order, "TOPIC_NOT_FOUND").await?;
    admin.notify(|| Origin::of(&request).topic("delete_topic", &topic));
    done(&warnings)
}

pub(super) async fn delete_channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let (topic, channel) = channel_of(&request)?;
    let (topic, channel) = (topic.to_string(), channel.to_string());
    let arguments = [("topic", &*topic), ("channel", &*channel)];
    let order = Order { path: "/channel/delete", arguments: &arguments };
    let warnings = delete(&admin.cluster(), &topic, order, "CHANNEL_NOT_FOUND").await?;
    admin.notify(|| Origin::of(&request).channel("delete_channel", &topic, &channel));
    done(&warnings)
}

/// First from nsqlookupd, so that no consumer finds it there and creates it anew.
async fn delete(
    cluster: &Cluster,
    topic: &str,
    order: Order<'_>,
    not_found: &'static str,
) -> Result<Warnings, Failure> {
    let mut warnings = Warnings::default();
    let nodes = topic_nodes(cluster, topic, &mut warnings).await?;
    let mut was_known = false;
    if cluster.entry() == Daemons::Lookupds {
        let told = cluster.tell_entry(order).await;
        was_known = warnings.take_deletion(told).map_err(failed)?;
    }
    if !nodes.is_empty() {
        let told = cluster.tell_nodes(&nodes, order).await;
        was_known |= warnings.take_deletion(told).map_err(failed)?;
    }
    if was_known { Ok(warnings) } else { Err(Failure::not_found(not_found)) }
}

pub(super) async fn tombstone(admin: Arc<Admin>, mut request: Request) -> HandlerResult {
    admit(&admin.options, request.headers())?;
    let origin = Origin::of(&request);
    let body = read_body(&mut request).await?;
    let names: Names = parse(&body).map_err(|_| Failure::bad_request("INVALID_BODY"))?;
    let topic = names::topic(&names.topic.unwrap_or_default())?.to_string();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let name = request.parameter().unwrap_or_default();
    // Only a node of the cluster: this must not send requests to anybody.
    let node = known_node(&cluster, name, &mut warnings).await?;
    if cluster.entry() == Daemons::Lookupds {
        let address = node.http_address();
        let arguments = [("topic", &*topic), ("node", &*address)];
        let order = Order { path: "/topic/tombstone", arguments: &arguments };
        warnings.take(cluster.tell_entry(order).await).map_err(failed)?;
    }
    let order = Order { path: "/topic/delete", arguments: &[("topic", &topic)] };
    // A node that does not have the topic is as it should be.
    warnings.take_deletion(cluster.tell_nodes(&[node], order).await).map_err(failed)?;
    admin.notify(|| origin.node("tombstone_topic_producer", &topic, name));
    done(&warnings)
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
    parse_json(&read_body(request).await?)
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    parse(body).map_err(|error| {
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

fn parse_action(body: &[u8]) -> Result<Action, Failure> {
    let ActionName { action } = parse_json(body)?;
    match action.as_deref() {
        Some("pause") => Ok(Action::Pause),
        Some("unpause") => Ok(Action::Unpause),
        Some("empty") => Ok(Action::Empty),
        _ => Err(Failure::bad_request("INVALID_ACTION")),
    }
}

impl Action {
    /// The path on nsqd, and what it is called in a notification.
    fn of_topic(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("/topic/pause", "pause_topic"),
            Self::Unpause => ("/topic/unpause", "unpause_topic"),
            Self::Empty => ("/topic/empty", "empty_topic"),
        }
    }

    /// The same for a channel.
    fn of_channel(self) -> (&'static str, &'static str) {
        match self {
            Self::Pause => ("/channel/pause", "pause_channel"),
            Self::Unpause => ("/channel/unpause", "unpause_channel"),
            Self::Empty => ("/channel/empty", "empty_channel"),
        }
    }
}
