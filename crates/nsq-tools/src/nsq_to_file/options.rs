//! nsq_to_file's flags.

use std::time::Duration;

use nsq_app::LogLevel;

use crate::cli::ClientOptions;

nsq_app::flags! {
    /// The options of nsq_to_file; see `docs/flags.md` for each.
    #[derive(Clone, Debug)]
    pub struct Options {
        /// print version string
        "version", no key => version: bool = false;
        /// set log verbosity: debug, info, warn, error, or fatal
        "log-level", no key => log_level: String = "info".to_owned();
        /// log message prefix
        "log-prefix", no key => log_prefix: String = "[nsq_to_file] ".to_owned();
        /// nsq topic (may be given multiple times)
        "topic", no key => topics: Vec<String> = Vec::new();
        /// only log topics matching the following pattern
        "topic-pattern", no key => topic_pattern: String = String::new();
        /// how frequently the topic list should be refreshed
        "topic-refresh", no key => topic_refresh: Duration = Duration::from_secs(60);
        /// nsq channel
        "channel", no key => channel: String = "nsq_to_file".to_owned();
        /// max number of messages to allow in flight
        "max-in-flight", no key => max_in_flight: u32 = 200;
        /// directory to write output files to
        "output-dir", no key => output_dir: String = "/tmp".to_owned();
        /// directory for in-progress files before moving to output-dir
        "work-dir", no key => work_dir: String = String::new();
        /// strftime compatible format for <DATETIME> in filename format
        "datetime-format", no key => datetime_format: String = "%Y-%m-%d_%H".to_owned();
        /// output filename format (<TOPIC>, <HOST>, <PID>, <DATETIME>, <REV> are replaced. <REV>
        /// is increased when file already exists)
        "filename-format", no key
            => filename_format: String = "<TOPIC>.<HOST><REV>.<DATETIME>.log".to_owned();
        /// value to output in log filename in place of hostname. <SHORT_HOST> and <HOSTNAME> are
        /// valid replacement tokens
        "host-identifier", no key => host_identifier: String = String::new();
        /// gzip output files
        "gzip", no key => gzip: bool = false;
        /// gzip compression level (1-9, 1=BestSpeed, 9=BestCompression)
        "gzip-level", no key => gzip_level: i64 = 6;
        /// rotate the file when it grows bigger than so many bytes
        "rotate-size", no key => rotate_size: u64 = 0;
        /// rotate the file every duration
        "rotate-interval", no key => rotate_interval: Duration = Duration::ZERO;
        /// sync file to disk every duration
        "sync-interval", no key => sync_interval: Duration = Duration::from_secs(30);
        /// skip writing empty files
        "skip-empty-files", no key => skip_empty_files: bool = false;
        /// timeout for HTTP connect
        "http-client-connect-timeout", no key
            => http_client_connect_timeout: Duration = Duration::from_secs(2);
        /// timeout for HTTP request
        "http-client-request-timeout", no key
            => http_client_request_timeout: Duration = Duration::from_secs(5);
        /// nsqd TCP address (may be given multiple times)
        "nsqd-tcp-address", no key => nsqd_tcp_addresses: Vec<String> = Vec::new();
        /// lookupd HTTP address (may be given multiple times)
        "lookupd-http-address", no key => lookupd_http_addresses: Vec<String> = Vec::new();
        /// option to passthrough to the consumer (may be given multiple times)
        "consumer-opt", no key => consumer_options: ClientOptions
            = ClientOptions::never_giving_up();
    }
}

impl Options {
    /// None if it is no level.
    pub(super) fn log_level(&self) -> Option<LogLevel> {
        self.log_level.parse().ok()
    }
}
