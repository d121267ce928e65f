//! How many requests were made and how long they took, said every so often.

use std::time::Duration;

use anyhow::ensure;

/// More durations than that are not kept.
const EVERY_MAX: usize = 1_000_000;
/// Of fewer durations, no percentile says much.
const EVERY_ACCURATE: usize = 100;

/// Counts requests by address and in total. With a single address only the total is said.
#[derive(Debug)]
pub(crate) struct StatusLines {
    addresses: Vec<Counter>,
    total: Counter,
}

impl StatusLines {
    /// A line after every so many requests; 0 is never.
    ///
    /// # Errors
    ///
    /// When that is too many.
    pub(crate) fn new(every: usize, addresses: &[String]) -> anyhow::Result<Self> {
        ensure!(every <= EVERY_MAX, "--status-every must be at most {EVERY_MAX}");
        let every_of_address = if addresses.len() > 1 { every } else { 0 };
        let counter = |address| Counter::new(every_of_address, format!("[{address}]:"));
        let total = Counter::new(every, "[aggregate]:".to_owned());
        Ok(Self { addresses: addresses.iter().map(counter).collect(), total })
    }

    /// What is to be said at the start.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let counters = self.addresses.iter().chain([&self.total]);
        let rough = counters.filter(|counter| (1..EVERY_ACCURATE).contains(&counter.every));
        let warning = |counter: &Counter| {
            let every = counter.every;
            format!(
                "Warning: use more than {EVERY_ACCURATE} status values for accurate percentiles \
                 (configured with {every})"
            )
        };
        rough.map(warning).collect()
    }

    /// A request to the address at this place took so long. Returns what is to be said.
    pub(crate) fn record(&mut self, address: usize, took: Duration) -> Option<String> {
        self.addresses[address].record(took)
    }

    /// A message took so long, with whatever requests that were. Returns what is to be said.
    pub(crate) fn record_total(&mut self, took: Duration) -> Option<String> {
        self.total.record(took)
    }
}

/// The last durations, in a ring.
#[derive(Debug)]
struct Counter {
    every: usize,
    name: String,
    last: Vec<Duration>,
    /// Where the next one goes.
    position: usize,
}

impl Counter {
    fn new(every: usize, name: String) -> Self {
        Self { every, name, last: Vec::new(), position: 0 }
    }

    /// The line comes with the first request of a new round, so its own duration is among them in
    /// place of the oldest.
    fn record(&mut self, took: Duration) -> Option<String> {
        if self.every == 0 {
            return None;
        }
        let is_full = self.position == self.every;
        if is_full {
            self.position = 0;
        }
        match self.last.get_mut(self.position) {
            Some(place) => *place = took,
            None => self.last.push(took),
        }
        self.position += 1;
        is_full.then(|| self.line())
    }

    fn line(&self) -> String {
        let mut sorted = self.last.clone();
        sorted.sort_unstable();
        let count = sorted.len();
        let total: Duration = sorted.iter().sum();
        let average = total / u32::try_from(count).unwrap_or(u32::MAX);
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let (high, higher) = (ms(percentile(95, &sorted)), ms(percentile(99, &sorted)));
        let (name, average) = (&self.name, ms(average));
        format!(
            "{name} finished {count} - 99th: {higher:.2}ms - 95th: {high:.2}ms - \
             avg: {average:.2}ms"
        )
    }
}

/// NSQ's rule: the value at ceil(p * n + 0.5), counted from 0, or else the last.
fn percentile(percent: usize, sorted: &[Duration]) -> Duration {
    let index = (percent * sorted.len() * 2 + 100).div_ceil(200);
    let found = sorted.get(index).or(sorted.last());
    found.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(every: usize, addresses: &[&str]) -> StatusLines {
        let addresses: Vec<String> = addresses.iter().map(|&it| it.to_owned()).collect();
        StatusLines::new(every, &addresses).expect("not too many")
    }

    #[test]
    fn percentiles_are_nsqs() {
        for (count, percent, expected) in [
            (1, 99, 1),
            (2, 95, 2),
            (10, 95, 10),
            // ceil(0.95 * 100 + 0.5) = 96, the 97th value.
            (100, 95, 97),
            (100, 99, 100),
            (200, 95, 192),
            (200, 99, 200),
            (250, 95, 239),
            (250, 99, 249),
            (1000, 95, 952),
            (1000, 99, 992),
        ] {
            let sorted: Vec<_> = (1..=count).map(Duration::from_millis).collect();
            let found = percentile(percent, &sorted).as_millis();
            assert_eq!(found, expected, "{percent} of {count}");
        }
        assert_eq!(percentile(99, &[]), Duration::ZERO);
    }

    #[test]
    fn a_line_comes_with_the_first_request_of_the_next_round() {
        let mut lines = lines(3, &["a"]);
        let said: Vec<_> =
            (1..=10).map(|ms| lines.record_total(Duration::from_millis(ms))).collect();
        let at: Vec<_> = (1..).zip(&said).filter(|(_, line)| line.is_some()).collect();
        assert_eq!(at.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [4, 7, 10]);
        let first = "[aggregate]: finished 3 - 99th: 4.00ms - 95th: 4.00ms - avg: 3.00ms";
        assert_eq!(said[3].as_deref(), Some(first));
    }

    #[test]
    fn addresses_are_told_apart_when_there_are_several() {
        let mut several = lines(1, &["x", "y"]);
        assert_eq!(several.record(0, Duration::ZERO), None);
        assert_eq!(several.record(1, Duration::ZERO), None);
        let line = "[x]: finished 1 - 99th: 1.50ms - 95th: 1.50ms - avg: 1.50ms";
        assert_eq!(several.record(0, Duration::from_micros(1500)).as_deref(), Some(line));
        let mut single = lines(1, &["x"]);
        assert_eq!(single.record(0, Duration::ZERO), None);
        assert_eq!(single.record(0, Duration::ZERO), None);
    }

    #[test]
    fn warnings_and_bounds() {
        let warning = "Warning: use more than 100 status values for accurate percentiles \
                       (configured with 5)";
        assert_eq!(lines(5, &["a", "b"]).warnings(), [warning; 3]);
        assert_eq!(lines(5, &["a"]).warnings(), [warning]);
        assert!(lines(0, &["a", "b"]).warnings().is_empty());
        assert!(lines(100, &["a", "b"]).warnings().is_empty());
        assert!(StatusLines::new(1_000_001, &[]).is_err());
        assert_eq!(lines(0, &["a"]).record_total(Duration::ZERO), None);
    }
}
