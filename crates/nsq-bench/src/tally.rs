//! `Tally`: a running count that one thread writes and others watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A count and the moment it last changed, alone on its cache lines.
#[repr(align(128))]
pub(crate) struct Tally {
    epoch: Instant,
    count: AtomicU64,
    changed_ns: AtomicU64,
}

impl Tally {
    /// A count of 0; change times are measured from `epoch`.
    pub(crate) fn new(epoch: Instant) -> Arc<Self> {
        Arc::new(Self { epoch, count: AtomicU64::new(0), changed_ns: AtomicU64::new(0) })
    }

    /// Adds to the count.
    pub(crate) fn add(&self, count: u64) {
        let now_ns = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(count, Ordering::Relaxed);
        self.changed_ns.store(now_ns, Ordering::Relaxed);
    }

    /// The count now.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// When the count last changed; the epoch if it never did.
    pub(crate) fn changed_at(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.changed_ns.load(Ordering::Relaxed))
    }
}

/// Sum of several counts.
pub(crate) fn total(tallies: &[Arc<Tally>]) -> u64 {
    tallies.iter().map(|tally| tally.count()).sum()
}

/// The latest change of several counts.
pub(crate) fn last_change(tallies: &[Arc<Tally>]) -> Option<Instant> {
    tallies.iter().map(|tally| tally.changed_at()).max()
}
