//! nsqadmin's flags.

use std::time::Duration;

use nsq_app::{DaemonOptions, LogFormat, LogLevel};

nsq_app::flags! {
    /// The options of one nsqadmin; see `docs/flags.md` of NSQ for each.
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
        "log-prefix" => log_prefix: String = "[nsqadmin] ".to_owned();
        /// form of log lines: text, or json for one JSON object a line
        "log-format" => log_format: LogFormat = LogFormat::Text;
        /// <addr>:<port> to listen on for HTTP clients
        "http-address" => http_address: String = "0.0.0.0:4171".to_owned();
        /// URL base path
        "base-path" => base_path: String = "/".to_owned();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", key "nsqlookupd_http_addresses"
            => nsqlookupd_http_addresses: Vec<String> = Vec::new();
        /// nsqd HTTP address (may be given multiple times)
        "nsqd-http-address", key "nsqd_http_addresses"
            => nsqd_http_addresses: Vec<String> = Vec::new();
        /// timeout for HTTP connect
        "http-client-connect-timeout"
            => http_client_connect_timeout: Duration = Duration::from_secs(2);
        /// timeout for HTTP request
        "http-client-request-timeout"
            => http_client_request_timeout: Duration = Duration::from_secs(5);
        /// configure the HTTP client to skip verification of TLS certificates
        "http-client-tls-insecure-skip-verify"
            => http_client_tls_insecure_skip_verify: bool = false;
        /// path to CA file for the HTTP client
        "http-client-tls-root-ca-file" => http_client_tls_root_ca_file: String = String::new();
        /// path to certificate file for the HTTP client
        "http-client-tls-cert" => http_client_tls_cert: String = String::new();
        /// path to key file for the HTTP client
        "http-client-tls-key" => http_client_tls_key: String = String::new();
        /// path to a file whose first token is shown to nsqlookupd and nsqd over HTTP
        "http-client-token-file" => http_client_token_file: String = String::new();
        /// admin user (may be given multiple times; if specified, only these users will be able to
        /// perform privileged actions; acl-http-header is used to determine the authenticated user)
        "admin-user", key "admin_users" => admin_users: Vec<String> = Vec::new();
        /// HTTP header to check for authenticated admin users
        "acl-http-header" => acl_http_header: String = "X-Forwarded-User".to_owned();
        /// A CIDR from which to allow HTTP requests to the /config endpoint
        "allow-config-from-cidr" => allow_config_from_cidr: String = "127.0.0.1/8".to_owned();
        /// HTTP endpoint (fully qualified) to which POST notifications of admin actions will be
        /// sent
        "notification-http-endpoint" => notification_http_endpoint: String = String::new();
        /// graphite HTTP address
        "graphite-url" => graphite_url: String = String::new();
        /// proxy HTTP requests to graphite
        "proxy-graphite" => proxy_graphite: bool = false;
        /// prefix used for keys sent to statsd (%s for host replacement, must match nsqd)
        "statsd-prefix" => statsd_prefix: String = "nsq.%s".to_owned();
        /// The counter stats key formatting applied by the implementation of statsd. If no
        /// formatting is desired, set this to an empty string.
        "statsd-counter-format"
            => statsd_counter_format: String = "stats.counters.%s.count".to_owned();
        /// The gauge stats key formatting applied by the implementation of statsd. If no formatting
        /// is desired, set this to an empty string.
        "statsd-gauge-format" => statsd_gauge_format: String = "stats.gauges.%s".to_owned();
        /// time interval nsqd is configured to push to statsd (must match nsqd)
        "statsd-interval" => statsd_interval: Duration = Duration::from_secs(60);
        /// how often nsqadmin looks at all nodes for its own charts and findings; 0 for never
        "history-interval" => history_interval: Duration = Duration::from_secs(10);
        /// how long what nsqadmin has seen is kept in memory
        "history-length" => history_length: Duration = Duration::from_secs(3600);
        /// (development use only)
        "dev-static-dir" => dev_static_dir: String = String::new();
    }
}

impl Options {
    /// Where all paths begin: with a slash and without one at the end, `/` for none.
    pub(crate) fn base_path(&self) -> String {
        let mut elements = Vec::new();
        for element in self.base_path.split('/') {
            match element {
                "" | "." => {}
                ".." => {
                    elements.pop();
                }
                element => elements.push(element),
            }
        }
        format!("/{}", elements.join("/"))
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
        let (cert, key) = (&self.http_client_tls_cert, &self.http_client_tls_key);
        let has_nsqds = !self.nsqd_http_addresses.is_empty();
        let has_lookupds = !self.nsqlookupd_http_addresses.is_empty();
        let mistakes = [
            (!has_nsqds && !has_lookupds, "--nsqd-http-address or --lookupd-http-address required"),
            (
                has_nsqds && has_lookupds,
                "use --nsqd-http-address or --lookupd-http-address not both",
            ),
            (
                !cert.is_empty() && key.is_empty(),
                "--http-client-tls-key must be specified with --http-client-tls-cert",
            ),
            (
                cert.is_empty() && !key.is_empty(),
                "--http-client-tls-cert must be specified with --http-client-tls-key",
            ),
        ];
        let mistake = mistakes.iter().find(|(is_made, _)| *is_made);
        mistake.map_or(Ok(()), |(_, text)| Err((*text).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn base_paths() {
        for (given, expected) in [
            ("", "/"),
            ("/", "/"),
            ("a", "/a"),
            ("/a/", "/a"),
            ("//a/./b/../c/", "/a/c"),
            ("/..", "/"),
        ] {
            let options = Options { base_path: given.to_owned(), ..Options::default() };
            assert_eq!(options.base_path(), expected, "{given}");
        }
    }
}
