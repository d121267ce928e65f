//! nsqd's flags.

use std::time::Duration;

use nsq_app::LogLevel;
use nsq_proto::{IdentifyLimits, Limits, Topology};
use thiserror::Error;

/// The one name that `--enable-experiment` knows; Go NSQ's.
pub(crate) const TOPOLOGY_AWARE_CONSUMPTION: &str = "topology-aware-consumption";

nsq_app::flags! {
    /// The options of one nsqd; see `docs/flags.md` of NSQ for each.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// set log verbosity: debug, info, warn, error, or fatal
        "log-level" => log_level: LogLevel = LogLevel::Info;
        /// log message prefix
        "log-prefix" => log_prefix: String = "[nsqd] ".to_owned();
        /// unique part for message IDs, (int) in range [0,1024) (default is hash of hostname)
        "node-id", key "id" => node_id: i64 = i64::from(crate::host::default_node_id());
        /// <addr>:<port> to listen on for TCP clients
        "tcp-address" => tcp_address: String = "0.0.0.0:4150".to_owned();
        /// <addr>:<port> to listen on for HTTP clients
        "http-address" => http_address: String = "0.0.0.0:4151".to_owned();
        /// address that will be registered with lookupd (defaults to the OS hostname)
        "broadcast-address" => broadcast_address: String = crate::host::name();
        /// TCP port that others should use to reach this node (0: the port that was bound)
        "broadcast-tcp-port" => broadcast_tcp_port: u16 = 0;
        /// HTTP port that others should use to reach this node (0: the port that was bound)
        "broadcast-http-port" => broadcast_http_port: u16 = 0;
        /// region of this node, for topology-aware consumption
        "topology-region" => topology_region: String = String::new();
        /// zone of this node, for topology-aware consumption
        "topology-zone" => topology_zone: String = String::new();
        /// experimental feature to switch on: topology-aware-consumption (may be given multiple
        /// times)
        "enable-experiment" => enable_experiment: Vec<String> = Vec::new();
        /// path to store disk-backed messages
        "data-path" => data_path: String = String::new();
        /// number of messages to keep in memory (per topic)
        "mem-queue-size" => mem_queue_size: u64 = 10_000;
        /// number of bytes to keep in memory of the newest messages of all topics together
        "mem-queue-bytes" => mem_queue_bytes: u64 = 64 * 1024 * 1024;
        /// publishing is refused while fewer bytes than this are free on the disk, or than a
        /// twentieth of the disk if that is less (0: no limit)
        "min-free-disk" => min_free_disk: u64 = 64 * 1024 * 1024;
        /// maximum number of TCP clients at once (0: as many as the limit on open files allows)
        "max-connections" => max_connections: u64 = 0;
        /// number of bytes per log segment before rolling
        "max-bytes-per-file" => max_bytes_per_file: u64 = 100 * 1024 * 1024;
        /// number of messages per fsync; 1: a publish is answered after its fsync
        "sync-every" => sync_every: u64 = 2500;
        /// duration of time per fsync
        "sync-timeout" => sync_timeout: Duration = Duration::from_secs(2);
        /// default duration to wait before auto-requeing a message
        "msg-timeout" => msg_timeout: Duration = Duration::from_secs(60);
        /// maximum duration before a message will timeout
        "max-msg-timeout" => max_msg_timeout: Duration = Duration::from_secs(15 * 60);
        /// maximum size of a single message in bytes
        "max-msg-size" => max_msg_size: u64 = 1024 * 1024;
        /// maximum size of a single command body
        "max-body-size" => max_body_size: u64 = 5 * 1024 * 1024;
        /// maximum requeuing timeout for a message
        "max-req-timeout" => max_req_timeout: Duration = Duration::from_secs(60 * 60);
        /// maximum client configurable duration of time between client heartbeats
        "max-heartbeat-interval" => max_heartbeat_interval: Duration = Duration::from_secs(60);
        /// maximum RDY count for a client
        "max-rdy-count" => max_rdy_count: u32 = 2500;
        /// maximum client configurable size (in bytes) for a client output buffer
        "max-output-buffer-size" => max_output_buffer_size: usize = 64 * 1024;
        /// maximum client configurable duration of time between flushing to a client
        "max-output-buffer-timeout"
            => max_output_buffer_timeout: Duration = Duration::from_secs(30);
        /// minimum client configurable duration of time between flushing to a client
        "min-output-buffer-timeout"
            => min_output_buffer_timeout: Duration = Duration::from_millis(25);
        /// default duration of time between flushing data to clients
        "output-buffer-timeout" => output_buffer_timeout: Duration = Duration::from_millis(250);
        /// maximum channel consumer connection count per nsqd instance (default 0, i.e., unlimited)
        "max-channel-consumers" => max_channel_consumers: u64 = 0;
        /// UDP <addr>:<port> of a statsd daemon for pushing stats
        "statsd-address" => statsd_address: String = String::new();
        /// prefix used for keys sent to statsd (%s for host replacement)
        "statsd-prefix" => statsd_prefix: String = "nsq.%s".to_owned();
        /// duration between pushing to statsd
        "statsd-interval" => statsd_interval: Duration = Duration::from_secs(60);
        /// toggle sending memory and GC stats to statsd
        "statsd-mem-stats" => statsd_mem_stats: bool = true;
        /// the size in bytes of statsd UDP packets
        "statsd-udp-packet-size" => statsd_udp_packet_size: u64 = 508;
        /// skip ephemeral topics and channels when sending stats to statsd
        "statsd-exclude-ephemeral" => statsd_exclude_ephemeral: bool = false;
        /// message processing time percentiles (as float (0, 1.0]) to track (can be specified
        /// multiple times or comma separated '1.0,0.99,0.95', default none)
        "e2e-processing-latency-percentile", key "e2e_processing_latency_percentiles"
            => e2e_processing_latency_percentiles: Vec<f64> = Vec::new();
        /// calculate end to end latency quantiles for this duration of time (ie: 60s would only
        /// show quantile calculations from the past 60 seconds)
        "e2e-processing-latency-window-time"
            => e2e_processing_latency_window_time: Duration = Duration::from_secs(600);
    }
}

