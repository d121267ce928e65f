//! What others may know of a connected TCP client.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use nsq_proto::{ClientSettings, TopicName};
use parking_lot::Mutex;

use crate::signal::Signal;

/// A TCP client, as `/stats` shows it and as its channel wakes it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Wall time in seconds.
    pub(crate) connected_at: i64,
    pub(crate) signal: Signal,
    pub(crate) settings: Mutex<ClientSettings>,
    /// It has sent the magic.
    pub(crate) has_greeted: AtomicBool,
    /// The number of its [`nsq_proto::ClientState`].
    pub(crate) state: AtomicU8,
    pub(crate) counters: ClientCounters,
    /// Messages published, by topic.
    pub(crate) published: Mutex<Vec<(TopicName, u64)>>,
}

/// Counters of one connection; only its own task adds.
#[derive(Debug, Default)]
pub(crate) struct ClientCounters {
    pub(crate) delivered: AtomicU64,
    pub(crate) finished: AtomicU64,
    pub(crate) requeued: AtomicU64,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, connected_at: i64, settings: ClientSettings) -> Self {
        Self {
            address,
            connected_at,
            signal: Signal::default(),
            settings: Mutex::new(settings),
            has_greeted: AtomicBool::new(false),
            state: AtomicU8::new(0),
            counters: ClientCounters::default(),
            published: Mutex::new(Vec::new()),
        }
    }

    /// Counts messages that this client published.
    pub(crate) fn count_published(&self, topic: &TopicName, count: u64) {
        let mut published = self.published.lock();
        match published.iter_mut().find(|(name, _)| name == topic) {
            Some((_, total)) => *total += count,
            None => published.push((topic.clone(), count)),
        }
    }

    pub(crate) fn is_producer(&self) -> bool {
        !self.published.lock().is_empty()
    }
}

/// Adds to a counter that only one task writes.
pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}
