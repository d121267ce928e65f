//! What is asked of the cluster, for the API and for pages.
//!
//! Each question is answered with data and the warnings about who did not answer.

use std::collections::{BTreeMap, BTreeSet};

use nsq_api::cluster::{Cluster, Daemons, Node, NodeStats, StatsQuery};
use nsq_app::http::Failure;
use nsq_proto::TopicName;
use tokio::task::JoinSet;

use crate::upstream::{Warnings, failed, failed_or_not_found};
use crate::view::{ChannelView, Owner, TopicView};

/// Of how many topics the channels are asked for at once.
const CHANNELS_ASKED_AT_ONCE: usize = 16;

/// Topics with their channels.
pub(crate) type Channels = BTreeMap<String, Vec<String>>;

/// Those that nsqlookupd knows and that no nsqd is shown for.
///
/// # Errors
///
/// `502` if nobody answered.
pub(crate) async fn inactive_topics(
    cluster: &Cluster,
    warnings: &mut Warnings,
) -> Result<Vec<String>, Failure> {
    if cluster.entry() != Daemons::Lookupds {
        return Ok(Vec::new());
    }
    let mut names = warnings.take(cluster.topics().await).map_err(failed)?;
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let of_nodes = nodes.iter().flat_map(|node| &node.topics);
    let shown = of_nodes.filter(|topic| !topic.is_tombstoned).map(|topic| &*topic.name);
    let shown: BTreeSet<&str> = shown.collect();
    names.retain(|name| !shown.contains(&**name));
    Ok(names)
}

/// The channels of each of these topics, asked for not too many at once.
///
/// # Errors
///
/// `502` if nobody answered.
pub(crate) async fn channels_of(
    cluster: &Cluster,
    topics: Vec<String>,
    warnings: &mut Warnings,
) -> Result<Channels, Failure> {
    let mut topics = topics.into_iter();
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
        channels.insert(topic, warnings.take(found).map_err(failed)?);
    }
}

/// A topic on all its nodes; on none if it is only registered.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND`; `502` if nobody answered.
pub(crate) async fn topic(
    cluster: &Cluster,
    name: &str,
    warnings: &mut Warnings,
) -> Result<TopicView, Failure> {
    ensure_name(name)?;
    let nodes = topic_nodes(cluster, name, warnings).await?;
    let query = StatsQuery { topic: Some(name.to_owned()), ..StatsQuery::default() };
    let stats = stats_of(cluster, &nodes, &query, warnings).await?;
    let of_nodes = stats.into_iter().flat_map(topic_views).collect();
    Ok(TopicView::merged(name, of_nodes))
}

/// A channel on all its nodes, with its clients; on none if it is only registered.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND`, `404 CHANNEL_NOT_FOUND`; `502` if nobody answered.
pub(crate) async fn channel(
    cluster: &Cluster,
    (topic, name): (&str, &str),
    warnings: &mut Warnings,
) -> Result<ChannelView, Failure> {
    ensure_name(topic)?;
    let nodes = topic_nodes(cluster, topic, warnings).await?;
    let query = StatsQuery {
        topic: Some(topic.to_owned()),
        channel: Some(name.to_owned()),
        include_clients: true,
    };
    let stats = stats_of(cluster, &nodes, &query, warnings).await?;
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
    Ok(ChannelView::merged(topic, name, of_nodes))
}

/// The topics of one node, with their channels and their clients.
///
/// # Errors
///
/// `404 NODE_NOT_FOUND`; `502` if nobody answered.
pub(crate) async fn node(
    cluster: &Cluster,
    name: &str,
    warnings: &mut Warnings,
) -> Result<(Node, Vec<TopicView>), Failure> {
    let node = known_node(cluster, name, warnings).await?;
    let query = StatsQuery { include_clients: true, ..StatsQuery::default() };
    let stats = stats_of(cluster, std::slice::from_ref(&node), &query, warnings).await?;
    Ok((node, stats.into_iter().flat_map(topic_views).collect()))
}

/// The nodes that serve a topic: none for one that an nsqlookupd knows and no nsqd serves.
///
/// # Errors
///
/// `404 TOPIC_NOT_FOUND` if nobody knows the topic; `502` if nobody answered.
pub(crate) async fn topic_nodes(
    cluster: &Cluster,
    topic: &str,
    warnings: &mut Warnings,
) -> Result<Vec<Node>, Failure> {
    const NOT_FOUND: &str = "TOPIC_NOT_FOUND";
    let found = warnings.take(cluster.topic_nodes(topic).await);
    let nodes = found.map_err(|none| failed_or_not_found(none, NOT_FOUND))?;
    if nodes.is_empty() && cluster.entry() == Daemons::Nsqds {
        return Err(warnings.not_found(NOT_FOUND));
    }
    Ok(nodes)
}

/// The node with this name: `address:port` of its HTTP.
///
/// # Errors
///
/// `404 NODE_NOT_FOUND`; `502` if nobody answered.
pub(crate) async fn known_node(
    cluster: &Cluster,
    name: &str,
    warnings: &mut Warnings,
) -> Result<Node, Failure> {
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let found = nodes.into_iter().find(|node| node.http_address() == name || node.address == name);
    found.ok_or_else(|| warnings.not_found("NODE_NOT_FOUND"))
}

/// Statistics of these nodes; no node, no statistics.
///
/// # Errors
///
/// `502` if nobody answered.
pub(crate) async fn stats_of(
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