/// An option with a value that nsqd cannot run with. The texts are Go NSQ's where it has one.
#[derive(Debug, Error)]
pub enum InvalidOptions {
    /// Ten bits of a message id.
    #[error("--node-id must be [0,1024)")]
    NodeId,
    /// A size of which at least one is needed.
    #[error("--{0} must be at least {1}")]
    TooSmall(&'static str, u64),
    /// A size that the protocol or the log format cannot express.
    #[error("--{0} must be at most {1}")]
    TooLarge(&'static str, u64),
}

impl Options {
    /// Checks what the flags' types cannot.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if !(0..1024).contains(&self.node_id) {
            return Err(InvalidOptions::NodeId);
        }
        let least = [
            ("max-bytes-per-file", self.max_bytes_per_file, 1),
            ("sync-every", self.sync_every, 1),
            ("max-msg-size", self.max_msg_size, 1),
            ("max-body-size", self.max_body_size, 9),
        ];
        if let Some(&(name, _, least)) = least.iter().find(|(_, value, least)| value < least) {
            return Err(InvalidOptions::TooSmall(name, least));
        }
        // Sizes travel as signed 32-bit numbers.
        let most = i32::MAX as u64 / 2;
        let sizes = [("max-msg-size", self.max_msg_size), ("max-body-size", self.max_body_size)];
        match sizes.iter().find(|(_, value)| *value > most) {
            Some(&(name, _)) => Err(InvalidOptions::TooLarge(name, most)),
            None => Ok(()),
        }
    }

    /// Whether consumers in the daemon's own zone and region come first.
    pub(crate) fn prefers_near_consumers(&self) -> bool {
        self.enable_experiment.iter().any(|name| name == TOPOLOGY_AWARE_CONSUMPTION)
    }

    /// What commands may ask for.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_msg_size: self.max_msg_size,
            max_body_size: self.max_body_size,
            max_rdy_count: self.max_rdy_count,
            max_req_timeout_ms: milliseconds(self.max_req_timeout),
        }
    }

    /// What IDENTIFY may ask for.
    pub(crate) fn identify_limits(&self) -> IdentifyLimits {
        IdentifyLimits {
            max_rdy_count: self.max_rdy_count,
            max_heartbeat_interval: self.max_heartbeat_interval,
            max_output_buffer_size: self.max_output_buffer_size,
            output_buffer_timeout: self.output_buffer_timeout,
            min_output_buffer_timeout: self.min_output_buffer_timeout,
            max_output_buffer_timeout: self.max_output_buffer_timeout,
            msg_timeout: self.msg_timeout,
            max_msg_timeout: self.max_msg_timeout,
            topology: Topology {
                region: self.topology_region.clone(),
                zone: self.topology_zone.clone(),
            },
            ..IdentifyLimits::default()
        }
    }
}

/// Whole milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
