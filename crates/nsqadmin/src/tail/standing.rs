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
    /// It has no channel but those of tails. What is published waits in the topic for the first
    /// one, which would get it all.
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
        match topic.channels.iter().any(|channel| !is_of_tail(&channel.channel_name)) {
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
        for (channels, paused, expected) in [
            (&[][..], false, Standing::WithoutChannel),
            (&[&*tail], true, Standing::WithoutChannel),
            (&["archive"], false, Standing::Open),
            (&[&*tail, "archive"], true, Standing::Paused),
            (&["tail000001#ephemeral"], false, Standing::Open),
            (&["admin_tail_x"], false, Standing::Open),
        ] {
            let channels = channels.iter().map(|name| ChannelStats {
                channel_name: (*name).to_owned(),
                ..ChannelStats::default()
            });
            let channels = channels.collect();
            let topic = TopicStats { channels, paused, ..TopicStats::default() };
            let standing = Standing::of(Some(&topic));
            assert_eq!(standing, expected);
            assert_eq!(standing.can_be_tailed(), !matches!(expected, Standing::WithoutChannel));
        }
    }
}
