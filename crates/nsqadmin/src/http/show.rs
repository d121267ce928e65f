//! What there is, and how it stands.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_api::cluster::{Cluster, Daemons, Node, NodeStats, StatsQuery};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};
use nsq_proto::TopicName;
use serde::Serialize;
use tokio::task::JoinSet;

use super::topic_nodes::topic_nodes;
use crate::admin::Admin;
use crate::upstream::{Warnings, failed};
use crate::view::{ChannelView, NodeView, Owner, Selection, TopicView};

/// Of how many topics the channels are asked for at once.
const CHANNELS_ASKED_AT_ONCE: usize = 16;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

/// Topics with their channels.
#[derive(Serialize)]
struct InactiveView {
    topics: BTreeMap<String, Option<Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct NodesView {
    nodes: Option<Vec<NodeView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct OneNodeView {
    node: String,
    topics: Option<Vec<TopicView>>,
    total_messages: u64,
    total_clients: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct CounterView {
    stats: BTreeMap<String, CountView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
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
    let (cluster, selection) = (admin.cluster(), Selection::of(&query)?);
    if query.first("inactive").as_deref() == Some("true") {
        return inactive_topics(&cluster, &selection).await;
    }
    let mut warnings = Warnings::default();
    let names = warnings.take(cluster.topics().await).map_err(failed)?;
    let page = selection.apply(names, |name| name);
    let topics = Some(page.items).filter(|topics| !topics.is_empty());
    Answer::json(&TopicsView { topics, total: page.said_total, message: warnings.message() })
}

/// Those that nsqlookupd knows and that no nsqd is shown for. Channels are asked for only of those
/// that are selected.
async fn inactive_topics(cluster: &Cluster, selection: &Selection) -> HandlerResult {
    let mut warnings = Warnings::default();
    let mut inactive = Vec::new();
    if cluster.entry() == Daemons::Lookupds {
        let names = warnings.take(cluster.topics().await).map_err(failed)?;
        let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
        let of_nodes = nodes.iter().flat_map(|node| &node.topics);
        let shown = of_nodes.filter(|topic| !topic.is_tombstoned).map(|topic| &*topic.name);
        let shown: std::collections::BTreeSet<&str> = shown.collect();
        inactive = names;
        inactive.retain(|name| !shown.contains(&**name));
    }
    let page = selection.apply(inactive, |name| name);
    let topics = channels_of(cluster, page.items.into_iter(), &mut warnings).await?;
    Answer::json(&InactiveView { topics, total: page.said_total, message: warnings.message() })
}

/// The channels of each of these topics, asked for not too many at once.
async fn channels_of(
    cluster: &Cluster,
    mut topics: impl Iterator<Item = String>,
    warnings: &mut Warnings,
) -> Result<BTreeMap<String, Option<Vec<String>>>, Failure> {
    let mut asking = JoinSet::new();
    let mut channels = BTreeMap::new();
    loop {
        let room = CHANNELS_ASKED_AT_ONCE - asking.len();
        for topic in topics.by_ref().take(room) {
            let cluster = cluster.clone();
            asking.spawn(async move {
                let found = cluster.channels(&topic).await;
                (topic, found)
            });
        }
        let Some(asked) = asking.join_next().await else { return Ok(channels) };
        let (topic, found) = asked.map_err(|_| Failure::internal())?;
        let found = warnings.take(found).map_err(failed)?;
        channels.insert(topic, Some(found).filter(|found| !found.is_empty()));
    }
}

pub(super) async fn topic(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    ensure_name(name)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = topic_nodes(&cluster, name, &mut warnings).await?;
    let query = StatsQuery { topic: Some(name.to_owned()), ..StatsQuery::default() };
    let stats = stats_of(&cluster, &nodes, &query, &mut warnings).await?;
    let of_nodes = stats.into_iter().flat_map(topic_views).collect();
    let data = TopicView::merged(name, of_nodes);
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn channel(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let (topic, name) = request.two_parameters().unwrap_or_default();
    ensure_name(topic)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = topic_nodes(&cluster, topic, &mut warnings).await?;
    let query = StatsQuery {
        topic: Some(topic.to_owned()),
        channel: Some(name.to_owned()),
        include_clients: true,
    };
    let stats = stats_of(&cluster, &nodes, &query, &mut warnings).await?;
    let topics = stats.into_iter().flat_map(topic_views);
    let of_nodes: Vec<_> = topics.flat_map(|topic| topic.channels.unwrap_or_default()).collect();
    if of_nodes.is_empty() && cluster.entry() == Daemons::Lookupds {
        // Without an nsqd that has it, it may still be registered.
        let known = warnings.take(cluster.channels(topic).await).map_err(failed)?;
        if !known.iter().any(|known| known == name) {
            return Err(warnings.not_found("CHANNEL_NOT_FOUND"));
        }
    } else if of_nodes.is_empty() {
        return Err(warnings.not_found("CHANNEL_NOT_FOUND"));
    }
    let data = ChannelView::merged(topic, name, of_nodes);
    Answer::json(&WithMessage { data, message: warnings.message() })
}

pub(super) async fn nodes(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let (selection, mut warnings) = (Selection::of(&query)?, Warnings::default());
    let nodes = warnings.take(admin.cluster().nodes().await).map_err(failed)?;
    // Found by either; a line break is in neither.
    let named = |node: Node| (format!("{}\n{}", node.hostname, node.http_address()), node);
    let page = selection.apply(nodes.into_iter().map(named), |(name, _)| name);
    let mut nodes: Vec<_> = page.items.into_iter().map(|(_, node)| NodeView::from(node)).collect();
    if query.first("topics").as_deref() == Some("false") {
        nodes = nodes.into_iter().map(NodeView::without_topics).collect();
    }
    let nodes = Some(nodes).filter(|nodes| !nodes.is_empty());
    Answer::json(&NodesView { nodes, total: page.said_total, message: warnings.message() })
}

/// The sums are those of all its topics, whichever are selected.
pub(super) async fn node(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let name = request.parameter().unwrap_or_default();
    let selection = Selection::of(&request.query()?)?;
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let node = known_node(&cluster, name, &mut warnings).await?;
    let query = StatsQuery { include_clients: true, ..StatsQuery::default() };
    let stats = stats_of(&cluster, &[node], &query, &mut warnings).await?;
    let topics: Vec<_> = stats.into_iter().flat_map(topic_views).collect();
    let channels = topics.iter().flat_map(|topic| topic.channels.iter().flatten());
    let clients = channels.map(|channel| channel.clients.as_ref().map_or(0, Vec::len));
    let total_clients = clients.sum::<usize>();
    let counts = topics.iter().map(|topic| topic.message_count);
    let total_messages = counts.fold(0, u64::saturating_add);
    let page = selection.apply(topics, |topic| &topic.topic_name);
    Answer::json(&OneNodeView {
        node: name.to_owned(),
        total_messages,
        total_clients: i64::try_from(total_clients).unwrap_or(i64::MAX),
        topics: Some(page.items).filter(|topics| !topics.is_empty()),
        total: page.said_total,
        message: warnings.message(),
    })
}

/// What is selected is selected by its key.
pub(super) async fn counter(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let selection = Selection::of(&query)?;
    let wanted = |key| query.first(key).map(Cow::into_owned).filter(|name| !name.is_empty());
    let (topic, channel) = (wanted("topic"), wanted("channel"));
    let stats_query = StatsQuery { topic, channel, include_clients: false };
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let stats = stats_of(&cluster, &nodes, &stats_query, &mut warnings).await?;
    let page = selection.apply(counts(stats), |(key, _)| key);
    Answer::json(&CounterView {
        stats: page.items.into_iter().collect(),
        total: page.said_total,
        message: warnings.message(),
    })
}

/// The messages of each channel on each node, by `topic:channel:node`.
fn counts(stats: Vec<NodeStats>) -> BTreeMap<String, CountView> {
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
    counts
}

/// The node with this name: `address:port` of its HTTP.
///
/// # Errors
///
/// `404 NODE_NOT_FOUND`; `502` if nobody answered.
pub(super) async fn known_node(
    cluster: &Cluster,
    name: &str,
    warnings: &mut Warnings,
) -> Result<Node, Failure> {
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let found = nodes.into_iter().find(|node| node.http_address() == name || node.address == name);
    found.ok_or(Failure::not_found("NODE_NOT_FOUND"))
}

/// Statistics of these nodes; no node, no statistics.
async fn stats_of(
    cluster: &Cluster,
    nodes: &[Node],
    query: &StatsQuery,
    warnings: &mut Warnings,
) -> Result<Vec<NodeStats>, Failure> {
    if nodes.is_empty() {
        return Ok(Vec::new());
    }
    warnings.take(cluster.stats(nodes, query).await).map_err(failed)
}

fn topic_views(stats: NodeStats) -> impl Iterator<Item = TopicView> {
    let owner = Owner::from(&stats.node);
    stats.topics.into_iter().map(move |topic| TopicView::of_node(&owner, topic))
}

/// What is no name is nobody's; `*` would mean all topics to an nsqlookupd of Go.
fn ensure_name(topic: &str) -> Result<(), Failure> {
    match TopicName::parse(topic.as_bytes()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::not_found("TOPIC_NOT_FOUND")),
    }
}
