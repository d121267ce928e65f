//! What became of one subject over time.

/// Whose figures a chart shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// All nodes.
    Cluster,
    /// By name.
    Topic(String),
    /// By the names of its topic and its own.
    Channel(String, String),
    /// By `address:port` of its HTTP.
    Node(String),
}

/// Lists of the same length, oldest first. None where nothing is known: the node did not answer,
/// the subject was not there, or there was nothing yet to compare with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Chart {
    /// When it was looked, in seconds since 1970.
    pub(crate) times_s: Vec<i64>,
    /// Messages published per second; for a channel, put into it.
    pub(crate) rate: Vec<Option<f32>>,
    /// Messages waiting, for topics and nodes with those in channels.
    pub(crate) depth: Vec<Option<f32>>,
    pub(crate) in_flight: Vec<Option<f32>>,
    pub(crate) deferred: Vec<Option<f32>>,
    /// Per second.
    pub(crate) requeues: Vec<Option<f32>>,
    /// Per second.
    pub(crate) timeouts: Vec<Option<f32>>,
}
