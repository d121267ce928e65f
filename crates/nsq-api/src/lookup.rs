//! Bodies of nsqlookupd's endpoints.

use serde::{Deserialize, Serialize};

use crate::host_port;

/// An nsqd as nsqlookupd tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Producer {
    /// Where its connection to nsqlookupd comes from.
    pub remote_address: String,
    /// Host name from its operating system.
    pub hostname: String,
    /// Address under which others reach it.
    pub broadcast_address: String,
    /// Port for the TCP protocol.
    pub tcp_port: i64,
    /// Port for HTTP.
    pub http_port: i64,
    /// NSQ version it is compatible with.
    pub version: String,
    /// Zone it is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_zone: String,
    /// Region it is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_region: String,
}

/// Body of `GET /lookup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lookup {
    /// Names of the topic's channels.
    pub channels: Vec<String>,
    /// The nsqd nodes that serve it.
    pub producers: Vec<Producer>,
}

/// One nsqd of `GET /nodes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupNode {
    /// Who it is.
    #[serde(flatten)]
    pub producer: Producer,
    /// Whether it is hidden from consumers of the topic at the same place in `topics`.
    pub tombstones: Vec<bool>,
    /// The topics it serves.
    pub topics: Vec<String>,
}

/// Body of `GET /nodes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupNodes {
    /// All that are connected.
    pub producers: Vec<LookupNode>,
}

/// Body of nsqlookupd's `GET /topics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupTopics {
    /// Names of all topics.
    pub topics: Vec<String>,
}

/// Body of nsqlookupd's `GET /channels`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupChannels {
    /// Names of the topic's channels.
    pub channels: Vec<String>,
}

/// Body of nsqlookupd's `GET /info`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupInfo {
    /// NSQ version the daemon is compatible with.
    pub version: String,
}

/// Body of nsqd's `IDENTIFY` to nsqlookupd; keys sorted, as Go NSQ has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupIdentify {
    /// What others shall call the node.
    pub broadcast_address: String,
    /// Host name from the operating system.
    pub hostname: String,
    /// Port for HTTP.
    pub http_port: i32,
    /// Port for the TCP protocol.
    pub tcp_port: i32,
    /// Left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_region: String,
    /// Left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_zone: String,
    /// NSQ version the node is compatible with.
    pub version: String,
}

/// nsqlookupd's answer to `IDENTIFY`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupIdentity {
    /// Address under which others reach it.
    pub broadcast_address: String,
    /// Host name from its operating system.
    pub hostname: String,
    /// Port really bound for HTTP.
    pub http_port: u16,
    /// Port really bound for TCP.
    pub tcp_port: u16,
    /// NSQ version it is compatible with.
    pub version: String,
}

impl LookupIdentity {
    /// `host:port` for HTTP; an IPv6 address has its brackets.
    #[must_use]
    pub fn http_host(&self) -> String {
        host_port::join(&self.broadcast_address, self.http_port)
    }
}

/// A registration's producer in nsqlookupd's `GET /debug`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DebugProducer {
    /// Address under which others reach it.
    pub broadcast_address: String,
    /// Host name from its operating system.
    pub hostname: String,
    /// Port for HTTP.
    pub http_port: i64,
    /// The connection: its remote address.
    pub id: String,
    /// When it was last heard of, in nanoseconds since 1970.
    pub last_update: i64,
    /// Port for the TCP protocol.
    pub tcp_port: i64,
    /// Whether it was hidden, though that may be long ago.
    pub tombstoned: bool,
    /// When, in nanoseconds since 1970; Go's zero time for never.
    pub tombstoned_at: i64,
    /// Region it is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_region: String,
    /// Zone it is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_zone: String,
    /// NSQ version it is compatible with.
    pub version: String,
}
