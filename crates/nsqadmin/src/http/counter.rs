//! How many messages each channel got on each node: in a large cluster, a million numbers.

use std::borrow::Cow;
use std::sync::Arc;

use nsq_api::cluster::{NodeStats, StatsQuery};
use nsq_app::http::{Answer, HandlerResult, Request};
use serde::{Serialize, Serializer};

use crate::admin::Admin;
use crate::upstream::{Warnings, failed};
use crate::view::Selection;

#[derive(Serialize)]
struct CounterView {
    #[serde(serialize_with = "by_key")]
    stats: Vec<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    message: String,
}

/// The messages of one channel on one node. The key has all names in it.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    /// `topic:channel:node`
    key: String,
    topic_end: usize,
    channel_end: usize,
    message_count: u64,
}

/// A count as it is shown.
#[derive(Serialize)]
struct CountView<'a> {
    node: &'a str,
    topic_name: &'a str,
    channel_name: &'a str,
    message_count: u64,
}

/// What is selected is selected by its key.
pub(super) async fn show(admin: Arc<Admin>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let selection = Selection::of(&query)?;
    let wanted = |key| query.first(key).map(Cow::into_owned).filter(|name| !name.is_empty());
    let (topic, channel) = (wanted("topic"), wanted("channel"));
    let stats_query = StatsQuery { topic, channel, include_clients: false };
    let (cluster, mut warnings) = (admin.cluster(), Warnings::default());
    let nodes = warnings.take(cluster.nodes().await).map_err(failed)?;
    let mut counts = Vec::new();
    if !nodes.is_empty() {
        let of_nodes = cluster.stats_as(&nodes, &stats_query, counts_of).await;
        counts = merged(warnings.take(of_nodes).map_err(failed)?);
    }
    let page = selection.apply(counts, |count| &count.key);
    Answer::json(&CounterView {
        stats: page.items,
        total: page.said_total,
        message: warnings.message(),
    })
}

/// The counts of one node.
fn counts_of(stats: NodeStats) -> Vec<Count> {
    let node = stats.node.http_address();
    let mut counts = Vec::new();
    for topic in stats.topics {
        for channel in topic.channels {
            let mut key = topic.topic_name.clone();
            let topic_end = key.len();
            key.push(':');
            key.push_str(&channel.channel_name);
            let channel_end = key.len();
            key.push(':');
            key.push_str(&node);
            key.shrink_to_fit();
            let message_count = channel.message_count;
            counts.push(Count { key, topic_end, channel_end, message_count });
        }
    }
    counts
}

/// All counts, sorted, each key once.
fn merged(of_nodes: Vec<Vec<Count>>) -> Vec<Count> {
    let mut counts: Vec<_> = of_nodes.into_iter().flatten().collect();
    counts.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    counts.dedup_by(|later, first| later.key == first.key);
    counts
}

fn by_key<S: Serializer>(counts: &[Count], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|count| (&count.key, count.view())))
}

impl Count {
    fn view(&self) -> CountView<'_> {
        let (names, node) = self.key.split_at_checked(self.channel_end).unwrap_or_default();
        let (topic_name, channel) = names.split_at_checked(self.topic_end).unwrap_or_default();
        CountView {
            node: node.strip_prefix(':').unwrap_or_default(),
            topic_name,
            channel_name: channel.strip_prefix(':').unwrap_or_default(),
            message_count: self.message_count,
        }
    }
}

#[cfg(test)]
mod tests {
    use nsq_api::cluster::Node;
    use nsq_api::{ChannelStats, TopicStats};

    use super::*;

    fn stats(port: i64, names: &[(&str, &str)]) -> NodeStats {
        let node = Node { broadcast_address: "::1".to_owned(), http_port: port, ..Node::default() };
        let topic = |(topic, channel): &(&str, &str)| TopicStats {
            topic_name: (*topic).to_owned(),
            channels: vec![ChannelStats {
                channel_name: (*channel).to_owned(),
                message_count: 7,
                ..ChannelStats::default()
            }],
            ..TopicStats::default()
        };
        NodeStats { node, topics: names.iter().map(topic).collect(), ..NodeStats::default() }
    }

    /// Names come from outside, whatever is in them.
    #[test]
    fn names_are_told_from_each_other() {
        let names = [("b", "c"), ("a-b", ""), ("a", ":é:"), ("a", ":é:")];
        let counts = merged(vec![counts_of(stats(2, &names)), counts_of(stats(1, &names[..1]))]);
        let views: Vec<_> = counts.iter().map(Count::view).collect();
        let seen = views.iter().map(|view| (view.topic_name, view.channel_name, view.node));
        let expected = [
            ("a-b", "", "[::1]:2"),
            ("a", ":é:", "[::1]:2"),
            ("b", "c", "[::1]:1"),
            ("b", "c", "[::1]:2"),
        ];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(counts[0].key, "a-b::[::1]:2");
        assert!(views.iter().all(|view| view.message_count == 7));
    }
}
