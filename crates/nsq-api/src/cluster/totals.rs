//! Statistics summed over nodes.

use std::collections::BTreeMap;

use super::NodeStats;
use crate::{ChannelStats, TopicStats};

/// All topics over all nodes, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By name.
    pub topics: BTreeMap<String, TopicTotals>,
}

/// One topic over all nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicTotals {
    /// How many nodes have it.
    pub node_count: usize,
    /// Messages waiting in the topic itself.
    pub depth: i64,
    /// The part of `depth` that is on disk.
    pub backend_depth: i64,
    /// Messages published.
    pub message_count: u64,
    /// Sum of their body sizes, in bytes.
    pub message_bytes: u64,
    /// Whether it is paused on any node.
    pub paused: bool,
    /// By name.
    pub channels: BTreeMap<String, ChannelTotals>,
}

/// One channel over all nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelTotals {
    /// How many nodes have it.
    pub node_count: usize,
    /// Messages waiting, without those in flight or deferred.
    pub depth: i64,
    /// The part of `depth` that is on disk.
    pub backend_depth: i64,
    /// Messages delivered and not answered.
    pub in_flight_count: i64,
    /// Messages waiting for their due time.
    pub deferred_count: i64,
    /// Messages put into the channel.
    pub message_count: u64,
    /// REQ commands.
    pub requeue_count: u64,
    /// In-flight timeouts.
    pub timeout_count: u64,
    /// Connected consumers.
    pub client_count: i64,
    /// Whether it is paused on any node.
    pub paused: bool,
}

impl Totals {
    /// Sums up.
    #[must_use]
    pub fn of<'a>(nodes: impl IntoIterator<Item = &'a NodeStats>) -> Self {
        let mut totals = Self::default();
        for topic in nodes.into_iter().flat_map(|node| &node.topics) {
            totals.topics.entry(topic.topic_name.clone()).or_default().add(topic);
        }
        totals
    }

    /// One channel, if any node has it.
    #[must_use]
    pub fn channel(&self, topic: &str, channel: &str) -> Option<&ChannelTotals> {
        self.topics.get(topic)?.channels.get(channel)
    }
}

impl TopicTotals {
    /// The part of `depth` that is in memory.
    #[must_use]
    pub fn memory_depth(&self) -> i64 {
        self.depth.saturating_sub(self.backend_depth)
    }

    fn add(&mut self, topic: &TopicStats) {
        self.node_count += 1;
        // What other daemons claim may be anything.
        self.depth = self.depth.saturating_add(topic.depth);
        self.backend_depth = self.backend_depth.saturating_add(topic.backend_depth);
        self.message_count = self.message_count.saturating_add(topic.message_count);
        self.message_bytes = self.message_bytes.saturating_add(topic.message_bytes);
        self.paused |= topic.paused;
        for channel in &topic.channels {
            self.channels.entry(channel.channel_name.clone()).or_default().add(channel);
        }
    }
}

impl ChannelTotals {
    /// The part of `depth` that is in memory.
    #[must_use]
    pub fn memory_depth(&self) -> i64 {
        self.depth.saturating_sub(self.backend_depth)
    }

    fn add(&mut self, channel: &ChannelStats) {
        self.node_count += 1;
        self.depth = self.depth.saturating_add(channel.depth);
        self.backend_depth = self.backend_depth.saturating_add(channel.backend_depth);
        self.in_flight_count = self.in_flight_count.saturating_add(channel.in_flight_count);
        self.deferred_count = self.deferred_count.saturating_add(channel.deferred_count);
        self.message_count = self.message_count.saturating_add(channel.message_count);
        self.requeue_count = self.requeue_count.saturating_add(channel.requeue_count);
        self.timeout_count = self.timeout_count.saturating_add(channel.timeout_count);
        self.client_count = self.client_count.saturating_add(channel.client_count);
        self.paused |= channel.paused;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(topic: &str, depth: i64, channels: &[(&str, ChannelStats)]) -> NodeStats {
        let channels = channels.iter().map(|(name, channel)| ChannelStats {
            channel_name: (*name).to_owned(),
            ..channel.clone()
        });
        let topic = TopicStats {
            topic_name: topic.to_owned(),
            channels: channels.collect(),
            depth,
            message_count: 10,
            ..TopicStats::default()
        };
        NodeStats { topics: vec![topic], ..NodeStats::default() }
    }

    #[test]
    fn nodes_are_summed() {
        let first = ChannelStats {
            depth: 5,
            backend_depth: 3,
            in_flight_count: 1,
            message_count: 100,
            requeue_count: 7,
            client_count: 2,
            ..ChannelStats::default()
        };
        let second = ChannelStats {
            depth: 1,
            deferred_count: 4,
            message_count: 1,
            timeout_count: 2,
            paused: true,
            ..ChannelStats::default()
        };
        let totals = Totals::of(&[
            node("t", 1, &[("c", first)]),
            node("t", 2, &[("c", second.clone()), ("d", second.clone())]),
            node("u", 3, &[]),
        ]);
        let expected = ChannelTotals {
            node_count: 2,
            depth: 6,
            backend_depth: 3,
            in_flight_count: 1,
            deferred_count: 4,
            message_count: 101,
            requeue_count: 7,
            timeout_count: 2,
            client_count: 2,
            paused: true,
        };
        assert_eq!(totals.channel("t", "c"), Some(&expected));
        assert_eq!(expected.memory_depth(), 3);
        assert_eq!(totals.channel("t", "d").map(|d| d.node_count), Some(1));
        assert_eq!(totals.channel("u", "c"), None);
        assert_eq!(totals.channel("v", "c"), None);
        let topic = &totals.topics["t"];
        assert_eq!((topic.node_count, topic.depth, topic.message_count), (2, 3, 20));
    }

    #[test]
    fn absurd_counts_are_no_panic() {
        let huge = ChannelStats { message_count: u64::MAX, depth: i64::MIN, ..second() };
        let totals = Totals::of(&[node("t", 0, &[("c", huge.clone()), ("c", huge)])]);
        let channel = totals.channel("t", "c").expect("it is there");
        assert_eq!((channel.message_count, channel.depth), (u64::MAX, i64::MIN));
        assert_eq!(channel.memory_depth(), i64::MIN);
    }

    fn second() -> ChannelStats {
        ChannelStats { backend_depth: 1, ..ChannelStats::default() }
    }
}
