//! nsqlookupd's flags.

use std::time::Duration;

use nsq_app::flags::{TlsMinVersion, TlsRequired};
use nsq_app::{DaemonOptions, LogFormat, LogLevel, TlsFlags};

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
        /// path to a file of tokens, one a line, that HTTP clients must know one of
        "http-token-file" => http_token_file: String = String::new();
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
        /// address of this lookupd node, (default to the OS hostname)
        "broadcast-address" => broadcast_address: String = nsq_app::host::name();
        /// duration of time a producer will remain in the active list since its last ping
        "inactive-producer-timeout"
            => inactive_producer_timeout: Duration = Duration::from_secs(300);
        /// duration of time a producer will remain tombstoned if registration remains
        "tombstone-lifetime" => tombstone_lifetime: Duration = Duration::from_secs(45);
    }
}

impl Options {
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
        self.tls().check().map_err(|error| error.to_string())
    }
}
