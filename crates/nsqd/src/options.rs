//! nsqd's flags.

use std::time::Duration;

use nsq_api::HttpUrl;
use nsq_app::flags::{IgnoredNumber, TlsMinVersion, TlsRequired};
use nsq_app::{DaemonOptions, InvalidTls, LogFormat, LogLevel, TlsFlags};
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
        /// path to a configuration file in TOML
        "config", no key => config: String = String::new();
        /// deprecated, see --log-level
        "verbose", no key, without effect "deprecated in NSQ, see --log-level"
            => verbose: bool = false;
        /// deprecated, see --node-id
        "worker-id", no key, without effect "deprecated in NSQ, see --node-id"
            => worker_id: IgnoredNumber = IgnoredNumber;
        /// set log verbosity: debug, info, warn, error, or fatal
        "log-level" => log_level: LogLevel = LogLevel::Info;
        /// log message prefix
        "log-prefix" => log_prefix: String = "[nsqd] ".to_owned();
        /// form of log lines: text, or json for one JSON object a line
        "log-format" => log_format: LogFormat = LogFormat::Text;
        /// unique part for message IDs, (int) in range [0,1024) (default is hash of hostname)
        "node-id", key "id" => node_id: i64 = i64::from(crate::host::default_node_id());
        /// <addr>:<port>, or the path of a unix socket, to listen on for TCP clients
        "tcp-address" => tcp_address: String = "0.0.0.0:4150".to_owned();
        /// <addr>:<port>, or the path of a unix socket, to listen on for HTTP clients
        "http-address" => http_address: String = "0.0.0.0:4151".to_owned();
        /// <addr>:<port> to listen on for HTTPS clients, with a certificate
        "https-address" => https_address: String = "0.0.0.0:4152".to_owned();
        /// address that will be registered with lookupd (defaults to the OS hostname)
        "broadcast-address" => broadcast_address: String = nsq_app::host::name();
        /// TCP port that others should use to reach this node (0: the port that was bound)
        "broadcast-tcp-port" => broadcast_tcp_port: u16 = 0;
        /// HTTP port that others should use to reach this node (0: the port that was bound)
        "broadcast-http-port" => broadcast_http_port: u16 = 0;
        /// lookupd TCP address (may be given multiple times)
        "lookupd-tcp-address", key "nsqlookupd_tcp_addresses"
            => nsqlookupd_tcp_addresses: Vec<String> = Vec::new();
        /// <addr>:<port> or a full url to query auth server (may be given multiple times)
        "auth-http-address", key "auth_http_addresses"
            => auth_http_addresses: Vec<String> = Vec::new();
        /// HTTP method to use for auth server requests: get or post
        "auth-http-request-method" => auth_http_request_method: String = "get".to_owned();
        /// speak TLS with lookupd, over TCP and HTTP
        "lookupd-tls" => lookupd_tls: bool = false;
        /// path to the certificate authority file for lookupd (default: what the system trusts)
        "lookupd-tls-root-ca-file" => lookupd_tls_root_ca_file: String = String::new();
        /// path to the certificate file to show to lookupd
        "lookupd-tls-cert" => lookupd_tls_cert: String = String::new();
        /// path to the key file of --lookupd-tls-cert
        "lookupd-tls-key" => lookupd_tls_key: String = String::new();
        /// path to a file whose first token is shown to lookupd over HTTP
        "lookupd-http-token-file" => lookupd_http_token_file: String = String::new();
        /// path to a file of tokens, one a line, that HTTP clients must know one of
        "http-token-file" => http_token_file: String = String::new();
        /// timeout for HTTP connect
        "http-client-connect-timeout"
            => http_client_connect_timeout: Duration = Duration::from_secs(2);
        /// timeout for HTTP request
        "http-client-request-timeout"
            => http_client_request_timeout: Duration = Duration::from_secs(5);
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
        /// max concurrency for checking in-flight and deferred message timeouts
        "queue-scan-worker-pool-max",
            without effect "deadlines are kept exactly, no queue is scanned for them"
            => queue_scan_worker_pool_max: u64 = 4;
        /// number of channels to check per cycle (every 100ms) for in-flight and deferred timeouts
        "queue-scan-selection-count",
            without effect "deadlines are kept exactly, no queue is scanned for them"
            => queue_scan_selection_count: u64 = 20;
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
        /// path to certificate file
        "tls-cert" => tls_cert: String = String::new();
        /// path to key file
        "tls-key" => tls_key: String = String::new();
        /// client certificate auth policy ('require' or 'require-verify')
        "tls-client-auth-policy" => tls_client_auth_policy: String = String::new();
        /// path to certificate authority file
        "tls-root-ca-file" => tls_root_ca_file: String = String::new();
        /// require TLS for client connections (true, false, tcp-https)
        "tls-required" => tls_required: TlsRequired = TlsRequired::No;
        /// minimum TLS version acceptable ('tls1.0', 'tls1.1', 'tls1.2' or 'tls1.3'; below 1.2
        /// means 1.2)
        "tls-min-version" => tls_min_version: TlsMinVersion = TlsMinVersion::default();
        /// enable deflate feature negotiation (client compression)
        "deflate" => deflate: bool = true;
        /// max deflate compression level a client can negotiate (1 to 9; higher values mean more
        /// CPU usage)
        "max-deflate-level" => max_deflate_level: i64 = 6;
        /// enable snappy feature negotiation (client compression)
        "snappy" => snappy: bool = true;
    }
}

