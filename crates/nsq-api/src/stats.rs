//! Body of `GET /stats?format=json`.
//!
//! Lists are `Option<Vec<_>>` where NSQ distinguishes an absent list (`null`) from an empty one
//! (`[]`); the field says which appears when.

use serde::{Deserialize, Serialize};

/// Everything one nsqd reports about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// NSQ version the node is compatible with.
    pub version: String,
    /// `OK`, or `NOK - ` and the last write error.
    pub health: String,
    /// Unix seconds.
    pub start_time: i64,
    /// Sorted by name. `None` when the topic filter names an unknown topic, empty when there are
    /// no topics or the channel filter matched none.
    pub topics: Option<Vec<TopicStats>>,
    /// Left out of the object when `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryStats>,
    /// Clients that have published. `None` when there are none or they were not asked for.
    pub producers: Option<Vec<ClientStats>>,
}

/// One topic. Counts are since the process started or the topic was created.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicStats {
    /// Name including `#ephemeral`.
    pub topic_name: String,
    /// Sorted by name; never absent.
    pub channels: Vec<ChannelStats>,
    /// Messages waiting in the topic itself, in memory and on disk.
    pub depth: i64,
    /// The part of `depth` that is on disk.
    pub backend_depth: i64,
    /// Messages published.
    pub message_count: u64,
    /// Sum of their body sizes, in bytes.
    pub message_bytes: u64,
    /// Whether delivery to channels is stopped.
    pub paused: bool,
    /// All channels' latencies merged.
    pub e2e_processing_latency: Latency,
}

/// One channel. Counts are since the process started or the channel was created.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelStats {
    /// Name including `#ephemeral`.
    pub channel_name: String,
    /// Messages waiting, without those in flight or deferred.
    pub depth: i64,
    /// The part of `depth` that is on disk.
    pub backend_depth: i64,
    /// Messages delivered and neither finished, requeued nor timed out.
    pub in_flight_count: i64,
    /// Messages waiting for their due time.
    pub deferred_count: i64,
    /// Messages put into the channel; requeues and timeouts do not count again.
    pub message_count: u64,
    /// Deliveries to consumers in the node's zone. This and the two below are left out of the
    /// object when 0, as always without topology-aware consumption.
    #[serde(skip_serializing_if = "is_zero")]
    pub zone_local_msg_count: u64,
    /// Deliveries to consumers in the node's region.
    #[serde(skip_serializing_if = "is_zero")]
    pub region_local_msg_count: u64,
    /// Deliveries to all other consumers.
    #[serde(skip_serializing_if = "is_zero")]
    pub global_msg_count: u64,
    /// REQ commands.
    pub requeue_count: u64,
    /// In-flight timeouts.
    pub timeout_count: u64,
    /// Connected consumers, right even when `clients` is absent.
    pub client_count: i64,
    /// Empty when none is connected, `None` when they were not asked for.
    pub clients: Option<Vec<ClientStats>>,
    /// Whether delivery to consumers is stopped.
    pub paused: bool,
    /// From publishing to FIN.
    pub e2e_processing_latency: Latency,
}

/// One TCP client, as consumer or as producer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientStats {
    /// From IDENTIFY; before it, the remote IP address.
    pub client_id: String,
    /// From IDENTIFY; before it, the remote IP address.
    pub hostname: String,
    /// Protocol version, always `V2`.
    pub version: String,
    /// `ip:port`.
    pub remote_address: String,
    /// 0 connected, 3 subscribed, 4 closing.
    pub state: i32,
    /// Last RDY.
    pub ready_count: i64,
    /// Messages delivered and not answered yet.
    pub in_flight_count: i64,
    /// Messages delivered.
    pub message_count: u64,
    /// FIN commands.
    pub finish_count: u64,
    /// REQ commands.
    pub requeue_count: u64,
    /// Unix seconds of the connection.
    pub connect_ts: i64,
    /// Share of messages delivered, in percent; 0 is all.
    pub sample_rate: i32,
    /// Whether the connection is deflated.
    pub deflate: bool,
    /// Whether the connection is snappy compressed.
    pub snappy: bool,
    /// From IDENTIFY.
    pub user_agent: String,
    /// Left out of the object unless true.
    #[serde(skip_serializing_if = "is_false")]
    pub authed: bool,
    /// Left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_identity: String,
    /// Left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub auth_identity_url: String,
    /// From IDENTIFY; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_zone: String,
    /// From IDENTIFY; left out of the object when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub topology_region: String,
    /// Left out of the object when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pub_counts: Vec<PublishCount>,
    /// Whether the connection is encrypted; the four fields below are empty if not.
    pub tls: bool,
    /// IANA-style name, or `Unknown <decimal id>`.
    pub tls_cipher_suite: String,
    /// `TLS1.0` to `TLS1.3`.
    pub tls_version: String,
    /// ALPN protocol.
    pub tls_negotiated_protocol: String,
    /// Go's name for a field that is true whenever the connection is encrypted.
    pub tls_negotiated_protocol_is_mutual: bool,
}

/// How much one client published to one topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishCount {
    /// Topic name.
    pub topic: String,
    /// Messages.
    pub count: u64,
}

/// Latency summary from publishing to FIN.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// Samples behind the percentiles.
    pub count: u64,
    /// In configured order. `None` when no percentiles are configured, and for a topic without
    /// channels.
    pub percentiles: Option<Vec<LatencyPercentile>>,
}

/// One percentile of a [`Latency`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LatencyPercentile {
    /// In (0, 1].
    pub quantile: f64,
    /// Nanoseconds; 0 without data.
    pub value: f64,
}

/// Memory figures. Names are those of Go's runtime; their meaning here is in
/// `docs/differences.md`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// Objects on the heap.
    pub heap_objects: u64,
    /// Bytes reserved and unused.
    pub heap_idle_bytes: u64,
    /// Bytes in use.
    pub heap_in_use_bytes: u64,
    /// Bytes given back to the operating system.
    pub heap_released_bytes: u64,
    /// Longest collector pause, in microseconds.
    pub gc_pause_usec_100: u64,
    /// 99th percentile of collector pauses, in microseconds.
    pub gc_pause_usec_99: u64,
    /// 95th percentile of collector pauses, in microseconds.
    pub gc_pause_usec_95: u64,
    /// Heap size at which the collector runs next.
    pub next_gc_bytes: u64,
    /// Collector runs.
    pub gc_total_runs: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}
