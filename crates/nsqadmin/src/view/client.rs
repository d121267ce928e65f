//! A consumer of a channel.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nsq_api::ClientStats;
use serde::Serialize;

use super::Owner;

/// One connected consumer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ClientView {
    pub(crate) node: String,
    pub(crate) remote_address: String,
    pub(crate) version: String,
    pub(crate) client_id: String,
    pub(crate) hostname: String,
    pub(crate) user_agent: String,
    pub(crate) connect_ts: i64,
    /// For how long, in nanoseconds; whole seconds.
    pub(crate) connected: i64,
    pub(crate) in_flight_count: i64,
    pub(crate) ready_count: i64,
    pub(crate) finish_count: u64,
    pub(crate) requeue_count: u64,
    pub(crate) message_count: u64,
    pub(crate) sample_rate: i32,
    pub(crate) deflate: bool,
    pub(crate) snappy: bool,
    pub(crate) authed: bool,
    pub(crate) auth_identity: String,
    pub(crate) auth_identity_url: String,
    pub(crate) tls: bool,
    pub(crate) tls_cipher_suite: String,
    pub(crate) tls_version: String,
    pub(crate) tls_negotiated_protocol: String,
    tls_negotiated_protocol_is_mutual: bool,
}

impl ClientView {
    pub(crate) fn new(owner: &Owner, client: ClientStats, now: SystemTime) -> Self {
        Self {
            node: owner.address.clone(),
            connected: connected_ns(client.connect_ts, now),
            remote_address: client.remote_address,
            version: client.version,
            client_id: client.client_id,
            hostname: client.hostname,
            user_agent: client.user_agent,
            connect_ts: client.connect_ts,
            in_flight_count: client.in_flight_count,
            ready_count: client.ready_count,
            finish_count: client.finish_count,
            requeue_count: client.requeue_count,
            message_count: client.message_count,
            sample_rate: client.sample_rate,
            deflate: client.deflate,
            snappy: client.snappy,
            authed: client.authed,
            auth_identity: client.auth_identity,
            auth_identity_url: client.auth_identity_url,
            tls: client.tls,
            tls_cipher_suite: client.tls_cipher_suite,
            tls_version: client.tls_version,
            tls_negotiated_protocol: client.tls_negotiated_protocol,
            tls_negotiated_protocol_is_mutual: client.tls_negotiated_protocol_is_mutual,
        }
    }
}

/// What a node says of time may be anything, and its clock another than ours.
fn connected_ns(connect_ts: i64, now: SystemTime) -> i64 {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    now.saturating_sub(connect_ts).max(0).saturating_mul(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_client_is_connected() {
        let now = UNIX_EPOCH + Duration::from_millis(12_900);
        for (connect_ts, expected) in
            [(10, 2_000_000_000), (12, 0), (13, 0), (i64::MAX, 0), (i64::MIN, i64::MAX)]
        {
            assert_eq!(connected_ns(connect_ts, now), expected, "{connect_ts}");
        }
    }
}
