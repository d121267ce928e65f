//! A topic on one node, or on all.

use nsq_api::TopicStats;
use serde::Serialize;

use super::{ALL_NODES, ChannelView, LatencyView, Owner, merged_channels};

/// One topic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TopicView {
    node: String,
    hostname: String,
    pub(crate) topic_name: String,
    depth: i64,
    memory_depth: i64,
    backend_depth: i64,
    pub(crate) message_count: u64,
    /// Only when merged.
    nodes: Option<Vec<Self>>,
    pub(crate) channels: Option<Vec<ChannelView>>,
    paused: bool,
    e2e_processing_latency: Option<LatencyView>,
}

impl TopicView {
    /// What one node says.
    pub(crate) fn of_node(owner: &Owner, stats: TopicStats) -> Self {
        let topic = &stats.topic_name;
        let channel = |channel| ChannelView::of_node(owner, topic, channel);
        Self {
            node: owner.address.clone(),
            hostname: owner.hostname.clone(),
            depth: stats.depth,
            memory_depth: stats.depth.saturating_sub(stats.backend_depth),
            backend_depth: stats.backend_depth,
            message_count: stats.message_count,
            nodes: None,
            channels: Some(stats.channels.into_iter().map(channel).collect()),
            paused: stats.paused,
            e2e_processing_latency: Some(LatencyView::of_node(&stats.e2e_processing_latency)),
            topic_name: stats.topic_name,
        }
    }

    /// What all nodes say, which come sorted by host name. There may be none.
    pub(crate) fn merged(topic: &str, nodes: Vec<Self>) -> Self {
        let channels = nodes.iter().flat_map(|node| node.channels.iter().flatten());
        let channels = merged_channels(topic, channels);
        let mut merged = Self {
            node: ALL_NODES.to_owned(),
            hostname: String::new(),
            topic_name: topic.to_owned(),
            depth: 0,
            memory_depth: 0,
            backend_depth: 0,
            message_count: 0,
            nodes: None,
            channels: Some(channels).filter(|channels| !channels.is_empty()),
            paused: false,
            e2e_processing_latency: None,
        };
        for node in &nodes {
            // What other daemons claim may be anything.
            merged.depth = merged.depth.saturating_add(node.depth);
            merged.memory_depth = merged.memory_depth.saturating_add(node.memory_depth);
            merged.backend_depth = merged.backend_depth.saturating_add(node.backend_depth);
            merged.message_count = merged.message_count.saturating_add(node.message_count);
            merged.paused |= node.paused;
        }
        if !nodes.is_empty() {
            let latencies = nodes.iter().filter_map(|node| node.e2e_processing_latency.as_ref());
            merged.e2e_processing_latency = Some(LatencyView::merged(topic, "", latencies));
            merged.nodes = Some(nodes);
        }
        merged
    }
}
