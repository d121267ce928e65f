//! What a producer or consumer can be told, under the names that go-nsq gives its options.

mod by_name;

use std::net::SocketAddr;
use std::time::Duration;

use nsq_net::TlsClientFiles;

pub use by_name::InvalidOption;

/// Options of producers and consumers. Names, defaults and ranges are those of go-nsq; what only
/// this client has is marked *here only*. Copied when a producer or consumer is made; changing it
/// afterwards has no effect.
///
/// ```
/// use nsq_client::Config;
///
/// let mut config = Config { max_in_flight: 200, ..Config::default() };
/// config.set("msg_timeout", "2m")?;
/// # Ok::<_, nsq_client::InvalidOption>(())
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// How long connecting may take, looking up the name included. 1 ms to 24 h; 1 s.
    pub dial_timeout: Duration,
    /// The same for what follows until the connection can be used: IDENTIFY, TLS, AUTH. 1 ms
    /// to 24 h; 15 s. *Here only*; go-nsq waits for `read_timeout` each time.
    pub handshake_timeout: Duration,
    /// A connection on which nothing came for so long is given up. 100 ms to 5 min; 60 s.
    pub read_timeout: Duration,
    /// A connection that takes nothing for so long is given up. 100 ms to 5 min; 1 s.
    pub write_timeout: Duration,
    /// The address to connect from; any if none. None.
    pub local_addr: Option<SocketAddr>,
    /// How often nsqlookupd is asked, and the longest pause before a lost nsqd is tried again.
    /// 10 ms to 5 min; 60 s.
    pub lookupd_poll_interval: Duration,
    /// By which share of itself that interval varies, so that many clients do not ask at once.
    /// 0 to 1; 0.3.
    pub lookupd_poll_jitter: f64,
    /// How long nsqlookupd may take to answer. 1 ms to 24 h; 1 min.
    pub lookupd_poll_timeout: Duration,
    /// Let an nsqlookupd that can (see `docs/discovery.md`) answer when there is news, instead of
    /// asking it in intervals. Others are asked in intervals whatever this says. True.
    /// *Here only.*
    pub lookupd_long_polling: bool,
    /// Longest automatic delay of a requeued message. 0 to 60 min; 15 min.
    pub max_requeue_delay: Duration,
    /// The automatic delay, for each attempt so far. 0 to 60 min; 90 s.
    pub default_requeue_delay: Duration,
    /// How the back-off grows. Exponential.
    pub backoff_strategy: BackoffStrategy,
    /// Longest back-off; zero switches it off. 0 to 60 min; 2 min.
    pub max_backoff_duration: Duration,
    /// Unit of back-off. 0 to 60 min; 1 s.
    pub backoff_multiplier: Duration,
    /// A message that was delivered more often is finished without being handled; 0 is never. 5.
    pub max_attempts: u16,
    /// A connection that has RDY and brought nothing for so long gives it to another one, where
    /// there are more connections than messages in flight. 1 s to 5 min; 10 s.
    pub low_rdy_idle_timeout: Duration,
    /// Longest time that a connection keeps its RDY in that case. 1 s to 5 min; 30 s.
    pub low_rdy_timeout: Duration,
    /// How often that is looked at. 1 ms to 5 s; 5 s.
    pub rdy_redistribute_interval: Duration,
    /// What the client calls itself. The hostname up to its first dot.
    pub client_id: String,
    /// The host it runs on. From the system.
    pub hostname: String,
    /// Program and library. `nsq-rust/<version>`.
    pub user_agent: String,
    /// How often nsqd asks whether the client lives; never if none. At most `read_timeout`; 30 s.
    pub heartbeat_interval: Option<Duration>,
    /// Percentage of the messages to get; 0 is all. 0 to 99; 0.
    pub sample_rate: u8,
    /// Ask for TLS. False.
    pub tls_v1: bool,
    /// How TLS is spoken, to nsqd and to an nsqlookupd of HTTPS.
    pub tls: TlsClientFiles,
    /// Ask for compression with deflate. False.
    pub deflate: bool,
    /// Level of deflate. 1 to 9; 6.
    pub deflate_level: u8,
    /// Ask for compression with snappy. False.
    pub snappy: bool,
    /// Bytes that nsqd may gather before it sends. 16384.
    pub output_buffer_size: i64,
    /// How long nsqd may keep them back at most; none for no bound. 250 ms.
    pub output_buffer_timeout: Option<Duration>,
    /// How many messages a consumer has at a time, over all connections. 1.
    pub max_in_flight: u32,
    /// How long a message may take before nsqd gives it to somebody else; zero for what the
    /// daemon is set to. 0.
    pub msg_timeout: Duration,
    /// Tell nsqd in time that a message which is not answered yet still is being handled, as often
    /// as it takes (nsqd's `--max-msg-timeout` is the end). False. *Here only.*
    pub auto_touch: bool,
    /// The secret for nsqd with an auth server; empty for none.
    pub auth_secret: String,
    /// Send the secret to nsqlookupd, too. True. go-nsq's `skip_lookupd_authorization` means the
    /// same in spite of its name and is taken for it.
    pub lookupd_authorization: bool,
    /// How long a publish may take until it fails, over all nsqd and attempts. 1 ms to 24 h;
    /// 10 s. *Here only*; go-nsq waits for ever.
    pub publish_timeout: Duration,
    /// Publish again, perhaps to another nsqd, what was lost with a connection before its answer
    /// came. It may then be there twice. True. *Here only.*
    pub publish_retry: bool,
    /// How many messages a producer takes before publishing has to wait. 1 to 1 million; 10,000.
    /// *Here only.*
    pub max_outstanding: u32,
    /// How long stopping waits for messages that are not answered yet. 0 to 24 h; 30 s.
    /// *Here only*; go-nsq has the same as a constant.
    pub stop_timeout: Duration,
    /// Make connections to nsqd that were given by their address again when they are lost.
    /// Without it a consumer of such connections is stopped when the last of them is lost: for
    /// those who must not create a topic or channel that was deleted meanwhile. True. *Here only*;
    /// of no meaning to producers.
    pub reconnect: bool,
    /// How many nsqd nodes of discovery one producer or consumer connects to at most. 1 to
    /// 10,000; 500. *Here only.*
    pub max_connections: u32,
}

