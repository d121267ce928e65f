//! A channel on one node, or on all.

use std::collections::BTreeMap;
use std::time::SystemTime;

use nsq_api::ChannelStats;
use serde::Serialize;

use super::{ALL_NODES, ClientView, LatencyView, Owner};

/// One channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChannelView {
    pub(crate) node: String,
    pub(crate) hostname: String,
    pub(crate) topic_name: String,
    pub(crate) channel_name: String,
    pub(crate) depth: i64,
    pub(crate) memory_depth: i64,
    pub(crate) backend_depth: i64,
    pub(crate) in_flight_count: i64,
    pub(crate) deferred_count: i64,
    pub(crate) requeue_count: u64,
    pub(crate) timeout_count: u64,
    pub(crate) message_count: u64,
    pub(crate) client_count: i64,
    /// Only when merged.
    pub(crate) nodes: Option<Vec<Self>>,
    pub(crate) clients: Option<Vec<ClientView>>,
    pub(crate) paused: bool,
    pub(crate) e2e_processing_latency: Option<LatencyView>,
}

impl ChannelView {
    /// What one node says, with its clients if they were asked for.
    pub(crate) fn of_node(owner: &Owner, topic: &str, stats: ChannelStats) -> Self {
        let now = SystemTime::now();
        let clients = stats.clients.map(|clients| {
            let view = |client| ClientView::new(owner, client, now);
            clients.into_iter().map(view).collect()
        });
        Self {
            node: owner.address.clone(),
            hostname: owner.hostname.clone(),
            topic_name: topic.to_owned(),
            channel_name: stats.channel_name,
            depth: stats.depth,
            memory_depth: stats.depth.saturating_sub(stats.backend_depth),
            backend_depth: stats.backend_depth,
            in_flight_count: stats.in_flight_count,
            deferred_count: stats.deferred_count,
            requeue_count: stats.requeue_count,
            timeout_count: stats.timeout_count,
            message_count: stats.message_count,
            client_count: stats.client_count,
            nodes: None,
            clients,
            paused: stats.paused,
            e2e_processing_latency: Some(LatencyView::of_node(&stats.e2e_processing_latency)),
        }
    }

    /// What all nodes say, which come sorted by host name. There may be none.
    pub(crate) fn merged(topic: &str, channel: &str, nodes: Vec<Self>) -> Self {
        let mut merged = Self::nothing(topic, channel);
        let mut clients = Vec::new();
        for node in &nodes {
            merged.add(node);
            clients.extend(node.clients.iter().flatten().cloned());
        }
        clients.sort_by(|a, b| a.hostname.cmp(&b.hostname));
        if !nodes.is_empty() {
            let latencies = nodes.iter().filter_map(|node| node.e2e_processing_latency.as_ref());
            let latency = LatencyView::merged(topic, channel, latencies);
            merged.e2e_processing_latency = Some(latency);
        }
        merged.clients = Some(clients).filter(|clients| !clients.is_empty());
        merged.nodes = Some(nodes).filter(|nodes| !nodes.is_empty());
        merged
    }

    fn nothing(topic: &str, channel: &str) -> Self {
        Self {
            node: ALL_NODES.to_owned(),
            hostname: String::new(),
            topic_name: topic.to_owned(),
            channel_name: channel.to_owned(),
            depth: 0,
            memory_depth: 0,
            backend_depth: 0,
            in_flight_count: 0,
            deferred_count: 0,
            requeue_count: 0,
            timeout_count: 0,
            message_count: 0,
            client_count: 0,
            nodes: None,
            clients: None,
            paused: false,
            e2e_processing_latency: None,
        }
    }

    /// Adds the figures of a node; what other daemons claim may be anything.
    fn add(&mut self, node: &Self) {
        self.depth = self.depth.saturating_add(node.depth);
        self.memory_depth = self.memory_depth.saturating_add(node.memory_depth);
        self.backend_depth = self.backend_depth.saturating_add(node.backend_depth);
        self.in_flight_count = self.in_flight_count.saturating_add(node.in_flight_count);
        self.deferred_count = self.deferred_count.saturating_add(node.deferred_count);
        self.requeue_count = self.requeue_count.saturating_add(node.requeue_count);
        self.timeout_count = self.timeout_count.saturating_add(node.timeout_count);
        self.message_count = self.message_count.saturating_add(node.message_count);
        self.client_count = self.client_count.saturating_add(node.client_count);
        self.paused |= node.paused;
    }
}

/// The channels of all nodes, by name. One that a single node has stays as that node tells it.
pub(crate) fn merged_channels<'a>(
    topic: &str,
    channels: impl IntoIterator<Item = &'a ChannelView>,
) -> Vec<ChannelView> {
    let mut by_name: BTreeMap<&str, Vec<ChannelView>> = BTreeMap::new();
    for channel in channels {
        by_name.entry(&channel.channel_name).or_default().push(channel.clone());
    }
    let merge = |(name, mut nodes): (&str, Vec<ChannelView>)| match nodes.len() {
        1 => nodes.remove(0),
        _ => ChannelView::merged(topic, name, nodes),
    };
    by_name.into_iter().map(merge).collect()
}

#[cfg(test)]
mod tests {
    use nsq_api::ClientStats;

    use super::*;

    fn node(address: &str, channel: &str, depth: i64, clients: &[&str]) -> ChannelView {
        let owner = Owner { address: address.to_owned(), hostname: "h".to_owned() };
        let client =
            |name: &&str| ClientStats { hostname: (*name).to_owned(), ..ClientStats::default() };
        let stats = ChannelStats {
            channel_name: channel.to_owned(),
            depth,
            backend_depth: 1,
            message_count: 10,
            clients: Some(clients.iter().map(client).collect()),
            paused: depth == 2,
            ..ChannelStats::default()
        };
        ChannelView::of_node(&owner, "t", stats)
    }

    #[test]
    fn all_nodes_are_summed_and_stay_what_they_are() {
        let nodes = vec![node("a:1", "c", 5, &["z", "b"]), node("b:1", "c", 2, &["m"])];
        let merged = ChannelView::merged("t", "c", nodes.clone());
        assert_eq!((&*merged.node, &*merged.hostname), ("*", ""));
        assert_eq!((merged.depth, merged.memory_depth, merged.backend_depth), (7, 5, 2));
        assert_eq!((merged.message_count, merged.paused), (20, true));
        let clients = merged.clients.expect("there are some");
        assert_eq!(clients.iter().map(|c| &*c.hostname).collect::<Vec<_>>(), ["b", "m", "z"]);
        assert_eq!(merged.nodes, Some(nodes));
    }

    #[test]
    fn channels_are_merged_by_name() {
        let channels =
            [node("a:1", "d", 1, &[]), node("a:1", "c", 1, &[]), node("b:1", "c", 1, &[])];
        let merged = merged_channels("t", &channels);
        let [c, d] = &*merged else { panic!("{merged:?}") };
        assert_eq!((&*c.channel_name, &*c.node, c.depth), ("c", "*", 2));
        assert_eq!(c.nodes.as_deref(), Some(&channels[1..]));
        assert_eq!(d, &channels[0]);
    }

    #[test]
    fn absurd_figures_are_no_panic() {
        let huge = node("a:1", "c", i64::MIN, &[]);
        let merged = ChannelView::merged("t", "c", vec![huge.clone(), huge]);
        assert_eq!((merged.depth, merged.memory_depth), (i64::MIN, i64::MIN));
    }
}
