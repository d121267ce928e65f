//! What was agreed with a client.

use std::time::Duration;

use serde::Serialize;

use crate::{ErrorCode, IdentifyRequest, ProtocolError, Topology};

/// The level of deflate when none was asked for.
const DEFAULT_DEFLATE_LEVEL: u8 = 6;
/// Time between heartbeats when none was asked for. Not a flag.
const DEFAULT_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);
/// Bytes of output buffer when none were asked for. Not a flag.
const DEFAULT_OUTPUT_BUFFER_SIZE: usize = 16 * 1024;

/// What clients may ask for in IDENTIFY, from the flags of the same names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentifyLimits {
    /// `--max-rdy-count`, only reported.
    pub max_rdy_count: u32,
    /// `--max-heartbeat-interval`
    pub max_heartbeat_interval: Duration,
    /// `--max-output-buffer-size` in bytes.
    pub max_output_buffer_size: usize,
    /// `--output-buffer-timeout`: for clients that do not ask.
    pub output_buffer_timeout: Duration,
    /// `--min-output-buffer-timeout`
    pub min_output_buffer_timeout: Duration,
    /// `--max-output-buffer-timeout`
    pub max_output_buffer_timeout: Duration,
    /// `--msg-timeout`: for clients that do not ask.
    pub msg_timeout: Duration,
    /// `--max-msg-timeout`
    pub max_msg_timeout: Duration,
    /// `--max-deflate-level`, 1 to 9.
    pub max_deflate_level: u8,
    /// Whether this daemon can upgrade to TLS: it has a certificate.
    pub tls_available: bool,
    /// `--snappy`
    pub snappy_enabled: bool,
    /// `--deflate`
    pub deflate_enabled: bool,
    /// Whether an auth server is configured.
    pub auth_required: bool,
    /// `--topology-region` and `--topology-zone`: where this daemon runs.
    pub topology: Topology,
}

impl Default for IdentifyLimits {
    /// The defaults of nsqd's flags, without TLS and compression, which only a daemon that has them
    /// may switch on.
    fn default() -> Self {
        Self {
            max_rdy_count: 2500,
            max_heartbeat_interval: Duration::from_secs(60),
            max_output_buffer_size: 64 * 1024,
            output_buffer_timeout: Duration::from_millis(250),
            min_output_buffer_timeout: Duration::from_millis(25),
            max_output_buffer_timeout: Duration::from_secs(30),
            msg_timeout: Duration::from_secs(60),
            max_msg_timeout: Duration::from_secs(15 * 60),
            max_deflate_level: 6,
            tls_available: false,
            snappy_enabled: false,
            deflate_enabled: false,
            auth_required: false,
            topology: Topology::default(),
        }
    }
}

/// What is kept of a text by which a client describes itself, in bytes. The body of an IDENTIFY
/// may have megabytes, and every connection would keep them and show them in `/stats`.
const DESCRIPTION_BYTES_MAX: usize = 1024;

/// The settings of one client.
///
/// A client may IDENTIFY several times before it subscribes. Most settings follow the last time,
/// but what delivery runs on is fixed by the first: see [`ClientSettings::delivery`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// What the client calls itself; its address until it identifies.
    pub client_id: String,
    /// The host it says it runs on; its address until it identifies.
    pub hostname: String,
    /// Its program and library; empty until it identifies.
    pub user_agent: String,
    /// What decides about deadlines: nothing heard for twice this time, or a write that takes this
    /// time, ends the connection. `None`: no deadlines, and no SUB.
    pub heartbeat_interval: Option<Duration>,
    /// Bytes of output buffer; 1 if the client wants none.
    pub output_buffer_size: usize,
    /// How long output may wait; `None`: without bound.
    pub output_buffer_timeout: Option<Duration>,
    /// Percentage of messages to deliver, 0 to 99; 0 is all of them.
    pub sample_rate: u8,
    /// By how much a TOUCH extends.
    pub msg_timeout: Duration,
    /// Where it says it runs.
    pub topology: Topology,
    delivery: Option<DeliverySettings>,
}

/// The settings that delivery to one client runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Time between heartbeats; `None`: none are sent.
    pub heartbeat_interval: Option<Duration>,
    /// How long output may wait; `None`: without bound.
    pub output_buffer_timeout: Option<Duration>,
    /// Percentage of messages to deliver, 0 to 99; 0 is all of them.
    pub sample_rate: u8,
    /// How long a delivered message may stay unanswered.
    pub msg_timeout: Duration,
    /// Whether it runs in the daemon's zone. A client that never identifies does not.
    pub is_zone_local: bool,
    /// Whether it runs in the daemon's region; compared by itself, as Go NSQ does.
    pub is_region_local: bool,
}

