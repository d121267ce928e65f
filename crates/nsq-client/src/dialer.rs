//! From an address to a connection that can be used.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use nsq_net::{Address, Codec, Socket, Stream, TlsClient};
use nsq_proto::magic;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::duration::milliseconds;
use crate::error::Reason;
use crate::wire::{Received, Wire};
use crate::{Config, ConnectError, InvalidOption};

/// What RDY a daemon takes that does not say so.
const MAX_READY: u32 = 2500;

/// Makes connections that are identified, encrypted, compressed and authorized as configured.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) config: Config,
    pub(crate) tls: Option<TlsClient>,
}

/// What a daemon said about itself and the connection.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    pub(crate) max_rdy_count: Option<i64>,
    pub(crate) msg_timeout: Option<i64>,
    tls_v1: bool,
    deflate: bool,
    snappy: bool,
    auth_required: bool,
}

/// The body of IDENTIFY, keys as go-nsq sorts them.
#[derive(Serialize)]
struct Identify<'a> {
    client_id: &'a str,
    deflate: bool,
    deflate_level: u8,
    feature_negotiation: bool,
    heartbeat_interval: i64,
    hostname: &'a str,
    long_id: &'a str,
    msg_timeout: i64,
    output_buffer_size: i64,
    output_buffer_timeout: i64,
    sample_rate: u8,
    short_id: &'a str,
    snappy: bool,
    tls_v1: bool,
    user_agent: &'a str,
}

impl Facts {
    /// The largest RDY that the daemon takes.
    pub(crate) fn max_ready(&self) -> u32 {
        let within = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        self.max_rdy_count.map_or(MAX_READY, within)
    }

    /// After how long the daemon takes an unanswered message back.
    pub(crate) fn message_timeout(&self) -> Option<Duration> {
        let ms = self.msg_timeout.and_then(|ms| u64::try_from(ms).ok())?;
        (ms > 0).then(|| Duration::from_millis(ms))
    }
}

impl Dialer {
    /// Checks the options, and reads the files of TLS if they are needed: reading those that the
    /// system trusts takes milliseconds.
    pub(crate) fn new(config: Config) -> Result<Self, InvalidOption> {
        config.check()?;
        let tls = if config.tls_v1 || config.names_tls_files() {
            let tls = TlsClient::load(&config.tls);
            Some(tls.map_err(|error| InvalidOption::Conflict(error.to_string()))?)
        } else {
            None
        };
        Ok(Self { config, tls })
    }

    /// Connects and says who we are.
    pub(crate) async fn connect(&self, address: &str) -> Result<(Wire, Facts), ConnectError> {
        let failed = |reason| ConnectError { address: address.to_owned(), reason };
        let socket = self.dial(address).await.map_err(|error| failed(error.into()))?;
        let wire = Wire::new(Stream::new(socket), &self.config);
        let shaken = timeout(self.config.handshake_timeout, self.shake_hands(wire, address)).await;
        let shaken = shaken.unwrap_or_else(|_| {
            let text = format!("no answer to IDENTIFY in {:?}", self.config.handshake_timeout);
            Err(io::Error::new(io::ErrorKind::TimedOut, text).into())
        });
        shaken.map_err(failed)
    }

    async fn dial(&self, address: &str) -> io::Result<Socket> {
        let patience = self.config.dial_timeout;
        let described = |error: io::Error| {
            let text = format!("dial tcp {address}: {}", system_text(&error));
            io::Error::new(error.kind(), text)
        };
        let socket = match (self.config.local_addr, Address::parse(address)) {
            (Some(from), Address::Tcp(to)) => Socket::connect_from(from, &to, patience).await,
            (_, address) => Socket::connect(&address, patience).await,
        };
        socket.map_err(described)
    }

