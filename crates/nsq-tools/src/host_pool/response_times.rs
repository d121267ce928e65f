//! How long a host took lately.

use std::time::{Duration, Instant};

/// How many parts the time looked back to has,
const BUCKETS: usize = 120;
/// and how long each is: five minutes in all.
const BUCKET: Duration = Duration::from_millis(5 * 60 * 1000 / BUCKETS as u64);

/// The sums of whole milliseconds of successful requests, in a ring of buckets.
#[derive(Debug)]
pub(super) struct ResponseTimes {
    ring: [Bucket; BUCKETS],
    newest: usize,
    /// When the newest bucket began.
    since: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    count: u64,
    total_ms: u64,
}

impl ResponseTimes {
    pub(super) fn new(now: Instant) -> Self {
        Self { ring: [Bucket::default(); BUCKETS], newest: 0, since: now }
    }

    /// A request took so long.
    pub(super) fn record(&mut self, took: Duration, now: Instant) {
        self.turn(now);
        let bucket = &mut self.ring[self.newest];
        bucket.count += 1;
        // A request of less than a millisecond counts as 0, as in go-hostpool.
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        bucket.total_ms = bucket.total_ms.saturating_add(took_ms);
    }

    /// The sum of the buckets' averages, newer ones weighing more; one without requests counts
    /// like the one before. 0 if nothing is known.
    pub(super) fn weighted_average_ms(&mut self, now: Instant) -> f64 {
        self.turn(now);
        let (mut sum, mut last) = (0.0, 0.0);
        for age in 1..=BUCKETS {
            let bucket = self.ring[(self.newest + age) % BUCKETS];
            if bucket.count > 0 {
                last = bucket.total_ms as f64 / bucket.count as f64;
            }
            sum += last * age as f64 / BUCKETS as f64;
        }
        sum
    }

    /// Begins the buckets that are due.
    fn turn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let steps = u32::try_from(passed.as_millis() / BUCKET.as_millis()).unwrap_or(u32::MAX);
        for _ in 0..steps.min(BUCKETS as u32) {
            self.newest = (self.newest + 1) % BUCKETS;
            self.ring[self.newest] = Bucket::default();
        }
        self.since += BUCKET.saturating_mul(steps);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_times_weigh_more_and_old_ones_go() {
        let start = Instant::now();
        let mut times = ResponseTimes::new(start);
        assert_eq!(times.weighted_average_ms(start), 0.0);
        times.record(Duration::from_micros(999), start);
        assert_eq!(times.weighted_average_ms(start), 0.0, "whole milliseconds");
        times.record(Duration::from_millis(9), start);
        // Two requests with 9 ms together, in the newest bucket, whose weight is 1.
        assert_eq!(times.weighted_average_ms(start), 4.5);
        let later = start + BUCKET;
        times.record(Duration::from_millis(12), later);
        assert_eq!(times.weighted_average_ms(later), 4.5 * 119.0 / 120.0 + 12.0);
        assert!(times.weighted_average_ms(later + BUCKET * 119) > 0.0);
        assert_eq!(times.weighted_average_ms(later + BUCKET * 121), 0.0);
        let in_days = start + Duration::from_secs(86_400 * 30);
        times.record(Duration::from_millis(7), in_days);
        assert_eq!(times.weighted_average_ms(in_days), 7.0);
    }
}
