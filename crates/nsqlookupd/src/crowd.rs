//! How many TCP clients there may be at once, and who goes when there are more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nsq_app::nanoseconds;
use tokio::sync::Notify;

/// So few clients are not worth a look.
const TIDY_MIN: usize = 64;
/// Nobody is silent who said something so recently, whatever `--inactive-producer-timeout` is: an
/// nsqd pings every 15 s.
const SILENCE_MIN: Duration = Duration::from_secs(60);

/// A connection, as far as it matters to the others.
#[derive(Debug)]
pub(crate) struct Presence {
    heard_at_ns: AtomicI64,
    is_identified: AtomicBool,
    unwanted: Notify,
}

impl Presence {
    pub(crate) fn new(now_ns: i64) -> Self {
        Self {
            heard_at_ns: AtomicI64::new(now_ns),
            is_identified: AtomicBool::new(false),
            unwanted: Notify::new(),
        }
    }

    /// A command came.
    pub(crate) fn hear(&self, now_ns: i64) {
        self.heard_at_ns.store(now_ns, Ordering::Relaxed);
    }

    /// It has said which nsqd it is.
    pub(crate) fn identify(&self) {
        self.is_identified.store(true, Ordering::Relaxed);
    }

    /// Returns when it has to make room for another.
    pub(crate) async fn unwanted(&self) {
        self.unwanted.notified().await;
    }

    fn heard_at_ns(&self) -> i64 {
        self.heard_at_ns.load(Ordering::Relaxed)
    }

    fn is_identified(&self) -> bool {
        self.is_identified.load(Ordering::Relaxed)
    }
}

/// Keeps the number of clients within bounds.
///
/// One too many takes the place of the oldest connection that has not identified, which an nsqd
/// does at once: so a flood of connections keeps no nsqd out. What such a connection says
/// meanwhile does not count, or it could stay by saying something all the time. When all have
/// identified, the one goes that has been silent for longest, if it is inactive by that. When there
/// is none such either, the newcomer is closed at once: an nsqd that is well never has to go.
#[derive(Debug)]
pub(crate) struct Crowd {
    max: usize,
    /// How long an nsqd may be silent.
    silence_ns: i64,
    /// In the order in which they came. Some have identified since, or are gone.
    newcomers: VecDeque<Weak<Presence>>,
    /// Some are gone.
    identified: Vec<Weak<Presence>>,
    /// No nsqd can have been silent for too long before.
    none_silent_until_ns: i64,
    /// How many newcomers there may be until those who are none are taken out.
    tidy_at: usize,
}

impl Crowd {
    pub(crate) fn new(max: usize, inactive_after: Duration) -> Self {
        Self {
            max,
            silence_ns: nanoseconds(inactive_after.max(SILENCE_MIN)),
            newcomers: VecDeque::new(),
            identified: Vec::new(),
            none_silent_until_ns: i64::MAX,
            tidy_at: TIDY_MIN,
        }
    }

    /// Notes a connection that was admitted.
    pub(crate) fn add(&mut self, presence: &Arc<Presence>) {
        if self.newcomers.len() >= self.tidy_at {
            self.tidy();
        }
        self.newcomers.push_back(Arc::downgrade(presence));
    }

    /// Whether another connection may come while `connected` are there.
    pub(crate) fn admits(&mut self, connected: usize, now_ns: i64) -> bool {
        connected < self.max || self.replaces_newcomer() || self.replaces_silent(now_ns)
    }

    /// Asks the oldest connection that has not identified to go, if there is one.
    fn replaces_newcomer(&mut self) -> bool {
        while let Some(presence) = self.newcomers.pop_front() {
            let Some(presence) = presence.upgrade() else { continue };
            if !presence.is_identified() {
                presence.unwanted.notify_one();
                return true;
            }
            self.note_identified(&presence);
        }
        false
    }

    /// Asks the nsqd that has been silent for longest to go, if that is too long. A flood of
    /// refused connections must not look through all of them each time.
    fn replaces_silent(&mut self, now_ns: i64) -> bool {
        if now_ns < self.none_silent_until_ns {
            return false;
        }
        self.identified.retain(|presence| presence.strong_count() > 0);
        let all = self.identified.iter().filter_map(Weak::upgrade);
        let Some(silent) = all.min_by_key(|presence| presence.heard_at_ns()) else {
            return false;
        };
        let until_ns = silent.heard_at_ns().saturating_add(self.silence_ns);
        if now_ns < until_ns {
            self.none_silent_until_ns = until_ns;
            return false;
        }
        let place = Arc::downgrade(&silent);
        self.identified.retain(|presence| !presence.ptr_eq(&place));
        silent.unwanted.notify_one();
        true
    }

    fn note_identified(&mut self, presence: &Arc<Presence>) {
        let until_ns = presence.heard_at_ns().saturating_add(self.silence_ns);
        self.none_silent_until_ns = self.none_silent_until_ns.min(until_ns);
        self.identified.push(Arc::downgrade(presence));
    }

