//! The cluster at one moment, merged over its nodes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use nsq_api::cluster::Node;

use crate::health::Finding;

/// What one look at the cluster has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Overview {
    /// When the look was over.
    pub(crate) taken: SystemTime,
    /// How long it took.
    pub(crate) took: Duration,
    /// Sorted by host name and address; with those that did not answer.
    pub(crate) nodes: Vec<NodeOverview>,
    /// Those that any node has, by name.
    pub(crate) topics: BTreeMap<String, TopicOverview>,
    /// The nsqlookupd that did not answer: address and reason.
    pub(crate) lookupd_failures: Vec<(String, String)>,
    /// Nodes that were there within the history and are told of no more.
    pub(crate) gone: Vec<GoneNode>,
    /// What could not be seen, as sentences; a few of them when there are many.
    pub(crate) failures: Vec<String>,
    /// What is wrong, worst first; the worst when there are many.
    pub(crate) findings: Vec<Finding>,
    /// How many more findings there are.
    pub(crate) other_findings: usize,
}

/// One nsqd. What is counted is none if it did not answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct NodeOverview {
    /// Without its topics.
    pub(crate) node: Node,
    pub(crate) topic_count: usize,
    pub(crate) channel_count: usize,
    /// Consumers.
    pub(crate) client_count: i64,
    /// Messages waiting in its topics and channels.
    pub(crate) depth: i64,
    pub(crate) in_flight_count: i64,
    pub(crate) deferred_count: i64,
    /// Messages published.
    pub(crate) message_count: u64,
    /// Whether it was seen before in the same run; else the rates are 0.
    pub(crate) has_rates: bool,
    /// Messages published per second.
    pub(crate) rate: f64,
    pub(crate) requeue_rate: f64,
    pub(crate) timeout_rate: f64,
    /// `OK`, or what it says instead.
    pub(crate) health: String,
    /// Seconds since 1970.
    pub(crate) start_time: i64,
    /// Why nothing is known of it.
    pub(crate) failure: Option<String>,
}

/// A node that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GoneNode {
    /// `address:port` of its HTTP.
    pub(crate) node: String,
    /// How long ago it was seen.
    pub(crate) unseen: Duration,
}

/// One topic over all nodes that have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TopicOverview {
    pub(crate) node_count: usize,
    /// Messages waiting in the topic itself.
    pub(crate) depth: i64,
    /// The part of `depth` that is on disk.
    pub(crate) backend_depth: i64,
    /// Messages published.
    pub(crate) message_count: u64,
    /// On any node.
    pub(crate) paused: bool,
    /// Whether any of its nodes was seen before in the same run; else the rate is 0.
    pub(crate) has_rates: bool,
    /// Messages published per second.
    pub(crate) rate: f64,
    /// By name.
    pub(crate) channels: BTreeMap<String, ChannelOverview>,
}

/// One channel over all nodes that have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ChannelOverview {
    pub(crate) node_count: usize,
    /// Messages waiting, without those in flight or deferred.
    pub(crate) depth: i64,
    /// The part of `depth` that is on disk.
    pub(crate) backend_depth: i64,
    pub(crate) in_flight_count: i64,
    pub(crate) deferred_count: i64,
    pub(crate) requeue_count: u64,
    pub(crate) timeout_count: u64,
    /// Messages put into it.
    pub(crate) message_count: u64,
    /// Consumers.
    pub(crate) client_count: i64,
    /// On any node.
    pub(crate) paused: bool,
    /// Whether any of its nodes was seen before in the same run; else the rates are 0.
    pub(crate) has_rates: bool,
    /// Messages put into it per second.
    pub(crate) rate: f64,
    /// Messages that left it per second: finished, or emptied or dropped.
    pub(crate) finish_rate: f64,
    pub(crate) requeue_rate: f64,
    pub(crate) timeout_rate: f64,
}

impl TopicOverview {
    /// Messages waiting in the topic and in its channels.
    pub(crate) fn total_depth(&self) -> i64 {
        let channels = self.channels.values().map(|channel| channel.depth);
        channels.fold(self.depth, i64::saturating_add)
    }
}
