//! What one nsqlookupd was told, and what it must be told next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nsq_proto::{ChannelName, TopicName};

/// A line of nsqlookupd's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Register(TopicName, Option<ChannelName>),
    Unregister(TopicName, Option<ChannelName>),
}

/// A topic as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present {
    /// Tells a topic from an older one of the same name.
    pub(super) life: u64,
    pub(super) channels: BTreeSet<ChannelName>,
}

/// What was announced over one connection.
///
/// Announcements are differences between what was said and what is, so any number of changes in any
/// order ends with what is true. Go NSQ sends events from tasks of their own, which overtake each
/// other: a topic that is alive may vanish (nsqio/nsq issue 182).
#[derive(Debug, Default)]
pub(super) struct Announced {
    topics: BTreeMap<TopicName, Present>,
}

impl Announced {
    /// The topics that were announced.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.keys()
    }

    /// What must be said so that nsqlookupd knows this topic as it is `now`; none if it is gone.
    ///
    /// A topic that was deleted and created again is unregistered first: that takes away the
    /// tombstone, behind which the new one would stay hidden (nsqio/nsq issue 1009).
    pub(super) fn update(&mut self, name: &TopicName, now: Option<Present>) -> Vec<Command> {
        let mut commands = Vec::new();
        let before = self.topics.remove(name);
        let same_life = matches!((&before, &now), (Some(b), Some(n)) if b.life == n.life);
        if let Some(before) = before.as_ref().filter(|_| !same_life) {
            let channels = before.channels.iter().cloned();
            commands.extend(channels.map(|c| Command::Unregister(name.clone(), Some(c))));
            commands.push(Command::Unregister(name.clone(), None));
        }
        let Some(now) = now else { return commands };
        let nothing = BTreeSet::new();
        let before = before.as_ref().filter(|_| same_life);
        let said = before.map_or(&nothing, |before| &before.channels);
        let gone = said.difference(&now.channels).cloned();
        commands.extend(gone.map(|channel| Command::Unregister(name.clone(), Some(channel))));
        if before.is_none() && now.channels.is_empty() {
            commands.push(Command::Register(name.clone(), None));
        }
        let new = now.channels.difference(said).cloned();
        commands.extend(new.map(|channel| Command::Register(name.clone(), Some(channel))));
        self.topics.insert(name.clone(), now);
        commands
    }

    /// What was said of this topic, to be said once more: nsqlookupd may have lost it.
    pub(super) fn repeat(&self, name: &TopicName) -> Vec<Command> {
        let Some(said) = self.topics.get(name) else { return Vec::new() };
        if said.channels.is_empty() {
            return vec![Command::Register(name.clone(), None)];
        }
        let channels = said.channels.iter().cloned();
        channels.map(|channel| Command::Register(name.clone(), Some(channel))).collect()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, topic, channel) = match self {
            Self::Register(topic, channel) => ("REGISTER", topic, channel),
            Self::Unregister(topic, channel) => ("UNREGISTER", topic, channel),
        };
        match channel {
            Some(channel) => write!(out, "{verb} {topic} {channel}"),
            None => write!(out, "{verb} {topic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Life and channels of a topic that is there, and the lines that must be sent.
    type Step<'a> = (Option<(u64, &'a str)>, &'a [&'a str]);

    fn check(steps: &[Step<'_>]) {
        let name = TopicName::parse(b"t").expect("a name");
        let mut announced = Announced::default();
        for (now, expected) in steps {
            let now = now.map(|(life, channels)| Present {
                life,
                channels: channels
                    .split_whitespace()
                    .map(|channel| ChannelName::parse(channel.as_bytes()).expect("a name"))
                    .collect(),
            });
            let commands = announced.update(&name, now);
            let lines: Vec<_> = commands.iter().map(ToString::to_string).collect();
            assert_eq!(lines, *expected, "{steps:?}");
        }
    }

    #[test]
    fn channels_come_and_go() {
        check(&[
            (Some((1, "")), &["REGISTER t"]),
            (Some((1, "a b")), &["REGISTER t a", "REGISTER t b"]),
            (Some((1, "a b")), &[]),
            (Some((1, "b c")), &["UNREGISTER t a", "REGISTER t c"]),
            (None, &["UNREGISTER t b", "UNREGISTER t c", "UNREGISTER t"]),
            (None, &[]),
        ]);
    }

    #[test]
    fn a_topic_with_channels_is_announced_with_them() {
        check(&[(Some((1, "a b")), &["REGISTER t a", "REGISTER t b"])]);
    }

    #[test]
    fn a_topic_created_again_leaves_its_tombstone_behind() {
        check(&[
            (Some((1, "a")), &["REGISTER t a"]),
            (Some((2, "a")), &["UNREGISTER t a", "UNREGISTER t", "REGISTER t a"]),
            (Some((3, "")), &["UNREGISTER t a", "UNREGISTER t", "REGISTER t"]),
        ]);
    }

    #[test]
    fn what_was_said_can_be_repeated() {
        let name = TopicName::parse(b"t").expect("a name");
        let mut announced = Announced::default();
        for (channels, expected) in [("", "REGISTER t"), ("a", "REGISTER t a")] {
            let channels = ChannelName::parse(channels.as_bytes()).into_iter().collect();
            announced.update(&name, Some(Present { life: 1, channels }));
            let lines: Vec<_> = announced.repeat(&name).iter().map(ToString::to_string).collect();
            assert_eq!(lines, [expected]);
        }
        announced.update(&name, None);
        assert_eq!(announced.repeat(&name), []);
    }
}
