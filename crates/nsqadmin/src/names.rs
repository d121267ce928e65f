//! All topics and channels that were seen, each with a number and with what was summed up of it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use nsq_proto::{ChannelName, TopicName};

use crate::overview::{ChannelOverview, TopicOverview};

/// How many topics and channels are watched at most.
pub(crate) const SUBJECTS_MAX: usize = 100_000;

/// The topics and channels of a cluster. A number is given again when its subject is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Names {
    topics: HashMap<String, TopicEntry>,
    /// How many numbers were ever in use at once.
    numbers: u32,
    free: Vec<u32>,
    /// How many subjects of nodes did not fit, or have no valid name, in this look.
    omitted: usize,
}

/// A topic.
#[derive(Debug)]
pub(crate) struct TopicEntry {
    pub(crate) number: u32,
    seen_at: Duration,
    /// Its channels are not here.
    pub(crate) sums: TopicOverview,
    channels: HashMap<String, ChannelEntry>,
}

/// A channel.
#[derive(Debug)]
pub(crate) struct ChannelEntry {
    pub(crate) number: u32,
    seen_at: Duration,
    pub(crate) sums: ChannelOverview,
}

impl Names {
    /// The topic, new if it has to be; none if there are too many, or if that is no name.
    pub(crate) fn topic(&mut self, name: &str, at: Duration) -> Option<&mut TopicEntry> {
        if !self.topics.contains_key(name) {
            let is_valid = TopicName::parse(name.as_bytes()).is_ok();
            let number = is_valid.then(|| self.number()).flatten();
            let Some(number) = number else {
                self.omitted += 1;
                return None;
            };
            let entry = TopicEntry {
                number,
                seen_at: at,
                sums: TopicOverview::default(),
                channels: HashMap::new(),
            };
            self.topics.insert(name.to_owned(), entry);
        }
        let entry = self.topics.get_mut(name)?;
        entry.seen_at = at;
        Some(entry)
    }

    /// A channel of a topic that is there, likewise.
    pub(crate) fn channel(
        &mut self,
        topic: &str,
        name: &str,
        at: Duration,
    ) -> Option<&mut ChannelEntry> {
        if !self.topics.get(topic)?.channels.contains_key(name) {
            let is_valid = ChannelName::parse(name.as_bytes()).is_ok();
            let number = is_valid.then(|| self.number()).flatten();
            let Some(number) = number else {
                self.omitted += 1;
                return None;
            };
            let sums = ChannelOverview::default();
            let entry = ChannelEntry { number, seen_at: at, sums };
            self.topics.get_mut(topic)?.channels.insert(name.to_owned(), entry);
        }
        let entry = self.topics.get_mut(topic)?.channels.get_mut(name)?;
        entry.seen_at = at;
        Some(entry)
    }

    /// The sums of all that was seen, which begin at zero again; and how much was omitted.
    pub(crate) fn take_sums(&mut self) -> (BTreeMap<String, TopicOverview>, usize) {
        let mut topics = BTreeMap::new();
        for (name, topic) in &mut self.topics {
            let sums = std::mem::take(&mut topic.sums);
            let mut channels = BTreeMap::new();
            for (name, channel) in &mut topic.channels {
                let sums = std::mem::take(&mut channel.sums);
                if sums.node_count > 0 {
                    channels.insert(name.clone(), sums);
                }
            }
            if sums.node_count > 0 {
                topics.insert(name.clone(), TopicOverview { channels, ..sums });
            }
        }
        (topics, std::mem::take(&mut self.omitted))
    }

    /// Forgets what nobody has had since `before`.
    pub(crate) fn forget(&mut self, before: Duration) {
        let free = &mut self.free;
        self.topics.retain(|_, topic| {
            topic.channels.retain(|_, channel| {
                let stays = channel.seen_at >= before;
                if !stays {
                    free.push(channel.number);
                }
                stays
            });
            let stays = topic.seen_at >= before || !topic.channels.is_empty();
            if !stays {
                free.push(topic.number);
            }
            stays
        });
    }

    fn number(&mut self) -> Option<u32> {
        let fresh = self.numbers;
        self.free.pop().or_else(|| {
            ((fresh as usize) < SUBJECTS_MAX).then(|| {
                self.numbers += 1;
                fresh
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn numbers_stay_and_are_given_again_when_forgotten() {
        let mut names = Names::default();
        let mut topic = |name: &str, at| names.topic(name, AT(at)).map(|topic| topic.number);
        assert_eq!((topic("a", 1), topic("b", 1), topic("a", 5)), (Some(0), Some(1), Some(0)));
        assert_eq!((topic("*", 1), topic("", 1)), (None, None));
        let mut channel = |name: &str, at| names.channel("a", name, AT(at)).map(|c| c.number);
        assert_eq!((channel("b", 5), channel("c", 1), channel("c d", 1)), {
            (Some(2), Some(3), None)
        });
        assert!(names.channel("x", "c", AT(1)).is_none());
        names.forget(AT(5));
        // Those of b and of a's c, and a new one.
        let mut again =
            ["e", "f", "g"].map(|name| names.topic(name, AT(9)).map(|topic| topic.number));
        again.sort_unstable();
        assert_eq!(again, [Some(1), Some(3), Some(4)]);
        assert_eq!(names.take_sums(), (BTreeMap::new(), 3));
        assert_eq!(names.take_sums().1, 0);
    }

    #[test]
    fn there_are_not_too_many() {
        let mut names = Names::default();
        for number in 0..SUBJECTS_MAX + 5 {
            names.topic(&format!("t{number}"), AT(1));
        }
        assert!(names.topic("t0", AT(1)).is_some() && names.channel("t0", "c", AT(1)).is_none());
        assert_eq!((names.topics.len(), names.take_sums().1), (SUBJECTS_MAX, 6));
    }
}
