//! What one look at the cluster shows.

use std::time::Duration;

use nsq_api::cluster::{Cluster, Failure, NodeStats, Rates, StatsQuery, Totals};
use tokio::time::Instant;

use crate::harmless;

/// Looks again and again, and compares.
pub(super) struct Lookout {
    cluster: Cluster,
    before: Option<(Instant, Vec<NodeStats>)>,
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    /// By name.
    pub(super) topics: Vec<TopicRow>,
    /// How many nsqd answered.
    pub(super) node_count: usize,
    /// Who did not answer, each with why.
    pub(super) failures: Vec<String>,
}

/// A topic over all nodes, with its channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TopicRow {
    pub(super) row: Row,
    /// By name.
    pub(super) channels: Vec<Row>,
}

/// The numbers of a topic or channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) is_paused: bool,
    pub(super) depth: i64,
    /// Messages a second; none on the first look.
    pub(super) ingress: Option<f64>,
    pub(super) egress: Option<f64>,
    /// What only channels have.
    pub(super) consumed: Option<Consumed>,
}

/// What consumers do with a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Consumed {
    pub(super) in_flight: i64,
    pub(super) deferred: i64,
    pub(super) clients: i64,
    pub(super) requeues: u64,
    pub(super) timeouts: u64,
}

impl Lookout {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self { cluster, before: None }
    }

    /// Asks all nodes.
    pub(super) async fn look(&mut self) -> Look {
        let nodes = self.cluster.nodes().await;
        let stats = self.cluster.stats(&nodes.data, &StatsQuery::default()).await;
        let now = Instant::now();
        let before = self.before.as_ref();
        let before = before.map(|(then, stats)| (&**stats, now.duration_since(*then)));
        let mut look = Look::between(before, &stats.data);
        look.failures = nodes.failures.iter().chain(&stats.failures).map(reason).collect();
        self.before = Some((now, stats.data));
        look
    }
}

impl Look {
    fn between(before: Option<(&[NodeStats], Duration)>, after: &[NodeStats]) -> Self {
        let rates = before.map(|(before, elapsed)| Rates::between(before, after, elapsed));
        let topics = Totals::of(after).topics.into_iter().map(|(name, topic)| {
            let rates = rates.as_ref().and_then(|rates| rates.topics.get(&name));
            let channels = topic.channels.iter().map(|(name, channel)| {
                let rates = rates.and_then(|rates| rates.channels.get(name));
                Row {
                    name: clean(name),
                    is_paused: channel.paused,
                    depth: channel.depth,
                    ingress: rates.map(|rates| rates.ingress),
                    egress: rates.map(|rates| rates.egress),
                    consumed: Some(Consumed {
                        in_flight: channel.in_flight_count,
                        deferred: channel.deferred_count,
                        clients: channel.client_count,
                        requeues: channel.requeue_count,
                        timeouts: channel.timeout_count,
                    }),
                }
            });
            let channels = channels.collect();
            let row = Row {
                name: clean(&name),
                is_paused: topic.paused,
                depth: topic.depth,
                ingress: rates.map(|rates| rates.ingress),
                egress: rates.map(|rates| rates.egress),
                consumed: None,
            };
            TopicRow { row, channels }
        });
        Self { topics: topics.collect(), node_count: after.len(), failures: Vec::new() }
    }

    pub(super) fn channel_count(&self) -> usize {
        self.topics.iter().map(|topic| topic.channels.len()).sum()
    }
}

fn reason(failure: &Failure) -> String {
    clean(&format!("{}: {}", failure.address, failure.error)).replace(['\n', '\t'], " ")
}

/// Whoever answers may say anything, and it is shown on a terminal.
fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    harmless::append(text.as_bytes(), "", "", &mut cleaned);
    cleaned
}

#[cfg(test)]
mod tests {
    use nsq_api::{ChannelStats, TopicStats};

    use super::*;

    fn stats(messages: u64, depth: i64) -> NodeStats {
        let channel = ChannelStats {
            channel_name: "c\u{1b}[2J".to_owned(),
            depth,
            message_count: messages,
            in_flight_count: 3,
            deferred_count: 2,
            client_count: 1,
            requeue_count: 7,
            timeout_count: 5,
            paused: true,
            ..ChannelStats::default()
        };
        let topic = TopicStats {
            topic_name: "t".to_owned(),
            message_count: messages,
            channels: vec![channel],
            ..TopicStats::default()
        };
        NodeStats { topics: vec![topic], ..NodeStats::default() }
    }

    #[test]
    fn numbers_and_rates() {
        let first = Look::between(None, &[stats(10, 4)]);
        assert_eq!((first.node_count, first.channel_count()), (1, 1));
        assert_eq!(first.topics[0].row.ingress, None);
        let before = [stats(10, 4)];
        let second = Look::between(Some((&before, Duration::from_secs(2))), &[stats(30, 10)]);
        let TopicRow { row, channels } = &second.topics[0];
        assert_eq!((&*row.name, row.ingress, row.consumed), ("t", Some(10.0), None));
        let consumed = Consumed { in_flight: 3, deferred: 2, clients: 1, requeues: 7, timeouts: 5 };
        let expected = Row {
            name: "c\\x1b[2J".to_owned(),
            is_paused: true,
            depth: 10,
            ingress: Some(10.0),
            egress: Some(7.0),
            consumed: Some(consumed),
        };
        assert_eq!(*channels, [expected]);
    }
}
