//! Slowing down after failures.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::BackoffStrategy;

/// The rules of back-off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackoffRules {
    pub(crate) strategy: BackoffStrategy,
    pub(crate) multiplier: Duration,
    pub(crate) max: Duration,
}

/// How slow a consumer is at the moment.
///
/// ```text
///            failure                    time               failure (level + 1, if it may)
/// Off (0) ───────────> Waiting(level) ────────> Probing ──────────────────────> Waiting
///    ^                        ^                    │ success (level - 1)
///    └── level became 0 ──────┴──── level > 0 ─────┘
/// ```
///
/// What comes while waiting is of messages from before, and does not count. Waiting is
/// `multiplier × 2^level` long; a level whose wait would be longer than the maximum is not reached.
#[derive(Debug)]
pub(crate) struct Backoff {
    rules: BackoffRules,
    level: u32,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// All messages may come.
    Off,
    /// None may come until then.
    Waiting { until: Instant },
    /// One may come, to see how that goes.
    Probing,
}

/// How a message was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Success,
    Failure,
    /// Put back for a reason that says nothing about the consumer's health.
    Neutral,
}

impl Backoff {
    pub(crate) fn new(rules: BackoffRules) -> Self {
        Self { rules, level: 0, phase: Phase::Off }
    }

    /// A message was answered. `share` is a random number from 0 to 1, for jitter. Returns whether
    /// the phase has changed.
    pub(crate) fn note(&mut self, verdict: Verdict, now: Instant, share: f64) -> bool {
        if matches!(self.phase, Phase::Waiting { .. }) {
            return false;
        }
        match verdict {
            Verdict::Success => self.level = self.level.saturating_sub(1),
            Verdict::Failure => {
                if self.wait(self.level + 1).is_some_and(|wait| wait <= self.rules.max) {
                    self.level += 1;
                }
            }
            Verdict::Neutral => {}
        }
        let before = self.phase;
        self.phase = match self.level {
            0 => Phase::Off,
            level => {
                let wait = self.wait(level).unwrap_or(self.rules.max);
                let wait = match self.rules.strategy {
                    BackoffStrategy::Exponential => wait,
                    BackoffStrategy::FullJitter => wait.mul_f64(share.clamp(0.0, 1.0)),
                };
                Phase::Waiting { until: now + wait }
            }
        };
        self.phase != before
    }

    /// Time has passed. Returns whether the wait is over.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let is_over = matches!(self.phase, Phase::Waiting { until } if now >= until);
        if is_over {
            self.phase = Phase::Probing;
        }
        is_over
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    fn wait(&self, level: u32) -> Option<Duration> {
        self.rules.multiplier.checked_mul(1_u32.checked_shl(level)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backoff(multiplier_ms: u64, max_ms: u64) -> Backoff {
        Backoff::new(BackoffRules {
            strategy: BackoffStrategy::Exponential,
            multiplier: Duration::from_millis(multiplier_ms),
            max: Duration::from_millis(max_ms),
        })
    }

    /// The wait that a verdict causes, passed at once; 0 if there is none.
    fn wait(backoff: &mut Backoff, verdict: Verdict, now: &mut Instant) -> u64 {
        backoff.note(verdict, *now, 1.0);
        let Phase::Waiting { until } = backoff.phase() else { return 0 };
        let wait = until - *now;
        *now = until;
        assert!(backoff.expire(*now));
        wait.as_millis() as u64
    }

    /// As seen with go-nsq, multiplier 100 ms and maximum 1 s.
    #[test]
    fn waits_double_and_come_down_again() {
        let (mut backoff, mut now) = (backoff(100, 1000), Instant::now());
        let mut waits = |verdict, count: usize| -> Vec<u64> {
            (0..count).map(|_| wait(&mut backoff, verdict, &mut now)).collect()
        };
        assert_eq!(waits(Verdict::Failure, 5), [200, 400, 800, 800, 800]);
        assert_eq!(waits(Verdict::Neutral, 1), [800]);
        assert_eq!(waits(Verdict::Success, 4), [400, 200, 0, 0]);
    }

    /// 128 s would be more than 2 minutes.
    #[test]
    fn defaults_end_at_64_seconds() {
        let (mut backoff, mut now) = (backoff(1000, 120_000), Instant::now());
        let mut last = 0;
        for _ in 0..20 {
            last = wait(&mut backoff, Verdict::Failure, &mut now);
        }
        assert_eq!(last, 64_000);
    }

    #[test]
    fn a_maximum_of_zero_switches_it_off() {
        let mut backoff = backoff(1000, 0);
        assert!(!backoff.note(Verdict::Failure, Instant::now(), 1.0));
        assert_eq!((backoff.level(), backoff.phase()), (0, Phase::Off));
    }

    proptest! {
        #[test]
        fn laws(
            multiplier_ms in 0_u64..5000,
            max_ms in 0_u64..200_000,
            steps in proptest::collection::vec((0..4_u8, 0_u64..100_000, 0.0..1.0_f64), 1..200),
        ) {
            let mut backoff = backoff(multiplier_ms, max_ms);
            backoff.rules.strategy = BackoffStrategy::FullJitter;
            let mut now = Instant::now();
            for (step, passed_ms, share) in steps {
                now += Duration::from_millis(passed_ms);
                let (level, phase) = (backoff.level(), backoff.phase());
                match step {
                    0 => { backoff.note(Verdict::Success, now, share); }
                    1 => { backoff.note(Verdict::Failure, now, share); }
                    2 => { backoff.note(Verdict::Neutral, now, share); }
                    _ => { backoff.expire(now); }
                }
                prop_assert!(backoff.level().abs_diff(level) <= 1, "one step at a time");
                prop_assert_eq!(backoff.level() == 0, backoff.phase() == Phase::Off);
                if let Phase::Waiting { until } = backoff.phase() {
                    let longest = Duration::from_millis(max_ms);
                    let is_new = backoff.phase() != phase;
                    prop_assert!(!is_new || until <= now + longest, "never longer than allowed");
                }
            }
        }
    }
}
