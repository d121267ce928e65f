//! The JSON that is answered: what nodes said, each and together.
//!
//! Field order is the order on the wire. An object for many nodes has the node `*`.

mod channel;
mod client;
mod latency;
mod node;
mod selection;
mod topic;

pub(crate) use channel::{ChannelView, merged_channels};
pub(crate) use client::ClientView;
pub(crate) use latency::{LatencyView, PercentileView};
pub(crate) use node::NodeView;
pub(crate) use selection::Selection;
pub(crate) use topic::TopicView;

use nsq_api::cluster::Node;

/// The node of what many nodes have.
pub(crate) const ALL_NODES: &str = "*";

/// Whose figures these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// `address:port` of its HTTP.
    pub(crate) address: String,
    pub(crate) hostname: String,
}

impl From<&Node> for Owner {
    fn from(node: &Node) -> Self {
        Self { address: node.http_address(), hostname: node.hostname.clone() }
    }
}
