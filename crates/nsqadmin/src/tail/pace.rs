//! How many messages are shown in a second.

use std::time::{Duration, Instant};

/// What counts as one.
const WINDOW: Duration = Duration::from_secs(1);

/// Lets so many through in each second, and counts the others.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    began: Option<Instant>,
    shown: u32,
    skipped: u64,
}

impl Pace {
    pub(super) fn new(most: u32) -> Self {
        Self { most, began: None, shown: 0, skipped: 0 }
    }

    /// Whether a message that comes now is shown. One that is not is counted.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            (self.began, self.shown) = (Some(now), 0);
        }
        let is_shown = self.shown < self.most;
        if is_shown {
            self.shown += 1;
        } else {
            self.skipped += 1;
        }
        is_shown
    }

    /// When it is to be told how many were not shown; none if there are none.
    pub(super) fn due(&self) -> Option<Instant> {
        self.began.filter(|_| self.skipped > 0).map(|began| began + WINDOW)
    }

    /// How many were not shown since this was asked last.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each message is shown or counted, and no second has more than it may.
    #[test]
    fn whatever_comes_is_shown_or_counted() {
        let start = Instant::now();
        for step_ms in [0, 1, 7, 99, 100, 101, 999, 1000, 1500] {
            let (mut pace, mut shown, mut counted) = (Pace::new(10), Vec::new(), 0);
            for number in 0..1000_u32 {
                let now = start + Duration::from_millis(step_ms) * number;
                if pace.due().is_some_and(|due| due <= now) {
                    counted += pace.take_skipped();
                }
                if pace.admit(now) {
                    shown.push(now);
                }
            }
            counted += pace.take_skipped();
            assert_eq!(shown.len() as u64 + counted, 1000, "{step_ms} ms");
            // Windows begin with a message, so at most two of them touch any second.
            let crowd = |from: &Instant| {
                shown.iter().filter(|at| (*from..*from + WINDOW).contains(*at)).count()
            };
            assert!(shown.iter().all(|from| crowd(from) <= 20), "{step_ms} ms");
            assert_eq!(counted == 0, step_ms >= 100, "{step_ms} ms");
            assert_eq!(pace.due(), None);
        }
    }
}
