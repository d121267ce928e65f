//! The statistics of one node.

use super::Node;
use super::ask::query_value;
use crate::{Stats, TopicStats};

/// Which statistics are wanted. The default is all of them, without clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsQuery {
    /// Only this topic.
    pub topic: Option<String>,
    /// Only this channel of the topic.
    pub channel: Option<String>,
    /// With the clients of every channel, which may be many.
    pub include_clients: bool,
}

/// What a node counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeStats {
    /// Which node.
    pub node: Node,
    /// When it was started, in seconds since 1970. Counts begin anew then.
    pub start_time: i64,
    /// The topics that were asked for.
    pub topics: Vec<TopicStats>,
}

impl StatsQuery {
    /// Path and query.
    pub(super) fn target(&self) -> String {
        let mut target = "/stats?format=json".to_owned();
        if let Some(topic) = &self.topic {
            target.push_str(&format!("&topic={}", query_value(topic)));
        }
        if let Some(channel) = &self.channel {
            target.push_str(&format!("&channel={}", query_value(channel)));
        }
        if !self.include_clients {
            target.push_str("&include_clients=false");
        }
        target
    }

    /// What was asked for, also of an old node that always says everything.
    pub(super) fn select(&self, node: Node, stats: Stats) -> NodeStats {
        let mut topics = stats.topics.unwrap_or_default();
        if let Some(topic) = &self.topic {
            topics.retain(|found| found.topic_name == *topic);
        }
        if let Some(channel) = &self.channel {
            for topic in &mut topics {
                topic.channels.retain(|found| found.channel_name == *channel);
            }
        }
        NodeStats { node, start_time: stats.start_time, topics }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelStats;

    #[test]
    fn targets() {
        let all = StatsQuery::default();
        assert_eq!(all.target(), "/stats?format=json&include_clients=false");
        let one = StatsQuery {
            topic: Some("t#ephemeral".to_owned()),
            channel: Some("c".to_owned()),
            include_clients: true,
        };
        assert_eq!(one.target(), "/stats?format=json&topic=t%23ephemeral&channel=c");
    }

    #[test]
    fn what_was_not_asked_for_is_left_out() {
        let channel =
            |name: &str| ChannelStats { channel_name: name.to_owned(), ..ChannelStats::default() };
        let topic = |name: &str| TopicStats {
            topic_name: name.to_owned(),
            channels: vec![channel("c"), channel("d")],
            ..TopicStats::default()
        };
        let stats = Stats { topics: Some(vec![topic("t"), topic("u")]), ..Stats::default() };
        let query = StatsQuery {
            topic: Some("u".to_owned()),
            channel: Some("d".to_owned()),
            include_clients: false,
        };
        let selected = query.select(Node::default(), stats.clone());
        let [topic] = &*selected.topics else { panic!("{selected:?}") };
        assert_eq!((&*topic.topic_name, topic.channels.len()), ("u", 1));
        assert_eq!(topic.channels[0].channel_name, "d");
        let all = StatsQuery::default().select(Node::default(), stats);
        assert_eq!(all.topics.len(), 2);
    }
}
