//! What one client published, by topic.

use std::collections::BTreeMap;

use nsq_api::PublishCount;
use nsq_proto::TopicName;

/// Topics that are counted one by one; what a client publishes to more than these is counted
/// together, so that a client with ever new topics does not make its entry grow for ever.
const TOPICS_MAX: usize = 10_000;

/// Messages that one client published.
#[derive(Debug, Default)]
pub(crate) struct Published {
    by_topic: BTreeMap<TopicName, u64>,
    elsewhere: u64,
}

impl Published {
    /// Adds `messages` published to `topic`.
    pub(crate) fn add(&mut self, topic: &TopicName, messages: u64) {
        if let Some(count) = self.by_topic.get_mut(topic) {
            *count += messages;
        } else if self.by_topic.len() < TOPICS_MAX {
            self.by_topic.insert(topic.clone(), messages);
        } else {
            self.elsewhere += messages;
        }
    }

    /// Whether nothing was published.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    /// The count of one topic, if anything was published to it.
    pub(crate) fn of(&self, topic: &str) -> Option<PublishCount> {
        self.by_topic.get_key_value(topic).map(count)
    }

    /// All counts by name of the topic; last, without a name, of those that have none of their own.
    pub(crate) fn all(&self) -> Vec<PublishCount> {
        let elsewhere = PublishCount { topic: String::new(), count: self.elsewhere };
        let elsewhere = Some(elsewhere).filter(|elsewhere| elsewhere.count > 0);
        self.by_topic.iter().map(count).chain(elsewhere).collect()
    }
}

fn count((topic, &count): (&TopicName, &u64)) -> PublishCount {
    PublishCount { topic: topic.to_string(), count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: usize) -> TopicName {
        TopicName::parse(format!("topic-{number:06}").as_bytes()).expect("a valid name")
    }

    #[test]
    fn no_client_makes_it_grow_for_ever() {
        let mut published = Published::default();
        assert!(published.is_empty());
        for number in 0..TOPICS_MAX + 3 {
            published.add(&topic(number), 2);
        }
        published.add(&topic(TOPICS_MAX + 1), 1);
        published.add(&topic(7), 1);
        let all = published.all();
        assert_eq!(all.len(), TOPICS_MAX + 1);
        assert_eq!(all[7], PublishCount { topic: "topic-000007".to_owned(), count: 3 });
        assert_eq!(all.last(), Some(&PublishCount { topic: String::new(), count: 7 }));
        assert_eq!(published.of("topic-000001").map(|count| count.count), Some(2));
        assert_eq!(published.of("topic-010001"), None);
    }
}