/// What the connection is upgraded to after the answer to IDENTIFY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// TLS.
    pub tls: bool,
    /// Compression with snappy, never together with deflate.
    pub snappy: bool,
    /// Compression with deflate.
    pub deflate: bool,
    /// The level of deflate, 1 to 9, reported even without deflate.
    pub deflate_level: u8,
}

/// How an IDENTIFY is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifyAnswer {
    /// With `OK`: the client does not negotiate features.
    Ok,
    /// With [`ClientSettings::response_json`], and then by these upgrades.
    Negotiated(Features),
}

impl ClientSettings {
    /// The settings of a client that has just connected from `address` (an IP without port).
    pub fn new(address: &str, limits: &IdentifyLimits) -> Self {
        Self {
            client_id: address.to_owned(),
            hostname: address.to_owned(),
            user_agent: String::new(),
            heartbeat_interval: Some(DEFAULT_HEARTBEAT_INTERVAL),
            output_buffer_size: DEFAULT_OUTPUT_BUFFER_SIZE,
            output_buffer_timeout: Some(limits.output_buffer_timeout).filter(|t| !t.is_zero()),
            sample_rate: 0,
            msg_timeout: limits.msg_timeout,
            topology: Topology::default(),
            delivery: None,
        }
    }

    /// Applies an IDENTIFY. The values are checked in nsqd's order and the first bad one ends the
    /// connection; earlier ones are then in force already, which nobody sees.
    pub fn apply(
        &mut self,
        request: IdentifyRequest,
        limits: &IdentifyLimits,
    ) -> Result<IdentifyAnswer, ProtocolError> {
        let answer = negotiate(&request, limits);
        self.apply_heartbeat_interval(request.heartbeat_interval, limits)?;
        self.apply_output_buffer_timeout(request.output_buffer_timeout, limits)?;
        self.apply_output_buffer_size(request.output_buffer_size, limits)?;
        self.sample_rate = u8::try_from(request.sample_rate)
            .ok()
            .filter(|rate| *rate <= 99)
            .ok_or_else(|| invalid("sample rate", request.sample_rate.into()))?;
        self.apply_msg_timeout(request.msg_timeout, limits)?;
        self.client_id = shortened(request.client_id);
        self.hostname = shortened(request.hostname);
        self.user_agent = shortened(request.user_agent);
        let Topology { region, zone } = request.topology;
        self.topology = Topology { region: shortened(region), zone: shortened(zone) };
        self.delivery.get_or_insert(DeliverySettings {
            is_zone_local: self.topology.zone == limits.topology.zone,
            is_region_local: self.topology.region == limits.topology.region,
            ..self.delivery()
        });
        answer
    }

    fn apply_heartbeat_interval(
        &mut self,
        asked: i64,
        limits: &IdentifyLimits,
    ) -> Result<(), ProtocolError> {
        let range = (Duration::from_secs(1), limits.max_heartbeat_interval);
        match asked {
            0 => {}
            -1 => self.heartbeat_interval = None,
            _ => self.heartbeat_interval = Some(within("heartbeat interval", asked, range)?),
        }
        Ok(())
    }

    fn apply_output_buffer_timeout(
        &mut self,
        asked: i64,
        limits: &IdentifyLimits,
    ) -> Result<(), ProtocolError> {
        let range = (limits.min_output_buffer_timeout, limits.max_output_buffer_timeout);
        match asked {
            0 => {}
            -1 => self.output_buffer_timeout = None,
            _ => self.output_buffer_timeout = Some(within("output buffer timeout", asked, range)?),
        }
        Ok(())
    }

    fn apply_output_buffer_size(
        &mut self,
        asked: i64,
        limits: &IdentifyLimits,
    ) -> Result<(), ProtocolError> {
        match asked {
            0 => {}
            // Without a buffer nothing can wait in it, whatever timeout was asked for.
            -1 => {
                self.output_buffer_size = 1;
                self.output_buffer_timeout = None;
            }
            _ => {
                self.output_buffer_size = usize::try_from(asked)
                    .ok()
                    .filter(|size| (64..=limits.max_output_buffer_size).contains(size))
                    .ok_or_else(|| invalid("output buffer size", asked))?;
            }
        }
        Ok(())
    }

