//! How many messages may go out now.

use std::time::{Duration, Instant};

/// Gains a token each 1/n second, up to n; a message takes one. It starts with one.
#[derive(Debug)]
pub(super) struct TokenBucket {
    capacity: u64,
    interval: Duration,
    tokens: u64,
    /// Until when the tokens are counted.
    counted_at: Instant,
}

impl TokenBucket {
    /// So many messages a second; at least 1 and at most a thousand million.
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        let rate = rate.clamp(1, 1_000_000_000);
        let interval = Duration::from_nanos(1_000_000_000 / rate);
        Self { capacity: rate, interval, tokens: 1, counted_at: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// There is none; says when the next one comes.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let passed = now.saturating_duration_since(self.counted_at);
        let gained = passed.as_nanos() / self.interval.as_nanos();
        let gained = u64::try_from(gained).unwrap_or(u64::MAX);
        self.tokens = self.tokens.saturating_add(gained).min(self.capacity);
        match u32::try_from(gained) {
            Ok(gained) => self.counted_at += self.interval * gained,
            // The bucket is full whatever is left over.
            Err(_) => self.counted_at = now,
        }
        if self.tokens == 0 {
            return Err(self.counted_at + self.interval);
        }
        self.tokens -= 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many messages goes out that are there from the beginning.
    fn schedule(rate: u64, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let (mut bucket, mut now) = (TokenBucket::new(rate, start), start);
        let mut next = || {
            while let Err(later) = bucket.take(now) {
                assert!(later > now);
                now = later;
            }
            (now - start).as_millis()
        };
        std::iter::repeat_with(&mut next).take(count).collect()
    }

    #[test]
    fn messages_go_out_evenly() {
        assert_eq!(schedule(10, 4), [0, 100, 200, 300]);
        assert_eq!(schedule(1, 3), [0, 1000, 2000]);
        assert_eq!(schedule(10, 20).last(), Some(&1900));
        assert_eq!(schedule(1000, 1001).last(), Some(&1000));
    }

    #[test]
    fn no_more_than_a_second_is_saved_up() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(5, start);
        let late = start + Duration::from_secs(3600);
        assert_eq!((0..10).filter(|_| bucket.take(late).is_ok()).count(), 5);
        assert!(bucket.take(late + Duration::from_millis(200)).is_ok());
    }

    #[test]
    fn absurd_rates_are_no_panic() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(u64::MAX, start);
        assert!(bucket.take(start + Duration::from_secs(1 << 40)).is_ok());
        assert!(TokenBucket::new(0, start).take(start).is_ok());
    }
}