    async fn shake_hands(&self, mut wire: Wire, address: &str) -> Result<(Wire, Facts), Reason> {
        wire.queue(&magic::MAGIC);
        let body = serde_json::to_vec(&self.identify()).map_err(io::Error::from)?;
        wire.queue(b"IDENTIFY\n");
        wire.queue_sized(&body);
        let answer = response(&mut wire, "failed to IDENTIFY - ").await?;
        // An `OK` is of a daemon that negotiates nothing.
        let facts: Facts = match answer.starts_with(b"{") {
            false => Facts::default(),
            true => serde_json::from_slice(&answer)
                .map_err(|error| Reason::Refused(format!("failed to IDENTIFY - {error}")))?,
        };
        if self.config.tls_v1 && !facts.tls_v1 {
            // go-nsq goes on in plain text, and shows its secret.
            return Err(Reason::Refused("TLS is wanted, and nsqd does not offer it".to_owned()));
        }
        if facts.tls_v1 {
            self.start_tls(&mut wire, address).await?;
            expect_ok(&mut wire, "TLS").await?;
        }
        if facts.deflate {
            wire.start_codec(Codec::deflate(self.config.deflate_level));
            expect_ok(&mut wire, "deflate").await?;
        }
        if facts.snappy {
            wire.start_codec(Codec::snappy());
            expect_ok(&mut wire, "snappy").await?;
        }
        if facts.auth_required {
            self.authorize(&mut wire).await?;
        }
        Ok((wire, facts))
    }

    async fn start_tls(&self, wire: &mut Wire, address: &str) -> Result<(), Reason> {
        let Some(tls) = &self.tls else {
            return Err(Reason::Refused("there is no TLS to speak".to_owned()));
        };
        // It would be read later as if it had come through TLS.
        if wire.has_input() {
            return Err(Reason::Refused("something came ahead of TLS".to_owned()));
        }
        let host = match Address::parse(address) {
            Address::Tcp(address) => {
                address.rsplit_once(':').map_or(address.clone(), |(host, _)| host.to_owned())
            }
            Address::Unix(_) => "localhost".to_owned(),
        };
        let patience = self.config.handshake_timeout;
        let started = wire.stream().start_tls_as_client(tls, &host, patience).await;
        started.map_err(|error| {
            io::Error::new(error.kind(), format!("TLS handshake with {host} - {error}")).into()
        })
    }

    async fn authorize(&self, wire: &mut Wire) -> Result<(), Reason> {
        if self.config.auth_secret.is_empty() {
            return Err(Reason::Refused("Auth Required".to_owned()));
        }
        wire.queue(b"AUTH\n");
        wire.queue_sized(self.config.auth_secret.as_bytes());
        response(wire, "Error authenticating ").await.map(|_| ())
    }

    fn identify(&self) -> Identify<'_> {
        let config = &self.config;
        let or_never = |duration: Option<Duration>| duration.map_or(-1, milliseconds);
        Identify {
            client_id: &config.client_id,
            deflate: config.deflate,
            deflate_level: config.deflate_level,
            feature_negotiation: true,
            heartbeat_interval: or_never(config.heartbeat_interval),
            hostname: &config.hostname,
            long_id: &config.hostname,
            msg_timeout: milliseconds(config.msg_timeout),
            output_buffer_size: config.output_buffer_size,
            output_buffer_timeout: or_never(config.output_buffer_timeout),
            sample_rate: config.sample_rate,
            short_id: &config.client_id,
            snappy: config.snappy,
            tls_v1: config.tls_v1,
            user_agent: &config.user_agent,
        }
    }
}

async fn response(wire: &mut Wire, failed: &str) -> Result<Bytes, Reason> {
    match wire.exchange().await? {
        Received::Response(data) => Ok(data),
        Received::Error(text) => {
            Err(Reason::Refused(format!("{failed}{}", String::from_utf8_lossy(&text))))
        }
        Received::Message(_) => Err(Reason::Refused(format!("{failed}a message came"))),
    }
}

async fn expect_ok(wire: &mut Wire, layer: &str) -> Result<(), Reason> {
    let answer = response(wire, "").await?;
    if answer != "OK" {
        return Err(Reason::Refused(format!("no OK over {layer}")));
    }
    Ok(())
}

/// An error of the system in the words of Go programs, which scripts look for.
pub(crate) fn system_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
        io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(json: &str) -> Facts {
        serde_json::from_str(json).expect("JSON")
    }

    /// A daemon that takes more than 2^32 was never told to send anything.
    #[test]
    fn however_large_max_rdy_count_is_it_is_taken() {
        for (json, expected) in [
            ("{}", MAX_READY),
            (r#"{"max_rdy_count":2500}"#, 2500),
            (r#"{"max_rdy_count":4294967296}"#, u32::MAX),
            (r#"{"max_rdy_count":9223372036854775807}"#, u32::MAX),
            (r#"{"max_rdy_count":0}"#, 0),
            (r#"{"max_rdy_count":-1}"#, 0),
        ] {
            assert_eq!(facts(json).max_ready(), expected, "{json}");
        }
    }
}