/// How the back-off grows with failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackoffStrategy {
    /// Double each time.
    Exponential,
    /// Anything up to that.
    FullJitter,
}

impl Default for Config {
    fn default() -> Self {
        let hostname = hostname();
        Self {
            dial_timeout: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(1),
            local_addr: None,
            lookupd_poll_interval: Duration::from_secs(60),
            lookupd_poll_jitter: 0.3,
            lookupd_poll_timeout: Duration::from_secs(60),
            lookupd_long_polling: true,
            max_requeue_delay: Duration::from_secs(15 * 60),
            default_requeue_delay: Duration::from_secs(90),
            backoff_strategy: BackoffStrategy::Exponential,
            max_backoff_duration: Duration::from_secs(120),
            backoff_multiplier: Duration::from_secs(1),
            max_attempts: 5,
            low_rdy_idle_timeout: Duration::from_secs(10),
            low_rdy_timeout: Duration::from_secs(30),
            rdy_redistribute_interval: Duration::from_secs(5),
            client_id: hostname.split('.').next().unwrap_or_default().to_owned(),
            hostname,
            user_agent: concat!("nsq-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
            heartbeat_interval: Some(Duration::from_secs(30)),
            sample_rate: 0,
            tls_v1: false,
            tls: TlsClientFiles::default(),
            deflate: false,
            deflate_level: 6,
            snappy: false,
            output_buffer_size: 16384,
            output_buffer_timeout: Some(Duration::from_millis(250)),
            max_in_flight: 1,
            msg_timeout: Duration::ZERO,
            auto_touch: false,
            auth_secret: String::new(),
            lookupd_authorization: true,
            publish_timeout: Duration::from_secs(10),
            publish_retry: true,
            max_outstanding: 10_000,
            reconnect: true,
            max_connections: 500,
            stop_timeout: Duration::from_secs(30),
        }
    }
}

/// As the system has it; empty if it has none.
fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Config {
    /// Whether TLS is set up, even if it is not asked for.
    pub(crate) fn names_tls_files(&self) -> bool {
        self.tls.authority.is_some() || self.tls.own.is_some()
    }
}
