//! How many connections a listener has and had.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the connections of one listener, or of several together.
#[derive(Debug, Default)]
pub struct ConnectionMeter {
    open: AtomicU64,
    accepted: AtomicU64,
}

/// A connection that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    meter: Arc<ConnectionMeter>,
}

impl ConnectionMeter {
    /// Counts a connection that was just accepted.
    #[must_use]
    pub fn accept(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        OpenConnection { meter: Arc::clone(self) }
    }

    /// Connections that are open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.meter.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_open_until_it_is_dropped() {
        let meter = Arc::new(ConnectionMeter::default());
        let (first, second) = (meter.accept(), meter.accept());
        drop(first);
        assert_eq!((meter.open(), meter.accepted()), (1, 2));
        drop(second);
        assert_eq!((meter.open(), meter.accepted()), (0, 2));
    }
}
