//! What is measured while the daemon works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nsq_app::ConnectionMeter;

/// The upper ends of the buckets, in microseconds; a last one takes the rest.
pub(crate) const BUCKETS_US: [u64; 19] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
    500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// The daemon's meters.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// Appends to logs on disk, each of one batch.
    pub(crate) appends: DurationMeter,
    /// Syncs of logs.
    pub(crate) syncs: DurationMeter,
    pub(crate) tcp: Arc<ConnectionMeter>,
    pub(crate) http: Arc<ConnectionMeter>,
}

/// How long something took, each time it happened. Without a lock: many threads measure at once.
#[derive(Debug, Default)]
pub(crate) struct DurationMeter {
    counts: [AtomicU64; BUCKETS_US.len() + 1],
    total_ns: AtomicU64,
}

/// A [`DurationMeter`] at some moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Durations {
    /// The upper end of each bucket in seconds, and how many durations fell into it alone. The
    /// last has none, which is written as the largest number.
    pub(crate) buckets: Vec<(f64, u64)>,
    pub(crate) total_seconds: f64,
}

impl DurationMeter {
    /// Does something and measures how long it takes, whether or not it succeeds.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.record(started.elapsed());
        done
    }

    fn record(&self, duration: Duration) {
        let bucket = BUCKETS_US.partition_point(|&end| Duration::from_micros(end) < duration);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.total_ns.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// What was measured so far.
    pub(crate) fn read(&self) -> Durations {
        let ends = BUCKETS_US.iter().map(|&end| end as f64 / 1e6).chain([f64::MAX]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let total_seconds = self.total_ns.load(Ordering::Relaxed) as f64 / 1e9;
        Durations { buckets: ends.zip(counts).collect(), total_seconds }
    }
}

impl Durations {
    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        for (nanoseconds, expected_end) in [
            (0, 10e-6),
            (10_000, 10e-6),
            (10_001, 25e-6),
            (2_000_000, 2.5e-3),
            (10_000_000_000, 10.0),
            (10_000_000_001, f64::MAX),
        ] {
            let meter = DurationMeter::default();
            meter.record(Duration::from_nanos(nanoseconds));
            let read = meter.read();
            let filled: Vec<_> = read.buckets.iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(filled, [&(expected_end, 1)], "{nanoseconds} ns");
            assert_eq!((read.count(), read.total_seconds), (1, nanoseconds as f64 / 1e9));
        }
    }

    #[test]
    fn what_is_measured_is_done_once() {
        let meter = DurationMeter::default();
        assert_eq!(meter.time(|| 7), 7);
        assert_eq!(meter.read().count(), 1);
    }
}
