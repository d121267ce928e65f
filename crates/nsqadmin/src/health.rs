//! What is wrong with the cluster.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem::Discriminant;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};

use crate::chart::Subject;
use crate::growth::{self, Growth, growth};
use crate::history::History;
use crate::overview::{ChannelOverview, NodeOverview, Overview, TopicOverview};

/// How many findings are told; of the others only how many there are.
const FINDINGS_MAX: usize = 200;
/// What a healthy nsqd says.
const HEALTHY: &str = "OK";

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

/// What is wrong, worst first, and how many more findings there are. `before` is what was found in
/// the look before; none if there was none.
pub(crate) fn findings(
    overview: &Overview,
    history: &History,
    before: Option<&[Finding]>,
) -> (Vec<Finding>, usize) {
    let known = before.unwrap_or_default();
    let growing = known.iter().filter_map(Finding::growing).collect();
    let mut found = Found { history, growing, troubles: Vec::new() };
    for node in &overview.nodes {
        found.node(node);
    }
    found.cluster(overview);
    for (name, topic) in &overview.topics {
        found.topic(name, topic);
    }
    let mut troubles = found.troubles;
    let rank = |(severity, what): &(Severity, Trouble)| (*severity, what.rank());
    // Those that are alike stay in the order of their names.
    troubles.sort_by_key(rank);
    let others = troubles.split_off(troubles.len().min(FINDINGS_MAX)).len();
    let since = known.iter().map(|finding| (finding.what.key(), finding.since));
    let since: HashMap<_, _> = since.collect();
    let new_since = before.map(|_| overview.taken);
    let findings = troubles.into_iter().map(|(severity, what)| {
        let since = since.get(&what.key()).copied().unwrap_or(new_since);
        Finding { severity, what, since }
    });
    (findings.collect(), others)
}

type Key<'a> = (Discriminant<Trouble>, &'a str, &'a str);

struct Found<'a> {
    history: &'a History,
    /// Topics with channels, or with none, that were growing before.
    growing: HashSet<(&'a str, &'a str)>,
    troubles: Vec<(Severity, Trouble)>,
}

impl Found<'_> {
    fn add(&mut self, severity: Severity, what: Trouble) {
        self.troubles.push((severity, what));
    }

    fn node(&mut self, seen: &NodeOverview) {
        let node = seen.node.http_address();
        match &seen.failure {
            Some(reason) => {
                let reason = reason.clone();
                self.add(Severity::Problem, Trouble::NodeUnreachable { node, reason });
            }
            // An old nsqd says nothing of it.
            None if seen.health == HEALTHY || seen.health.is_empty() => {}
            None => {
                let says = seen.health.clone();
                self.add(Severity::Problem, Trouble::NodeUnhealthy { node, says });
            }
        }
    }

    fn cluster(&mut self, overview: &Overview) {
        for (address, reason) in &overview.lookupd_failures {
            let (address, reason) = (address.clone(), reason.clone());
            self.add(Severity::Problem, Trouble::LookupdUnreachable { address, reason });
        }
        for gone in &overview.gone {
            let (node, unseen) = (gone.node.clone(), gone.unseen);
            self.add(Severity::Warning, Trouble::NodeGone { node, unseen });
        }
        let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
        for seen in &overview.nodes {
            if !seen.node.version.is_empty() {
                *versions.entry(&seen.node.version).or_default() += 1;
            }
        }
        if versions.len() > 1 {
            let versions = versions.into_iter().map(|(version, count)| (version.to_owned(), count));
            self.add(Severity::Notice, Trouble::VersionMix { versions: versions.collect() });
        }
    }

    fn topic(&mut self, name: &str, topic: &TopicOverview) {
        let (own, depth) = (name.to_owned(), topic.depth);
        // Of what waits in the topic itself there is no history, so all has to do when it is most.
        let is_most = depth > 0 && depth.saturating_mul(2) > topic.total_depth();
        if topic.paused {
            let severity = paused(depth);
            self.add(severity, Trouble::TopicPaused { topic: own, depth });
        } else if is_most {
            let growth = self.growth(name, None);
            if topic.channels.is_empty() {
                let severity = unattended(growth);
                self.add(severity, Trouble::NoChannel { topic: own, depth });
            } else {
                self.grows(name, None, growth);
            }
        }
        for (channel, figures) in &topic.channels {
            self.channel(name, channel, figures);
        }
    }

    fn channel(&mut self, topic: &str, name: &str, channel: &ChannelOverview) {
        let (of, own, depth) = (topic.to_owned(), name.to_owned(), channel.depth);
        if channel.paused {
            let what = Trouble::ChannelPaused { topic: of, channel: own, depth };
            return self.add(paused(depth), what);
        }
        let growth = (depth > 0).then(|| self.growth(topic, Some(name))).flatten();
        if channel.client_count > 0 {
            self.grows(topic, Some(name), growth);
        } else if depth > 0 || channel.rate > 0.0 {
            let what = Trouble::NoConsumers { topic: of, channel: own, depth };
            self.add(unattended(growth), what);
        }
    }

    fn grows(&mut self, topic: &str, channel: Option<&str>, growth: Option<Growth>) {
        if let Some(Growth { from, to, over }) = growth {
            let (topic, channel) = (topic.to_owned(), channel.map(ToOwned::to_owned));
            let what = Trouble::GrowingDepth { topic, channel, from, to, over };
            self.add(Severity::Problem, what);
        }
    }

    /// Of a channel, or of a topic.
    fn growth(&self, topic: &str, channel: Option<&str>) -> Option<Growth> {
        let was_growing = self.growing.contains(&(topic, channel.unwrap_or_default()));
        let subject = match channel {
            Some(channel) => Subject::Channel(topic.to_owned(), channel.to_owned()),
            None => Subject::Topic(topic.to_owned()),
        };
        let depths = self.history.depths(&subject, growth::WINDOW, growth::PARTS);
        growth(&depths, was_growing)
    }
}

