//! How fast things change between two looks at the cluster.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{ChannelTotals, NodeStats, TopicTotals, Totals};

/// What was done in each second between two looks. Only nodes that were seen both times and not
/// started anew meanwhile count: a node that comes back brings all it ever counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rates {
    /// By name; of all topics that were there the second time.
    pub topics: BTreeMap<String, TopicRates>,
}

/// One topic's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicRates {
    /// Messages published.
    pub ingress: f64,
    /// Messages that went on to the channels.
    pub egress: f64,
    /// The bodies of those published, in bytes.
    pub ingress_bytes: f64,
    /// By name.
    pub channels: BTreeMap<String, ChannelRates>,
}

/// One channel's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ChannelRates {
    /// Messages put into it.
    pub ingress: f64,
    /// Messages that left the queue, also for being requeued, dropped or emptied.
    pub egress: f64,
    /// REQ commands.
    pub requeues: f64,
    /// In-flight timeouts.
    pub timeouts: f64,
}

impl Rates {
    /// What changed from one look to the next, `elapsed` later.
    #[must_use]
    pub fn between(before: &[NodeStats], after: &[NodeStats], elapsed: Duration) -> Self {
        let seen_twice = |node: &&NodeStats| before.iter().any(|old| is_same_run(old, node));
        let old = before.iter().filter(|old| after.iter().any(|node| is_same_run(old, node)));
        let (old, new) = (Totals::of(old), Totals::of(after.iter().filter(seen_twice)));
        let topics = Totals::of(after).topics.into_iter().map(|(name, topic)| {
            let rates = TopicRates::between(old.topics.get(&name), new.topics.get(&name), elapsed);
            let channel = |channel: String| {
                let (old, new) = (old.channel(&name, &channel), new.channel(&name, &channel));
                (channel, ChannelRates::between(old, new, elapsed))
            };
            let channels = topic.channels.into_keys().map(channel).collect();
            (name.clone(), TopicRates { channels, ..rates })
        });
        Self { topics: topics.collect() }
    }

    /// One channel, if any node has it.
    #[must_use]
    pub fn channel(&self, topic: &str, channel: &str) -> Option<&ChannelRates> {
        self.topics.get(topic)?.channels.get(channel)
    }
}

impl TopicRates {
    fn between(old: Option<&TopicTotals>, new: Option<&TopicTotals>, elapsed: Duration) -> Self {
        let none = TopicTotals::default();
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
        let ingress = change(old.message_count, new.message_count);
        Self {
            ingress: per_second(ingress, elapsed),
            egress: per_second(ingress - change(old.depth, new.depth), elapsed),
            ingress_bytes: per_second(change(old.message_bytes, new.message_bytes), elapsed),
            channels: BTreeMap::new(),
        }
    }
}

impl ChannelRates {
    fn between(
        old: Option<&ChannelTotals>,
        new: Option<&ChannelTotals>,
        elapsed: Duration,
    ) -> Self {
        let none = ChannelTotals::default();
        let (old, new) = (old.unwrap_or(&none), new.unwrap_or(&none));
        let ingress = change(old.message_count, new.message_count);
        Self {
            ingress: per_second(ingress, elapsed),
            egress: per_second(ingress - change(old.depth, new.depth), elapsed),
            requeues: per_second(change(old.requeue_count, new.requeue_count), elapsed),
            timeouts: per_second(change(old.timeout_count, new.timeout_count), elapsed),
        }
    }
}

fn is_same_run(old: &NodeStats, new: &NodeStats) -> bool {
    old.node.address == new.node.address && old.start_time == new.start_time
}

/// Wide enough for the difference of any two counts, and of two such differences.
fn change<N: Into<i128>>(old: N, new: N) -> i128 {
    new.into() - old.into()
}

fn per_second(change: i128, elapsed: Duration) -> f64 {
    // No time at all, no rate.
    if elapsed.is_zero() { 0.0 } else { change as f64 / elapsed.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use super::*;
    use crate::{ChannelStats, TopicStats};

    fn node(address: &str, start_time: i64, messages: u64, depth: i64) -> NodeStats {
        let channel = ChannelStats {
            channel_name: "c".to_owned(),
            message_count: messages,
            requeue_count: messages / 10,
            depth,
            ..ChannelStats::default()
        };
        let topic = TopicStats {
            topic_name: "t".to_owned(),
            message_count: messages,
            message_bytes: messages * 7,
            channels: vec![channel],
            ..TopicStats::default()
        };
        let node = Node { address: address.to_owned(), ..Node::default() };
        NodeStats { node, start_time, topics: vec![topic] }
    }

    #[track_caller]
    fn check(before: &[NodeStats], after: &[NodeStats], ingress: f64, egress: f64) {
        let rates = Rates::between(before, after, Duration::from_secs(2));
        let channel = rates.channel("t", "c").expect("it is there");
        assert_eq!((channel.ingress, channel.egress), (ingress, egress));
        let topic = &rates.topics["t"];
        assert_eq!((topic.ingress, topic.egress, topic.ingress_bytes), {
            (ingress, ingress, ingress * 7.0)
        });
    }

    #[test]
    fn changes_of_all_nodes_are_summed() {
        let before = [node("a", 1, 100, 10), node("b", 1, 50, 0)];
        let after = [node("b", 1, 54, 1), node("a", 1, 110, 30)];
        check(&before, &after, 7.0, -3.5);
        let rates = Rates::between(&before, &after, Duration::from_secs(2));
        assert_eq!(rates.channel("t", "c").map(|channel| channel.requeues), Some(0.5));
        assert_eq!(Rates::between(&before, &after, Duration::ZERO).topics["t"].ingress, 0.0);
    }

    #[test]
    fn nodes_that_come_go_or_start_anew_are_no_traffic() {
        let old = [node("a", 1, 100, 10), node("b", 1, 5000, 0)];
        let new = [node("a", 1, 102, 10), node("b", 1, 9000, 0)];
        let started_anew = [new[0].clone(), node("b", 2, 3, 0)];
        check(&old[..1], &new, 1.0, 1.0);
        check(&old, &new[..1], 1.0, 1.0);
        check(&old, &started_anew, 1.0, 1.0);
        check(&[], &old, 0.0, 0.0);
    }

    #[test]
    fn a_new_channel_of_a_known_node_begins_at_zero() {
        let mut before = node("a", 1, 100, 10);
        before.topics.clear();
        check(&[before], &[node("a", 1, 100, 10)], 50.0, 45.0);
        assert!(Rates::between(&[node("a", 1, 1, 1)], &[], Duration::MAX).topics.is_empty());
    }

    #[test]
    fn absurd_counts_are_no_panic() {
        let (none, most) = (node("a", 1, 0, i64::MIN), node("a", 1, u64::MAX / 7, i64::MAX));
        for (before, after) in [(most.clone(), none.clone()), (none, most)] {
            let rates = Rates::between(&[before], &[after], Duration::from_nanos(1));
            assert!(rates.topics["t"].ingress.is_finite());
        }
    }
}
