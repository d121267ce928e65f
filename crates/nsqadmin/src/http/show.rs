//! What there is, and how it stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_api::cluster::{Cluster, NodeStats, StatsQuery};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use serde::Serialize;

use crate::admin::Admin;
use crate::ask;
use crate::upstream::{Warnings, failed};
use crate::view::{NodeView, TopicView};

/// An answer that has its warnings behind its fields.
#[derive(Serialize)]
struct WithMessage<T> {
    #[serde(flatten)]
    data: T,
    message: String,
}

#[derive(Serialize)]
struct TopicsView {
    topics: Option<Vec<String>>,
    message: String,
}

/// Topics with their channels.
#[derive(Serialize)]
struct InactiveView {
    topics: BTreeMap<String, Option<Vec<String>>>,
    message: String,
}

#[derive(Serialize)]
struct NodesView {
    nodes: Option<Vec<NodeView>>,
    message: String,
}

#[derive(Serialize)]
struct OneNodeView {
    node: String,
    topics: Option<Vec<TopicView>>,
    total_messages: u64,
    total_clients: i64,
    message: String,
}

#[derive(Serialize)]
struct CounterView {
    stats: BTreeMap<String, CountView>,
    message: String,
}

/// The messages of one channel on one node.
#[derive(Serialize)]
struct CountView {
    node: String,
    topic_name: String,
    channel_name: String,
    message_count: u64,
}

pub(super) async fn topics(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request
        .query()
        .map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let cluster = admin.cluster();
    if query.first("inactive").as_deref() == Some("true") {
        return inactive_topics(&cluster).await;
    }
    let mut warnings = Warnings::default();
    let topics = warnings.take(cluster.topics().await).map_err(failed)?;
    let topics = Some(topics).filter(|topics| !topics.is_empty());
    Answer::json(&TopicsView { topics, message: warnings.message() })
}

async fn inactive_topics(cluster: &Cluster) -> HandlerResult {
    let mut warnings = Warnings::default();
    let topics = ask::inactive_topics(cluster, &mut warnings).await?;
    let list = |channels: Vec<String>| Some(channels).filter(|channels| !channels.is_empty());
    let topics = topics.into_iter().map(|(topic, channels)| (topic, list(channels))).collect();
    Answer::json(&InactiveView { topics, message: warnings.message() })
}

pub(super) async fn topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let data = ask::topic(&cluster, name, &mut warnings).await?;
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let names = request.two_parameters().unwrap_or_default();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let data = ask::channel(&cluster, names, &mut warnings).await?;
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn nodes(admin: Arc<Admin>, _: Request) -> HandlerResult {
    let mut warnings = Warnings::default();
    let nodes = warnings.take(admin.cluster().nodes().await).map_err(failed)?;
    let nodes: Vec<_> = nodes.into_iter().map(NodeView::from).collect();
    let nodes = Some(nodes).filter(|nodes| !nodes.is_empty());
    Answer::json(&NodesView { nodes, message: warnings.message() })
}

pub(super) async fn node(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let (_, topics) = ask::node(&cluster, name, &mut warnings).await?;
    let channels = topics.iter().flat_map(|topic| topic.channels.iter().flatten());
    let clients = channels.map(|channel| channel.clients.as_ref().map_or(0, Vec::len));
    let total_clients = clients.sum::<usize>();
    let counts = topics.iter().map(|topic| topic.message_count);
    Answer::json(&OneNodeView {
        node: name.to_owned(),
        total_messages: counts.fold(0, u64::saturating_add),
        total_clients: i64::try_from(total_clients).unwrap_or(i64::MAX),
        topics: Some(topics).filter(|topics| !topics.is_empty()),
        message: warnings.message(),
    })
}

pub(super) async fn counter(admin: Arc<Admin>, _: Request) -> HandlerResult {
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let stats = ask::stats_of(&cluster, &nodes, &StatsQuery::default(), &mut warnings).await?;
    let mut counts = BTreeMap::new();
    for NodeStats { node, topics, .. } in stats {
        let address = node.http_address();
        for topic in topics {
            for channel in topic.channels {
                let key = format!("{}:{}:{address}", topic.topic_name, channel.channel_name);
                let count = CountView {
                    node: address.clone(),
                    topic_name: topic.topic_name.clone(),
                    channel_name: channel.channel_name,
                    message_count: channel.message_count,
                };
                counts.insert(key, count);
            }
        }
    }
    Answer::json(&CounterView { stats: counts, message: warnings.message() })
}