/// Messages that wait make a pause worth a look.
fn paused(depth: i64) -> Severity {
    if depth > 0 { Severity::Warning } else { Severity::Notice }
}

/// Nobody takes the messages: the more come, the worse.
fn unattended(growth: Option<Growth>) -> Severity {
    if growth.is_some() { Severity::Problem } else { Severity::Warning }
}

impl Finding {
    /// The topic and channel that it says is growing, in one way or another.
    fn growing(&self) -> Option<(&str, &str)> {
        match &self.what {
            Trouble::GrowingDepth { .. } => {}
            Trouble::NoConsumers { .. } | Trouble::NoChannel { .. }
                if self.severity == Severity::Problem => {}
            _ => return None,
        }
        let (_, topic, channel) = self.what.key();
        Some((topic, channel))
    }
}

impl Trouble {
    /// What makes it the same trouble in another look, whatever the figures.
    fn key(&self) -> Key<'_> {
        let (name, part) = match self {
            Self::NodeUnreachable { node, .. }
            | Self::NodeUnhealthy { node, .. }
            | Self::NodeGone { node, .. } => (&**node, ""),
            Self::LookupdUnreachable { address, .. } => (&**address, ""),
            Self::GrowingDepth { topic, channel, .. } => {
                (&**topic, channel.as_deref().unwrap_or_default())
            }
            Self::NoConsumers { topic, channel, .. }
            | Self::ChannelPaused { topic, channel, .. } => (&**topic, &**channel),
            Self::NoChannel { topic, .. } | Self::TopicPaused { topic, .. } => (&**topic, ""),
            Self::VersionMix { .. } => ("", ""),
        };
        (std::mem::discriminant(self), name, part)
    }

    /// Which comes first when they are equally bad, and of one kind the deepest.
    fn rank(&self) -> (u8, std::cmp::Reverse<i64>) {
        let (rank, depth) = match self {
            Self::NodeUnreachable { .. } => (0, 0),
            Self::NodeUnhealthy { .. } => (1, 0),
            Self::LookupdUnreachable { .. } => (2, 0),
            Self::NodeGone { .. } => (3, 0),
            Self::GrowingDepth { to, .. } => (4, *to),
            Self::NoConsumers { depth, .. } => (5, *depth),
            Self::NoChannel { depth, .. } => (6, *depth),
            Self::TopicPaused { depth, .. } => (7, *depth),
            Self::ChannelPaused { depth, .. } => (8, *depth),
            Self::VersionMix { .. } => (9, 0),
        };
        (rank, std::cmp::Reverse(depth))
    }
}

fn as_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(duration.as_secs())
}

#[cfg(test)]
mod tests;
