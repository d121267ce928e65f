//! `LatencyBook`: how long messages were on their way.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::report::Report;

/// Longest latency told apart; later messages count as this late.
const MAX_LATENCY: Duration = Duration::from_secs(600);

/// Latencies with three exact digits, from a nanosecond on.
pub(crate) struct LatencyBook {
    histogram: Histogram<u64>,
}

impl LatencyBook {
    /// An empty book.
    pub(crate) fn new() -> Self {
        let max_ns = u64::try_from(MAX_LATENCY.as_nanos()).expect("ten minutes fit");
        let histogram = Histogram::new_with_bounds(1, max_ns, 3).expect("the bounds are in order");
        Self { histogram }
    }

    /// Adds a latency.
    pub(crate) fn note(&mut self, latency_ns: u64) {
        self.histogram.saturating_record(latency_ns.max(1));
    }

    /// The latency in ms that `percent` of all messages did not exceed; 0 when there are none.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        if self.histogram.is_empty() {
            return 0.0;
        }
        self.histogram.value_at_percentile(percent) as f64 / 1e6
    }

    /// Adds the percentiles under the given names: p50, p90, p99, p99.9, max.
    pub(crate) fn report(&self, report: &mut Report, names: [&'static str; 5]) {
        for (name, percent) in names.into_iter().zip([50.0, 90.0, 99.0, 99.9, 100.0]) {
            report.real(name, self.percentile_ms(percent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_exact_to_three_digits() {
        let mut book = LatencyBook::new();
        for microseconds in 1..=1000 {
            book.note(microseconds * 1000);
        }
        let cases = [(50.0, 0.5), (90.0, 0.9), (99.0, 0.99), (99.9, 0.999), (100.0, 1.0)];
        for (percent, expected_ms) in cases {
            let found = book.percentile_ms(percent);
            assert!((found - expected_ms).abs() <= expected_ms / 500.0, "p{percent}: {found}");
        }
    }

    #[test]
    fn one_outlier_moves_only_the_last_percentiles() {
        let mut book = LatencyBook::new();
        (0..9999).for_each(|_| book.note(100_000));
        book.note(u64::MAX);
        assert!(book.percentile_ms(99.9) < 0.101);
        assert!(book.percentile_ms(100.0) > 590_000.0);
        assert!(LatencyBook::new().percentile_ms(50.0).abs() < f64::EPSILON);
    }
}
