//! How much memory all topics together may use for messages.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A number of bytes shared by all logs of a process.
///
/// It never refuses: a message that was accepted is first of all kept. Whoever takes it over the
/// limit gives up its own oldest messages, which are on disk too.
#[derive(Debug)]
pub struct MemoryBudget {
    used: AtomicUsize,
    limit: usize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that should not be exceeded.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Whether more is in use than should be.
    pub fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }

    pub(crate) fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}
