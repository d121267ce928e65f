//! nsqlookupd's flags.

use std::time::Duration;

use nsq_app::{DaemonOptions, LogFormat, LogLevel};

nsq_app::flags! {
    /// The options of one nsqlookupd; see `docs/flags.md` of NSQ for each.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// path to a configuration file in TOML
        "config", no key => config: String = String::new();
        /// deprecated, see --log-level
        "verbose", no key, without effect "deprecated in NSQ, see --log-level"
            => verbose: bool = false;
        /// set log verbosity: debug, info, warn, error, or fatal
        "log-level" => log_level: LogLevel = LogLevel::Info;
        /// log message prefix
        "log-prefix" => log_prefix: String = "[nsqlookupd] ".to_owned();
        /// form of log lines: text, or json for one JSON object a line
        "log-format" => log_format: LogFormat = LogFormat::Text;
        /// <addr>:<port> to listen on for TCP clients
        "tcp-address" => tcp_address: String = "0.0.0.0:4160".to_owned();
        /// <addr>:<port> to listen on for HTTP clients
        "http-address" => http_address: String = "0.0.0.0:4161".to_owned();
        /// address of this lookupd node, (default to the OS hostname)
        "broadcast-address" => broadcast_address: String = nsq_app::host::name();
        /// duration of time a producer will remain in the active list since its last ping
        "inactive-producer-timeout"
            => inactive_producer_timeout: Duration = Duration::from_secs(300);
        /// duration of time a producer will remain tombstoned if registration remains
        "tombstone-lifetime" => tombstone_lifetime: Duration = Duration::from_secs(45);
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
        Ok(())
    }
}
