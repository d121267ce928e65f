//! What is wrong with the cluster.

use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) what: Trouble,
    /// When it was found first; none if it was so when the first look was taken.
    pub(crate) since: Option<SystemTime>,
}

/// Worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Messages may be late, or lost from sight; somebody should look.
    Problem,
    /// It may be wanted, or become a problem.
    Warning,
    /// Good to know.
    Notice,
}

/// What is wrong; the data only, for whoever puts it into words.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Trouble {
    /// No statistics from an nsqd.
    NodeUnreachable {
        node: String,
        reason: String,
    },
    /// An nsqd says that it is not well.
    NodeUnhealthy {
        node: String,
        says: String,
    },
    /// An nsqd was there and nobody tells of it any more.
    NodeGone {
        node: String,
        #[serde(rename = "unseen_s", serialize_with = "as_seconds")]
        unseen: Duration,
    },
    /// An nsqlookupd does not answer.
    LookupdUnreachable {
        address: String,
        reason: String,
    },
    /// More comes than goes.
    GrowingDepth {
        topic: String,
        /// None for what waits in the topic itself.
        channel: Option<String>,
        from: i64,
        to: i64,
        #[serde(rename = "over_s", serialize_with = "as_seconds")]
        over: Duration,
    },
    /// A channel has messages and nobody to take them.
    NoConsumers {
        topic: String,
        channel: String,
        depth: i64,
    },
    /// A topic has messages and no channel.
    NoChannel {
        topic: String,
        depth: i64,
    },
    /// With all messages that wait in the topic itself.
    TopicPaused {
        topic: String,
        depth: i64,
    },
    ChannelPaused {
        topic: String,
        channel: String,
        depth: i64,
    },
    /// Versions with how many nodes have each.
    VersionMix {
        versions: Vec<(String, usize)>,
    },
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}
