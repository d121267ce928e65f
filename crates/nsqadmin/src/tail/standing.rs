//! Whether a topic may be tailed on a node.

use nsq_api::TopicStats;

/// What the channels of tails are called: this, a random number, and [`SUFFIX`].
const PREFIX: &str = "admin_tail_";
const SUFFIX: &str = "#ephemeral";

/// How a topic stands on one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The node does not have it: subscribing would create it.
    Absent,
    /// It has no channel that stays: none but those of tails, and ephemeral ones, which go with
    /// their consumers, unless the topic is ephemeral itself. Where there is no channel at all,
    /// what is published waits in the topic for the first one, which gets it all.
    WithoutChannel,
    /// It can be tailed, though nothing comes while it is paused.
    Paused,
    /// It can be tailed.
    Open,
}

impl Standing {
    /// By what the node says of the topic, if it has it.
    pub(crate) fn of(topic: Option<&TopicStats>) -> Self {
        let Some(topic) = topic else { return Self::Absent };
        let is_of_tail = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
        let is_temporary = topic.topic_name.ends_with(SUFFIX);
        let stays = |name: &str| match is_temporary {
            true => !is_of_tail(name),
            false => !name.ends_with(SUFFIX),
        };
        match topic.channels.iter().any(|channel| stays(&channel.channel_name)) {
            false => Self::WithoutChannel,
            true if topic.paused => Self::Paused,
            true => Self::Open,
        }
    }

    /// Whether a tail takes nothing from anybody.
    pub(crate) fn can_be_tailed(self) -> bool {
        matches!(self, Self::Paused | Self::Open)
    }
}

/// The name of a new channel.
pub(super) fn channel_name(number: u64) -> String {
    format!("{PREFIX}{number:016x}{SUFFIX}")
}

#[cfg(test)]
mod tests {
    use nsq_api::ChannelStats;
    use nsq_proto::ChannelName;

    use super::*;

    #[test]
    fn standings() {
        let tail = channel_name(u64::MAX);
        assert!(ChannelName::parse(tail.as_bytes()).is_ok(), "{tail}");
        assert_eq!(Standing::of(None), Standing::Absent);
        for (topic_name, channels, paused, expected) in [
            ("t", &[][..], false, Standing::WithoutChannel),
            ("t", &[&*tail], true, Standing::WithoutChannel),
            ("t", &["archive"], false, Standing::Open),
            ("t", &[&*tail, "archive"], true, Standing::Paused),
            ("t", &["tail000001#ephemeral"], false, Standing::WithoutChannel),
            ("t", &["admin_tail_x"], false, Standing::Open),
            ("t#ephemeral", &["live#ephemeral"], false, Standing::Open),
            ("t#ephemeral", &[&*tail], false, Standing::WithoutChannel),
        ] {
            let channels = channels.iter().map(|name| ChannelStats {
                channel_name: (*name).to_owned(),
                ..ChannelStats::default()
            });
            let channels = channels.collect();
            let topic_name = topic_name.to_owned();
            let topic = TopicStats { topic_name, channels, paused, ..TopicStats::default() };
            let standing = Standing::of(Some(&topic));
            assert_eq!(standing, expected);
            assert_eq!(standing.can_be_tailed(), !matches!(expected, Standing::WithoutChannel));
        }
    }
}