/// Sizes travel as signed 32-bit numbers.
const SIZE_MAX: u64 = i32::MAX as u64 / 2;
/// What fits a UDP packet over IPv4.
const UDP_PAYLOAD_MAX: u64 = 65_507;

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
    /// Output buffers are flushed between these two times.
    #[error("--min-output-buffer-timeout must be at most --max-output-buffer-timeout")]
    OutputBufferTimeouts,
    /// Not in (0, 1].
    #[error("invalid E2E processing latency percentile: {0}")]
    Percentile(f64),
    /// Not in 1 to 9.
    #[error("--max-deflate-level must be [1,9]")]
    DeflateLevel,
    /// Neither of the two methods.
    #[error("--auth-http-request-method must be post or get")]
    AuthMethod,
    /// Nothing that can be asked.
    #[error(
        "--auth-http-address must be <addr>:<port> or a URL of http or https without user, \
         not {0:?}"
    )]
    AuthAddress(String),
    /// One without the other.
    #[error("--lookupd-tls-cert and --lookupd-tls-key need each other")]
    LookupdTlsIncomplete,
    /// Somebody believes that it is spoken.
    #[error("--{0} needs --lookupd-tls")]
    LookupdTlsOff(&'static str),
    /// Flags of TLS that do not go together.
    #[error("{0}")]
    Tls(#[from] InvalidTls),
}

impl Options {
    /// Checks what the flags' types cannot.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if !(1..=9).contains(&self.max_deflate_level) {
            return Err(InvalidOptions::DeflateLevel);
        }
        if !(0..1024).contains(&self.node_id) {
            return Err(InvalidOptions::NodeId);
        }
        self.tls().check()?;
        self.auth_urls()?;
        if !["get", "post"].contains(&self.auth_http_request_method.as_str()) {
            return Err(InvalidOptions::AuthMethod);
        }
        self.check_lookupd_tls()?;
        let least = [
            ("max-bytes-per-file", self.max_bytes_per_file, 1),
            ("sync-every", self.sync_every, 1),
            ("max-msg-size", self.max_msg_size, 1),
            ("max-body-size", self.max_body_size, 9),
            ("max-rdy-count", u64::from(self.max_rdy_count), 1),
            ("statsd-udp-packet-size", self.statsd_udp_packet_size, 1),
        ];
        if let Some(&(name, _, least)) = least.iter().find(|(_, value, least)| value < least) {
            return Err(InvalidOptions::TooSmall(name, least));
        }
        let most = [
            ("max-msg-size", self.max_msg_size, SIZE_MAX),
            ("max-body-size", self.max_body_size, SIZE_MAX),
            ("max-output-buffer-size", self.max_output_buffer_size as u64, SIZE_MAX),
            ("statsd-udp-packet-size", self.statsd_udp_packet_size, UDP_PAYLOAD_MAX),
        ];
        if let Some(&(name, _, most)) = most.iter().find(|(_, value, most)| value > most) {
            return Err(InvalidOptions::TooLarge(name, most));
        }
        if self.min_output_buffer_timeout > self.max_output_buffer_timeout {
            return Err(InvalidOptions::OutputBufferTimeouts);
        }
        let mut percentiles = self.e2e_processing_latency_percentiles.iter();
        match percentiles.find(|percentile| !(**percentile > 0.0 && **percentile <= 1.0)) {
            Some(&percentile) => Err(InvalidOptions::Percentile(percentile)),
            None => Ok(()),
        }
    }

    fn check_lookupd_tls(&self) -> Result<(), InvalidOptions> {
        if self.lookupd_tls_cert.is_empty() != self.lookupd_tls_key.is_empty() {
            return Err(InvalidOptions::LookupdTlsIncomplete);
        }
        let files = [
            ("lookupd-tls-root-ca-file", &self.lookupd_tls_root_ca_file),
            ("lookupd-tls-cert", &self.lookupd_tls_cert),
        ];
        match files.into_iter().find(|(_, path)| !self.lookupd_tls && !path.is_empty()) {
            Some((name, _)) => Err(InvalidOptions::LookupdTlsOff(name)),
            None => Ok(()),
        }
    }

    /// Whether consumers in the daemon's own zone and region come first.
    pub(crate) fn prefers_near_consumers(&self) -> bool {
        self.enable_experiment.iter().any(|name| name == TOPOLOGY_AWARE_CONSUMPTION)
    }

    /// What the daemon can run with and the operator should know.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let experiments = self.enable_experiment.iter();
        let unknown = experiments.filter(|name| *name != TOPOLOGY_AWARE_CONSUMPTION);
        let unknown =
            unknown.map(|name| format!("--enable-experiment: there is no experiment {name}"));
        let overheard = !self.lookupd_http_token_file.is_empty() && !self.lookupd_tls;
        let overheard = overheard.then_some(
            "--lookupd-http-token-file without --lookupd-tls: tokens travel in plain text",
        );
        let others = self.tls().warning().into_iter().chain(overheard);
        unknown.chain(others.map(str::to_owned)).collect()
    }

    /// Where to ask what clients may do; nowhere when everybody may do everything.
    pub(crate) fn auth_urls(&self) -> Result<Vec<HttpUrl>, InvalidOptions> {
        let urls = self.auth_http_addresses.iter().map(|address| {
            let url = if address.contains("://") {
                HttpUrl::parse(address)
            } else {
                HttpUrl::parse(&format!("http://{address}/auth"))
            };
            url.ok_or_else(|| InvalidOptions::AuthAddress(address.clone()))
        });
        urls.collect()
    }

    /// The options of TLS.
    pub(crate) fn tls(&self) -> TlsFlags<'_> {
        TlsFlags {
            cert: &self.tls_cert,
            key: &self.tls_key,
            root_ca_file: &self.tls_root_ca_file,
            client_auth_policy: &self.tls_client_auth_policy,
            min_version: self.tls_min_version,
            required: self.tls_required,
        }
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
            max_deflate_level: u8::try_from(self.max_deflate_level).unwrap_or(1),
            tls_available: !self.tls_cert.is_empty(),
            snappy_enabled: self.snappy,
            deflate_enabled: self.deflate,
            auth_required: !self.auth_http_addresses.is_empty(),
        }
    }
}

impl DaemonOptions for Options {
    fn version(&self) -> bool {
        self.version
    }

    fn config(&self) -> &str {
        &self.config
    }

    fn log_level(&self) -> LogLevel {
        self.log_level
    }

    fn log_prefix(&self) -> &str {
        &self.log_prefix
    }

    fn log_format(&self) -> LogFormat {
        self.log_format
    }

    fn check(&self) -> Result<(), String> {
        Self::check(self).map_err(|error| error.to_string())
    }
}

/// Whole milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
