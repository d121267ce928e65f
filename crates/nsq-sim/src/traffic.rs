//! Publishers and consumers at work on a daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::consumer::{Consumer, Temper};
use crate::ledger::Ledger;
use crate::publisher::{Publisher, Style};
use crate::seed::Seed;

/// Where a daemon listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// For the protocol.
    pub tcp: SocketAddr,
    /// For HTTP.
    pub http: SocketAddr,
}

/// Threads that publish and consume until they are told to stop.
#[derive(Debug)]
pub struct Traffic {
    addresses: Addresses,
    ledger: Arc<Ledger>,
    quota: Arc<Quota>,
    stop: Arc<AtomicBool>,
    seed: Seed,
    threads: Vec<JoinHandle<()>>,
}

/// How many messages publishers may still publish, all together.
#[derive(Debug)]
pub(crate) struct Quota {
    left: AtomicUsize,
    stop: Arc<AtomicBool>,
}

impl Quota {
    /// True when nothing may be published any more.
    pub(crate) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.left.load(Ordering::Relaxed) == 0
    }

    /// Takes `count` messages, or what is left of them; false when it is over.
    pub(crate) fn take(&self, count: usize) -> bool {
        let before = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(count))
            })
            .unwrap_or(0);
        before > 0 && !self.stop.load(Ordering::Relaxed)
    }
}

impl Traffic {
    /// Nobody yet. All publishers together will publish about `quota` messages.
    pub fn new(addresses: Addresses, ledger: &Arc<Ledger>, quota: usize, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let quota = Arc::new(Quota { left: AtomicUsize::new(quota), stop: Arc::clone(&stop) });
        let ledger = Arc::clone(ledger);
        Self { addresses, ledger, quota, stop, seed: Seed(seed), threads: Vec::new() }
    }

    /// Adds a publisher.
    pub fn publish(&mut self, topic: &str, style: Style) {
        let (topic, addresses) = (topic.to_owned(), self.addresses);
        let (ledger, quota) = (Arc::clone(&self.ledger), Arc::clone(&self.quota));
        let seed = Seed(self.seed.draw());
        self.threads.push(std::thread::spawn(move || {
            let (topic, ledger, quota) = (&topic, &*ledger, &*quota);
            Publisher { style, topic, addresses, ledger, quota, seed }.run();
        }));
    }

    /// Adds a consumer.
    pub fn consume(&mut self, topic: &str, channel: &str, temper: Temper) {
        let (topic, channel, addresses) = (topic.to_owned(), channel.to_owned(), self.addresses);
        let (ledger, stop) = (Arc::clone(&self.ledger), Arc::clone(&self.stop));
        let seed = Seed(self.seed.draw());
        self.threads.push(std::thread::spawn(move || {
            let (topic, channel, ledger, stop) = (&topic, &channel, &*ledger, &*stop);
            Consumer { temper, topic, channel, addresses, ledger, stop, seed }.run();
        }));
    }

    /// Tells everybody to stop and waits for them. Whoever still waits for an answer of the
    /// daemon gets it or the end of the connection first.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a thread of the traffic did not panic");
        }
    }
}
