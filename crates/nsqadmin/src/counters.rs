//! What one nsqd had counted when it was last asked: only what rates are made of.

use std::time::Duration;

use nsq_api::{ChannelStats, TopicStats};

/// The counts of all topics and channels of one node, compact: there may be a million of them in
/// a cluster. 40 bytes each.
#[derive(Debug, Default)]
pub(crate) struct NodeCounters {
    /// Counts begin anew when the node does.
    pub(crate) start_time: i64,
    /// When it answered, on a steady clock.
    pub(crate) seen_at: Duration,
    /// By subject, sorted.
    counters: Vec<(u32, Counters)>,
}

/// Counts of a topic or a channel on one node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Messages published to the topic, or put into the channel.
    messages: u64,
    /// Messages that are in the channel no more; off by what was there at the start.
    left: i64,
    requeues: u64,
    timeouts: u64,
}

/// Changes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    pub(crate) messages: f64,
    pub(crate) left: f64,
    pub(crate) requeues: f64,
    pub(crate) timeouts: f64,
}

impl NodeCounters {
    pub(crate) fn new(start_time: i64, seen_at: Duration, capacity: usize) -> Self {
        Self { start_time, seen_at, counters: Vec::with_capacity(capacity) }
    }

    pub(crate) fn push(&mut self, subject: u32, counters: Counters) {
        self.counters.push((subject, counters));
    }

    /// To be called when all of them are in.
    pub(crate) fn sort(&mut self) {
        self.counters.sort_unstable_by_key(|(subject, _)| *subject);
    }

    pub(crate) fn len(&self) -> usize {
        self.counters.len()
    }

    /// Forgets the counts; what comes next has nothing to be compared with.
    pub(crate) fn forget(&mut self) {
        self.counters = Vec::new();
        self.start_time = UNKNOWN_START;
    }

    /// How fast it went from then to `now`, `elapsed` later. What was not there began at zero.
    pub(crate) fn pace(&self, subject: u32, now: Counters, elapsed: Duration) -> Pace {
        let found = self.counters.binary_search_by_key(&subject, |(subject, _)| *subject);
        let before = found.ok().and_then(|place| self.counters.get(place));
        let before = before.map(|(_, counters)| *counters);
        // Less than before: it was deleted meanwhile, and created again.
        let before = before.filter(|before| before.messages <= now.messages);
        let before = before.unwrap_or_default();
        let messages = change(before.messages, now.messages);
        Pace {
            messages: per_second(messages, elapsed),
            left: per_second(change(before.left, now.left), elapsed),
            requeues: per_second(change(before.requeues, now.requeues), elapsed),
            timeouts: per_second(change(before.timeouts, now.timeouts), elapsed),
        }
    }
}

/// No daemon says that it was started then.
pub(crate) const UNKNOWN_START: i64 = i64::MIN;

impl Counters {
    pub(crate) fn of_topic(topic: &TopicStats) -> Self {
        Self { messages: topic.message_count, ..Self::default() }
    }

    pub(crate) fn of_channel(channel: &ChannelStats) -> Self {
        let inside = [channel.depth, channel.in_flight_count, channel.deferred_count];
        let inside: i128 = inside.into_iter().map(i128::from).sum();
        let left = i128::from(channel.message_count) - inside;
        Self {
            messages: channel.message_count,
            // What other daemons claim may be anything.
            left: i64::try_from(left).unwrap_or_default(),
            requeues: channel.requeue_count,
            timeouts: channel.timeout_count,
        }
    }
}

/// Wide enough for the difference of any two counts.
fn change<N: Into<i128>>(before: N, now: N) -> i128 {
    now.into() - before.into()
}

/// Nothing goes backwards: less than before is a count that was set back.
fn per_second(change: i128, elapsed: Duration) -> f64 {
    // No time at all, no rate.
    if elapsed.is_zero() { 0.0 } else { change.max(0) as f64 / elapsed.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(messages: u64, depth: i64, in_flight: i64, requeues: u64) -> Counters {
        Counters::of_channel(&ChannelStats {
            message_count: messages,
            depth,
            in_flight_count: in_flight,
            requeue_count: requeues,
            ..ChannelStats::default()
        })
    }

    /// From one state of a channel to another in 2 s: messages put in, left, requeued per second.
    #[track_caller]
    fn check(before: Option<Counters>, now: Counters, expected: (f64, f64, f64)) {
        let mut counters = NodeCounters::new(1, Duration::ZERO, 1);
        counters.push(9, Counters::default());
        if let Some(before) = before {
            counters.push(3, before);
        }
        counters.sort();
        let pace = counters.pace(3, now, Duration::from_secs(2));
        assert_eq!((pace.messages, pace.left, pace.requeues), expected);
    }

    #[test]
    fn what_goes_in_and_what_leaves() {
        check(Some(channel(100, 50, 0, 0)), channel(110, 20, 10, 4), (5.0, 15.0, 2.0));
        // Requeued: neither came nor went.
        check(Some(channel(100, 0, 10, 0)), channel(100, 10, 0, 10), (0.0, 0.0, 5.0));
        check(None, channel(8, 2, 0, 0), (4.0, 3.0, 0.0));
    }

    #[test]
    fn what_was_created_again_began_at_zero() {
        check(Some(channel(1000, 0, 0, 9)), channel(8, 8, 0, 0), (4.0, 0.0, 0.0));
    }

    #[test]
    fn absurd_counts_are_no_panic() {
        let huge = channel(u64::MAX, i64::MIN, i64::MIN, u64::MAX);
        check(Some(huge), huge, (0.0, 0.0, 0.0));
        let mut counters = NodeCounters::new(1, Duration::ZERO, 0);
        counters.push(1, channel(0, i64::MAX, i64::MAX, 0));
        let pace = counters.pace(1, huge, Duration::from_nanos(1));
        assert!(pace.messages.is_finite() && pace.left.is_finite());
        assert_eq!(counters.pace(1, huge, Duration::ZERO), Pace::default());
    }
}
