//! The HTTP endpoints.

mod administer;
mod config;
mod debug;
mod publish;
mod stats;

use std::sync::Arc;

use nsq_app::http::{
    Answer, Failure, HandlerResult, Query, Request, Route, StatusCode, get, post, put,
};
use nsq_proto::{ChannelName, TopicName};

use crate::channel::Channel;
use crate::node::{Node, VERSION};
use crate::topic::Topic;

/// The ports that were really bound; 0 without a listener, -1 for a unix socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ports {
    pub(crate) tcp: i32,
    pub(crate) http: i32,
    pub(crate) https: i32,
}

/// The answer to every plain request when all must speak TLS; not quite JSON as others write it,
/// but as Go NSQ does.
pub(crate) fn tls_required(https_port: i32) -> Failure {
    let text = format!("{{\"message\": \"TLS_REQUIRED\", \"https_port\": {https_port}}}");
    Failure::of_json(StatusCode::FORBIDDEN, text)
}

/// The port that others are told: the one that was given, or else the one that was bound, if any.
pub(crate) fn announced(given: u16, bound: i32) -> i32 {
    if given == 0 { bound.max(0) } else { given.into() }
}

/// What the endpoints work on.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(crate) node: Arc<Node>,
    pub(crate) ports: Ports,
}

/// The table of endpoints.
pub(crate) fn routes() -> Vec<Route<Endpoints>> {
    let mut routes = vec![
        get("/ping", ping).plain().open(),
        get("/live", live).plain().open(),
        get("/ready", ready).plain().open(),
        get("/info", info),
        post("/pub", publish::publish).reads_body().unlogged(),
        post("/mpub", publish::publish_many).reads_body().unlogged(),
        get("/stats", stats::stats),
        get("/metrics", stats::metrics).plain(),
        post("/topic/create", administer::create_topic),
        post("/topic/delete", administer::delete_topic),
        post("/topic/empty", administer::empty_topic),
        post("/topic/pause", administer::pause_topic),
        post("/topic/unpause", administer::unpause_topic),
        post("/channel/create", administer::create_channel),
        post("/channel/delete", administer::delete_channel),
        post("/channel/empty", administer::empty_channel),
        post("/channel/pause", administer::pause_channel),
        post("/channel/unpause", administer::unpause_channel),
        get("/config/:option", config::show),
        put("/config/:option", config::change).reads_body(),
    ];
    routes.extend(debug::routes());
    routes
}

async fn ping(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    let text = endpoints.node.health.text();
    match endpoints.node.health.failure() {
        None => Ok(Answer::text(text)),
        Some(_) => Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, text)),
    }
}

/// Whether the process runs and answers; a daemon that is alive and not ready heals by itself.
async fn live(_: Arc<Endpoints>, _: Request) -> HandlerResult {
    Ok(Answer::text("OK"))
}

/// Whether it takes messages now: `200 OK`, or `503 NOK - ` and why not.
async fn ready(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    match endpoints.node.health.failure() {
        None => Ok(Answer::text("OK")),
        Some(reason) => {
            Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, format!("NOK - {reason}")))
        }
    }
}

async fn info(endpoints: Arc<Endpoints>, _: Request) -> HandlerResult {
    let Endpoints { node, ports } = &*endpoints;
    let options = &node.options;
    Answer::json(&nsq_api::Info {
        version: VERSION.to_owned(),
        broadcast_address: options.broadcast_address.clone(),
        hostname: nsq_app::host::name(),
        http_port: ports.http,
        tcp_port: ports.tcp,
        start_time: node.clock.start_time(),
        max_heartbeat_interval: options.max_heartbeat_interval,
        max_output_buffer_size: options.max_output_buffer_size as i64,
        max_output_buffer_timeout: options.max_output_buffer_timeout,
        max_deflate_level: i32::from(node.identify_limits.max_deflate_level),
        topology_zone: options.topology_zone.clone(),
        topology_region: options.topology_region.clone(),
    })
}

/// The parameter `topic` as a name.
fn topic_name(query: &Query<'_>, invalid: &'static str) -> Result<TopicName, Failure> {
    let name = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
    TopicName::parse(name.as_bytes()).map_err(|_| Failure::bad_request(invalid))
}

/// An existing topic and the name of one of its channels.
fn topic_and_channel(node: &Node, query: &Query<'_>) -> Result<(Arc<Topic>, ChannelName), Failure> {
    let topic = topic_name(query, "INVALID_ARG_TOPIC")?;
    let name = query.first("channel").ok_or(Failure::bad_request("MISSING_ARG_CHANNEL"))?;
    let channel = ChannelName::parse(name.as_bytes())
        .map_err(|_| Failure::bad_request("INVALID_ARG_CHANNEL"))?;
    let topic = node.existing_topic(topic.as_str()).ok_or(Failure::not_found("TOPIC_NOT_FOUND"))?;
    Ok((topic, channel))
}

/// An existing channel.
fn existing_channel(node: &Node, query: &Query<'_>) -> Result<(Arc<Topic>, Arc<Channel>), Failure> {
    let (topic, name) = topic_and_channel(node, query)?;
    let channel = topic.channels.read().get(&name).cloned();
    let channel = channel.ok_or(Failure::not_found("CHANNEL_NOT_FOUND"))?;
    Ok((topic, channel))
}