    fn apply_msg_timeout(
        &mut self,
        asked: i64,
        limits: &IdentifyLimits,
    ) -> Result<(), ProtocolError> {
        if asked != 0 {
            let range = (Duration::from_secs(1), limits.max_msg_timeout);
            self.msg_timeout = within("msg timeout", asked, range)?;
        }
        Ok(())
    }

    /// Whether the client has identified itself.
    pub const fn is_identified(&self) -> bool {
        self.delivery.is_some()
    }

    /// What delivery runs on: what the first IDENTIFY set, the defaults before it. Later ones do
    /// not change it, although they are answered as if they did; clients may rely on neither.
    pub fn delivery(&self) -> DeliverySettings {
        self.delivery.unwrap_or(DeliverySettings {
            heartbeat_interval: self.heartbeat_interval,
            output_buffer_timeout: self.output_buffer_timeout,
            sample_rate: self.sample_rate,
            msg_timeout: self.msg_timeout,
            is_zone_local: false,
            is_region_local: false,
        })
    }

    /// The JSON that answers an IDENTIFY with feature negotiation: exactly these keys in this
    /// order. The last two are those of Go NSQ after 1.3, there when the daemon has a topology.
    pub fn response_json(
        &self,
        features: &Features,
        limits: &IdentifyLimits,
        version: &str,
    ) -> Vec<u8> {
        let has_topology = limits.topology != Topology::default();
        let response = IdentifyResponse {
            max_rdy_count: limits.max_rdy_count,
            version,
            max_msg_timeout: milliseconds(limits.max_msg_timeout),
            msg_timeout: milliseconds(self.msg_timeout),
            tls_v1: features.tls,
            deflate: features.deflate,
            deflate_level: features.deflate_level,
            max_deflate_level: limits.max_deflate_level,
            snappy: features.snappy,
            sample_rate: self.sample_rate,
            auth_required: limits.auth_required,
            output_buffer_size: self.output_buffer_size,
            output_buffer_timeout: self.output_buffer_timeout.map_or(0, milliseconds),
            topology_region: has_topology.then_some(&limits.topology.region),
            topology_zone: has_topology.then_some(&limits.topology.zone),
        };
        serde_json::to_vec(&response).expect("numbers, booleans and a string encode")
    }
}

#[derive(Serialize)]
struct IdentifyResponse<'a> {
    max_rdy_count: u32,
    version: &'a str,
    max_msg_timeout: u64,
    msg_timeout: u64,
    tls_v1: bool,
    deflate: bool,
    deflate_level: u8,
    max_deflate_level: u8,
    snappy: bool,
    sample_rate: u8,
    auth_required: bool,
    output_buffer_size: usize,
    output_buffer_timeout: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    topology_region: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topology_zone: Option<&'a String>,
}

fn negotiate(
    request: &IdentifyRequest,
    limits: &IdentifyLimits,
) -> Result<IdentifyAnswer, ProtocolError> {
    if !request.feature_negotiation {
        return Ok(IdentifyAnswer::Ok);
    }
    let snappy = limits.snappy_enabled && request.snappy;
    let deflate = limits.deflate_enabled && request.deflate;
    if snappy && deflate {
        return Err(ProtocolError::new(
            ErrorCode::IdentifyFailed,
            "cannot enable both deflate and snappy compression",
        ));
    }
    let asked_level = if deflate && request.deflate_level > 0 {
        u8::try_from(request.deflate_level).unwrap_or(u8::MAX)
    } else {
        DEFAULT_DEFLATE_LEVEL
    };
    Ok(IdentifyAnswer::Negotiated(Features {
        tls: limits.tls_available && request.tls_v1,
        snappy,
        deflate,
        deflate_level: asked_level.min(limits.max_deflate_level),
    }))
}

fn within(
    what: &str,
    asked_ms: i64,
    (shortest, longest): (Duration, Duration),
) -> Result<Duration, ProtocolError> {
    u64::try_from(asked_ms)
        .ok()
        .map(Duration::from_millis)
        .filter(|asked| (shortest..=longest).contains(asked))
        .ok_or_else(|| invalid(what, asked_ms))
}

fn invalid(what: &str, asked: i64) -> ProtocolError {
    ProtocolError::formatted(
        ErrorCode::BadBody,
        format_args!("IDENTIFY {what} ({asked}) is invalid"),
    )
}

/// The beginning of a text, in a buffer no larger than that.
fn shortened(text: String) -> String {
    if text.len() <= DESCRIPTION_BYTES_MAX {
        return text;
    }
    let end = text.floor_char_boundary(DESCRIPTION_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
