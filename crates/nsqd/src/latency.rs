//! How long messages take from publish to FIN: percentiles of the recent past.
//!
//! Samples go into two sketches that take turns, each for half the window. When half a window has
//! passed, the older one is cleared and takes over, so the figures cover between half a window and
//! a whole one, as in Go NSQ. A sketch (DDSketch) holds counts in logarithmic bins: a figure is
//! within 1 % of a true sample, and memory is bounded whatever comes in.

use std::fmt;
use std::time::Duration;

use nsq_api::{Latency, LatencyPercentile};
use nsq_app::nanoseconds;
use sketches_ddsketch::{Config, DDSketch};

/// How far a figure may be from a true sample, in relation to it.
const RELATIVE_ERROR: f64 = 0.01;
/// Enough for samples from 1 ns to years; beyond that the smallest are counted together.
const BINS_MAX: u32 = 2048;
/// What is shorter counts as 0.
const SHORTEST_NS: f64 = 1.0;

/// The latencies of one channel.
pub(crate) struct RecentLatencies {
    half_window_ns: i64,
    /// Wall time, as all here.
    swap_at_ns: i64,
    current: DDSketch,
    older: DDSketch,
}

/// The latencies of a channel, or of several channels together.
#[derive(Clone)]
pub(crate) struct LatencySummary(DDSketch);

impl RecentLatencies {
    /// None yet, at `now_ns`.
    pub(crate) fn new(window: Duration, now_ns: i64) -> Self {
        let half_window_ns = (nanoseconds(window) / 2).max(1);
        let swap_at_ns = now_ns.saturating_add(half_window_ns);
        Self { half_window_ns, swap_at_ns, current: empty(), older: empty() }
    }

    /// Messages that were published at these times were finished at `now_ns`. One whose time is
    /// still to come, because the clock was set back, counts as 0.
    pub(crate) fn record(&mut self, now_ns: i64, published_ns: &[i64]) {
        self.advance(now_ns);
        for published_ns in published_ns {
            self.current.add(now_ns.saturating_sub(*published_ns).max(0) as f64);
        }
    }

    /// What was recorded within the window.
    pub(crate) fn summary(&mut self, now_ns: i64) -> LatencySummary {
        self.advance(now_ns);
        let mut summary = LatencySummary(self.current.clone());
        summary.add(&LatencySummary(self.older.clone()));
        summary
    }

    fn advance(&mut self, now_ns: i64) {
        // After two turns nothing is left; a clock that was set back must not stop the turns.
        for _ in 0..2 {
            let began_ns = self.swap_at_ns.saturating_sub(self.half_window_ns);
            if (began_ns..self.swap_at_ns).contains(&now_ns) {
                return;
            }
            self.older = std::mem::replace(&mut self.current, empty());
            self.swap_at_ns = self.swap_at_ns.saturating_add(self.half_window_ns);
        }
        self.swap_at_ns = now_ns.saturating_add(self.half_window_ns);
    }
}

impl fmt::Debug for RecentLatencies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.current.count() + self.older.count();
        out.debug_struct("RecentLatencies").field("count", &count).finish_non_exhaustive()
    }
}

impl LatencySummary {
    /// Adds another channel's.
    pub(crate) fn add(&mut self, other: &Self) {
        self.0.merge(&other.0).expect("all sketches come from `empty`, with one configuration");
    }

    /// The percentiles that `/stats` shows.
    pub(crate) fn percentiles(&self, quantiles: &[f64]) -> Latency {
        let percentile = |&quantile| LatencyPercentile { quantile, value: self.value(quantile) };
        let percentiles = Some(quantiles.iter().map(percentile).collect());
        Latency { count: self.0.count() as u64, percentiles }
    }

    /// In whole nanoseconds; 0 without samples.
    fn value(&self, quantile: f64) -> f64 {
        let value = self.0.quantile(quantile.clamp(0.0, 1.0)).ok().flatten();
        let (Some(value), Some(least), Some(most)) = (value, self.0.min(), self.0.max()) else {
            return 0.0;
        };
        // The middle of the outermost bins may lie outside of what came in.
        value.clamp(least, most).round()
    }
}

fn empty() -> DDSketch {
    DDSketch::new(Config::new(RELATIVE_ERROR, BINS_MAX, SHORTEST_NS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_nanos(1000);
    const START: i64 = 1_795_371_738_000_000_000;

    fn count(latencies: &mut RecentLatencies, after_ns: i64) -> u64 {
        latencies.summary(START + after_ns).percentiles(&[]).count
    }

    #[test]
    fn figures_cover_between_half_a_window_and_a_whole_one() {
        let mut latencies = RecentLatencies::new(WINDOW, START);
        latencies.record(START + 10, &[START, START + 1]);
        latencies.record(START + 600, &[START]);
        for (after_ns, expected) in [(600, 3), (999, 3), (1000, 1), (1499, 1), (1500, 0)] {
            assert_eq!(count(&mut latencies, after_ns), expected, "after {after_ns} ns");
        }
        latencies.record(START + 1_000_000, &[START]);
        assert_eq!(count(&mut latencies, 1_000_400), 1);
        assert_eq!(count(&mut latencies, 9_000_000), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut latencies = RecentLatencies::new(WINDOW, START);
        latencies.record(START - 5_000, &[START]);
        assert_eq!(count(&mut latencies, -5_000), 1);
        assert_eq!(latencies.summary(START - 5_000).percentiles(&[1.0]).percentiles, {
            Some(vec![LatencyPercentile { quantile: 1.0, value: 0.0 }])
        });
        assert_eq!(count(&mut latencies, -3_000), 0);
    }

    /// Against the exact percentiles of the same samples.
    #[test]
    fn figures_are_within_one_percent() {
        let mut whole = RecentLatencies::new(WINDOW, START).summary(START);
        let samples: Vec<i64> = (1..=10_000).map(|n| n * n * 37).collect();
        for half in samples.chunks(5_000) {
            let mut latencies = RecentLatencies::new(WINDOW, START);
            let published: Vec<_> = half.iter().map(|sample| START - sample).collect();
            latencies.record(START, &published);
            whole.add(&latencies.summary(START));
        }
        let quantiles = [1.0, 0.99, 0.5, 0.01];
        let figures = whole.percentiles(&quantiles);
        assert_eq!(figures.count, 10_000);
        for figure in figures.percentiles.expect("they were asked for") {
            let exact = samples[((figure.quantile * 9_999.0) as usize).min(9_999)] as f64;
            let error = (figure.value - exact).abs() / exact;
            assert!(error <= RELATIVE_ERROR, "{figure:?} is not {exact}");
        }
    }

    #[test]
    fn one_sample_is_shown_as_it_is_and_none_as_zero() {
        let value = |latencies: &mut RecentLatencies| {
            let shown = latencies.summary(START).percentiles(&[0.99]).percentiles;
            shown.expect("asked for")[0].value
        };
        let mut latencies = RecentLatencies::new(WINDOW, START);
        assert_eq!(value(&mut latencies), 0.0);
        latencies.record(START, &[START - 4_483_630]);
        assert_eq!(value(&mut latencies), 4_483_630.0);
    }
}
