//! Body of `GET /info`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::nanoseconds;

/// Who an nsqd is and what it allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Info {
    /// NSQ version the node is compatible with, e.g. `1.3.0`.
    pub version: String,
    /// Address the node announces to nsqlookupd.
    pub broadcast_address: String,
    /// Host name from the operating system.
    pub hostname: String,
    /// Port really bound for HTTP; -1 for a unix socket, 0 when only HTTPS serves.
    pub http_port: i32,
    /// Port really bound for the TCP protocol; -1 for a unix socket.
    pub tcp_port: i32,
    /// Unix seconds.
    pub start_time: i64,
    /// Longest heartbeat interval a client may ask for.
    #[serde(with = "nanoseconds")]
    pub max_heartbeat_interval: Duration,
    /// Largest output buffer a client may ask for, in bytes.
    pub max_output_buffer_size: i64,
    /// Longest output buffer timeout a client may ask for.
    #[serde(with = "nanoseconds")]
    pub max_output_buffer_timeout: Duration,
    /// Highest deflate level a client may ask for, 1 to 9.
    pub max_deflate_level: i32,
    /// Zone the node is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_zone: String,
    /// Region the node is in; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_region: String,
}
