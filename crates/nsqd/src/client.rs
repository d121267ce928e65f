//! What others may know of a connected TCP client.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nsq_net::{Peer, TlsFacts};
use nsq_proto::ClientSettings;
use parking_lot::Mutex;

use crate::published::Published;
use crate::signal::Signal;

/// A TCP client, as `/stats` shows it and as its channel wakes it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: Peer,
    /// Wall time in seconds.
    pub(crate) connected_at: i64,
    pub(crate) signal: Signal,
    pub(crate) settings: Mutex<ClientSettings>,
    /// It has sent the magic.
    pub(crate) has_greeted: AtomicBool,
    /// The number of its [`nsq_proto::ClientState`].
    pub(crate) state: AtomicU8,
    /// What was agreed in the handshake, with TLS.
    pub(crate) tls: OnceLock<TlsFacts>,
    /// With snappy or deflate.
    pub(crate) compression: OnceLock<Compression>,
    /// Who an auth server says it is; none without AUTH.
    pub(crate) identity: Mutex<Option<Arc<Identity>>>,
    pub(crate) counters: ClientCounters,
    pub(crate) published: Mutex<Published>,
}

/// How a connection is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Snappy,
    Deflate,
}

/// Who an auth server says a client is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) url: String,
}

/// Counters of one connection; only its own task adds.
#[derive(Debug, Default)]
pub(crate) struct ClientCounters {
    pub(crate) delivered: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) requeued: AtomicU64,
}

impl Client {
    pub(crate) fn new(address: Peer, connected_at: i64, settings: ClientSettings) -> Self {
        Self {
            address,
            connected_at,
            signal: Signal::default(),
            settings: Mutex::new(settings),
            has_greeted: AtomicBool::new(false),
            state: AtomicU8::new(0),
            tls: OnceLock::new(),
            compression: OnceLock::new(),
            identity: Mutex::default(),
            counters: ClientCounters::default(),
            published: Mutex::default(),
        }
    }
}

/// Adds to a counter that only one task writes.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
