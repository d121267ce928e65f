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
    #[serde(skip_serializing_if = "NodeTopics::are_left_out")]
    topics: NodeTopics,
    out_of_date: bool,
}

/// `null` says that there are none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum NodeTopics {
    LeftOut,
    Listed(Option<Vec<NodeTopicView>>),
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct NodeTopicView {
    topic: String,
    tombstoned: bool,
}

impl NodeTopics {
    fn are_left_out(&self) -> bool {
        *self == Self::LeftOut
    }
}

impl NodeView {
    /// The same without its topics, which may be thousands.
    pub(crate) fn without_topics(self) -> Self {
        Self { topics: NodeTopics::LeftOut, ..self }
    }
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
            topics: NodeTopics::Listed(Some(topics).filter(|topics| !topics.is_empty())),
            out_of_date: node.is_out_of_date,
        }
    }
}