    /// Even a weak reference keeps the memory of a connection that is gone.
    fn tidy(&mut self) {
        self.identified.retain(|presence| presence.strong_count() > 0);
        for presence in std::mem::take(&mut self.newcomers) {
            let Some(alive) = presence.upgrade() else { continue };
            if alive.is_identified() {
                self.note_identified(&alive);
            } else {
                self.newcomers.push_back(presence);
            }
        }
        self.tidy_at = TIDY_MIN.max(2 * self.newcomers.len()).max(self.identified.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const TIMEOUT: Duration = Duration::from_secs(300);

    /// A full crowd of connections that were heard at these seconds; identified or not.
    fn full(members: &[(i64, bool)], timeout: Duration) -> (Crowd, Vec<Arc<Presence>>) {
        let mut crowd = Crowd::new(members.len(), timeout);
        let mut all = Vec::new();
        for &(heard_at, is_identified) in members {
            let presence = Arc::new(Presence::new(0));
            presence.hear(heard_at * SECOND);
            if is_identified {
                presence.identify();
            }
            crowd.add(&presence);
            all.push(presence);
        }
        (crowd, all)
    }

    /// Who was asked to go, by their places.
    fn asked(all: &[Arc<Presence>]) -> Vec<usize> {
        let is_asked = |presence: &Arc<Presence>| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            std::pin::pin!(presence.unwanted()).poll(&mut context).is_ready()
        };
        (0..all.len()).filter(|&place| is_asked(&all[place])).collect()
    }

    #[track_caller]
    fn check(members: &[(i64, bool)], now: i64, expected: &[usize]) {
        let (mut crowd, all) = full(members, TIMEOUT);
        assert_eq!(crowd.admits(members.len(), now * SECOND), !expected.is_empty());
        assert_eq!(asked(&all), expected, "{members:?} at {now}");
    }

    #[test]
    fn somebody_goes_only_when_there_are_too_many() {
        let (mut crowd, all) = full(&[(0, false), (0, true)], TIMEOUT);
        assert!(crowd.admits(1, 1000 * SECOND));
        assert_eq!(asked(&all), [0_usize; 0]);
    }

    #[test]
    fn first_those_go_that_never_identified() {
        check(&[(0, true), (9, false), (0, false)], 1000, &[1]);
        check(&[(0, true), (0, true), (999, false)], 1000, &[2]);
    }

    #[test]
    fn then_the_one_that_is_silent_for_longest() {
        check(&[(3, true), (1, true), (2, true)], 400, &[1]);
        check(&[(3, true), (1, true), (2, true)], 300, &[]);
        check(&[(3, true), (1, true), (2, true)], 301, &[1]);
    }

    #[test]
    fn an_nsqd_that_pings_never_has_to_go() {
        let (mut crowd, all) = full(&[(0, true), (0, true)], Duration::from_secs(1));
        for now in (0..3600).step_by(15) {
            all.iter().for_each(|presence| presence.hear(now * SECOND));
            assert!(!crowd.admits(2, (now + 14) * SECOND));
        }
        assert_eq!(asked(&all), [0_usize; 0]);
    }

    #[test]
    fn one_goes_for_each_that_comes() {
        let (mut crowd, mut all) = full(&[(0, false), (0, true), (0, false)], TIMEOUT);
        for (now, expected) in [(10, Some(0)), (10, Some(2)), (10, Some(3)), (310, Some(4))] {
            assert!(crowd.admits(3, now * SECOND));
            assert_eq!(asked(&all), expected.into_iter().collect::<Vec<_>>(), "{now}");
            let newcomer = Arc::new(Presence::new(now * SECOND));
            crowd.add(&newcomer);
            all.push(newcomer);
        }
        // Those that are left have all identified, and were heard at 0, 10 and 310 s.
        all[5].identify();
        all[6].identify();
        for expected in [Some(1), Some(5), None] {
            assert_eq!(crowd.admits(3, 311 * SECOND), expected.is_some());
            assert_eq!(asked(&all), expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn connections_that_are_gone_are_forgotten() {
        let mut crowd = Crowd::new(1_000_000, TIMEOUT);
        let mut staying = Vec::new();
        for number in 0..10_000 {
            let presence = Arc::new(Presence::new(0));
            if number % 2 == 0 {
                presence.identify();
            }
            crowd.add(&presence);
            if number % 1000 < 2 {
                staying.push(presence);
            }
        }
        let known = crowd.newcomers.len() + crowd.identified.len();
        assert!(known <= 4 * TIDY_MIN, "{known}");
        let known: Vec<_> = crowd.newcomers.iter().chain(&crowd.identified).collect();
        let is_known = |presence: &Arc<Presence>| {
            let presence = Arc::downgrade(presence);
            known.iter().any(|other| other.ptr_eq(&presence))
        };
        assert!(staying.iter().all(is_known));
    }
}
