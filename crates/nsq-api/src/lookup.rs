//! What nsqd and nsqlookupd tell each other.

use serde::{Deserialize, Serialize};

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

/// Answer to it: who the nsqlookupd is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LookupInfo {
    /// What nsqd shall call it when it asks over HTTP.
    pub broadcast_address: String,
    /// Host name from the operating system.
    pub hostname: String,
    /// Port for HTTP.
    pub http_port: i32,
    /// Port for the TCP protocol.
    pub tcp_port: i32,
    /// NSQ version it is compatible with.
    pub version: String,
}

impl LookupInfo {
    /// `host:port` for HTTP; an IPv6 address has its brackets.
    #[must_use]
    pub fn http_host(&self) -> String {
        let Self { broadcast_address, http_port, .. } = self;
        if broadcast_address.contains(':') && !broadcast_address.starts_with('[') {
            format!("[{broadcast_address}]:{http_port}")
        } else {
            format!("{broadcast_address}:{http_port}")
        }
    }
}

/// Body of nsqlookupd's `GET /channels`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelList {
    /// Names, ephemeral ones included.
    pub channels: Vec<String>,
}
