//! When a lost connection is made again.

use std::time::Duration;

use tokio::time::Instant;

/// The first pause; each failure doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause, unless the poll interval is shorter.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// A connection that lasted so long was a good one: counting begins anew.
const GOOD: Duration = Duration::from_secs(10);

/// Paces the attempts to reach one nsqd.
#[derive(Debug)]
pub(crate) struct Retry {
    failures: u32,
    at: Instant,
    pause_max: Duration,
}

impl Retry {
    /// `interval` is the longest pause that is wanted.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { failures: 0, at: Instant::now(), pause_max: interval.min(PAUSE_MAX) }
    }

    /// A connection ended after this long; zero if there never was one.
    pub(crate) fn on_ended(&mut self, lasted: Duration, now: Instant) {
        if lasted >= GOOD {
            self.failures = 0;
        }
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(16)).min(self.pause_max);
        self.failures += 1;
        // Half of it by chance, so that many clients of one nsqd do not come back all at once.
        self.at = now + pause.mul_f64(0.5 + fastrand::f64() / 2.0);
    }

    /// When the next attempt is due.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_begin_anew() {
        let (mut retry, now) = (Retry::new(Duration::from_secs(60)), Instant::now());
        let mut pauses = vec![];
        for _ in 0..40 {
            retry.on_ended(Duration::ZERO, now);
            pauses.push(retry.at() - now);
        }
        assert!(pauses[0] >= PAUSE_MIN / 2 && pauses[0] <= PAUSE_MIN);
        assert!(pauses.iter().all(|pause| *pause <= PAUSE_MAX));
        assert!(pauses[10..].iter().all(|pause| *pause >= PAUSE_MAX / 2), "{pauses:?}");
        retry.on_ended(GOOD, now);
        assert!(retry.at() - now <= PAUSE_MIN);
    }
}
