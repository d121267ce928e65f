//! An nsqd in the list of all.

use nsq_api::cluster::{Node, NodeTopic};
use serde::Serialize;

/// One nsqd.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NodeView {
    /// `null` without nsqlookupd.
    remote_addresses: Option<Vec<String>>,
    remote_address: String,
    hostname: String,
    broadcast_address: String,
    tcp_port: i64,
    http_port: i64,
    version: String,
    topics: Option<Vec<NodeTopicView>>,
    out_of_date: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct NodeTopicView {
    topic: String,
    tombstoned: bool,
}

impl From<Node> for NodeView {
    fn from(node: Node) -> Self {
        let topic =
            |topic: NodeTopic| NodeTopicView { topic: topic.name, tombstoned: topic.is_tombstoned };
        let topics: Vec<_> = node.topics.into_iter().map(topic).collect();
        Self {
            remote_addresses: Some(node.remote_addresses).filter(|list| !list.is_empty()),
            remote_address: node.remote_address,
            hostname: node.hostname,
            broadcast_address: node.broadcast_address,
            tcp_port: node.tcp_port,
            http_port: node.http_port,
            version: node.version,
            topics: Some(topics).filter(|topics| !topics.is_empty()),
            out_of_date: node.is_out_of_date,
        }
    }
}
