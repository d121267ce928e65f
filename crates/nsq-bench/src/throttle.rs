//! `Throttle`: holds publishers back while consumers are too far behind.

use std::sync::Arc;

use crate::tally::{Tally, total};

/// Bounds the messages that are published and not yet delivered on the slowest channel.
pub(crate) struct Throttle {
    max_backlog: u64,
    sent: Vec<Arc<Tally>>,
    /// One list of consumers for each channel.
    delivered: Vec<Vec<Arc<Tally>>>,
}

impl Throttle {
    /// Watches the given publishers and the consumers of each channel.
    pub(crate) fn new(
        max_backlog: u64,
        sent: Vec<Arc<Tally>>,
        delivered: Vec<Vec<Arc<Tally>>>,
    ) -> Self {
        Self { max_backlog, sent, delivered }
    }

    /// Messages a publisher may send between two looks: looking costs cache misses.
    pub(crate) fn check_every(&self) -> u64 {
        (self.max_backlog / 8 / self.sent.len().max(1) as u64).max(1)
    }

    /// Whether publishers should wait now.
    pub(crate) fn is_exceeded(&self) -> bool {
        let slowest = self.delivered.iter().map(|channel| total(channel)).min().unwrap_or(0);
        total(&self.sent).saturating_sub(slowest) > self.max_backlog
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_slowest_channel_counts() {
        let epoch = Instant::now();
        let tally = |count| {
            let tally = Tally::new(epoch);
            tally.add(count);
            tally
        };
        let delivered = vec![vec![tally(50), tally(40)], vec![tally(10), tally(20)]];
        let fast_enough = Throttle::new(70, vec![tally(60), tally(40)], delivered.clone());
        assert!(!fast_enough.is_exceeded());
        let too_slow = Throttle::new(69, vec![tally(60), tally(40)], delivered);
        assert!(too_slow.is_exceeded());
        assert_eq!(too_slow.check_every(), 4);
    }
}
