//! How many messages each connection may bring.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::{Backoff, BackoffRules, Phase, Verdict};

/// A connection of the consumer, counted from 1.
pub(crate) type ConnectionId = u64;

/// What decides over ready counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowRules {
    pub(crate) max_in_flight: u32,
    pub(crate) backoff: BackoffRules,
    pub(crate) low_ready_idle_timeout: Duration,
    pub(crate) low_ready_timeout: Duration,
    pub(crate) redistribute_interval: Duration,
}

/// Spreads the messages that may be in flight over the connections, as ready counts (RDY).
///
/// There is a budget: `max_in_flight`, or 1 while back-off probes, or 0 while it waits. Where it
/// is enough for all connections, each has its share, and the shares differ by at most 1 (unless a
/// daemon takes less). Where it is not, some have 1, and idle ones pass it on in turns.
///
/// Law: the sum of all ready counts is never above the budget, also in between, because those that
/// fall are told before those that rise.
#[derive(Debug)]
pub(crate) struct Flow {
    rules: FlowRules,
    backoff: Backoff,
    connections: BTreeMap<ConnectionId, Entry>,
    /// Counts turns, so that whoever waited longest is next.
    turn: u64,
    redistribute_at: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    ready: u32,
    max_ready: u32,
    /// Since when it has its ready count.
    since: Instant,
    last_message: Instant,
    /// When it last had a turn.
    turn: u64,
    /// It had its time, and somebody else is next.
    gave_up: bool,
}

/// A connection and the ready count it is to be told.
pub(crate) type Change = (ConnectionId, u32);

impl Flow {
    pub(crate) fn new(rules: FlowRules) -> Self {
        let (backoff, connections) = (Backoff::new(rules.backoff), BTreeMap::new());
        Self { rules, backoff, connections, turn: 0, redistribute_at: None }
    }

    /// A connection can take messages, up to `max_ready` at a time.
    pub(crate) fn connected(
        &mut self,
        id: ConnectionId,
        max_ready: u32,
        now: Instant,
    ) -> Vec<Change> {
        let entry =
            Entry { ready: 0, max_ready, since: now, last_message: now, turn: 0, gave_up: false };
        self.connections.insert(id, entry);
        self.balance(now)
    }

    /// A connection is gone, and what it had with it.
    pub(crate) fn lost(&mut self, id: ConnectionId, now: Instant) -> Vec<Change> {
        self.connections.remove(&id);
        self.balance(now)
    }

    /// From now on so many messages may be in flight; 0 is a pause.
    pub(crate) fn change_max_in_flight(&mut self, count: u32, now: Instant) -> Vec<Change> {
        self.rules.max_in_flight = count;
        self.balance(now)
    }

    /// A message was answered. `share` is random, from 0 to 1.
    pub(crate) fn answered(&mut self, verdict: Verdict, now: Instant, share: f64) -> Vec<Change> {
        if self.backoff.note(verdict, now, share) { self.balance(now) } else { Vec::new() }
    }

    /// A connection brought messages.
    pub(crate) fn brought(&mut self, id: ConnectionId, now: Instant) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.last_message = now;
        }
    }

    /// Time has passed.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Change> {
        if self.backoff.expire(now) {
            return self.balance(now);
        }
        if self.redistribute_at.is_some_and(|at| now >= at) {
            self.take_from_the_idle(now);
            return self.balance(now);
        }
        Vec::new()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        match self.backoff.phase() {
            Phase::Waiting { until } => Some(until),
            Phase::Off | Phase::Probing => self.redistribute_at,
        }
    }

    pub(crate) fn backoff(&self) -> &Backoff {
        &self.backoff
    }

    pub(crate) fn ready(&self, id: ConnectionId) -> u32 {
        self.connections.get(&id).map_or(0, |entry| entry.ready)
    }

    /// The whole share of a connection when nothing is wrong, for messages to people.
    pub(crate) fn full_share(&self) -> u32 {
        let count = u32::try_from(self.connections.len()).unwrap_or(u32::MAX).max(1);
        (self.rules.max_in_flight / count).max(1).min(self.rules.max_in_flight)
    }

    fn budget(&self) -> u32 {
        match self.backoff.phase() {
            Phase::Off => self.rules.max_in_flight,
            Phase::Waiting { .. } => 0,
            Phase::Probing => self.rules.max_in_flight.min(1),
        }
    }

    /// Whoever holds one of too few ready counts and does not use it, or had it for long, gives it
    /// up, if somebody else can have it. It goes to the end of the line.
    fn take_from_the_idle(&mut self, now: Instant) {
        let FlowRules { low_ready_idle_timeout, low_ready_timeout, .. } = self.rules;
        let could_take = |entry: &&Entry| entry.ready == 0 && entry.max_ready > 0;
        let mut waiting = self.connections.values().filter(could_take).count();
        for entry in self.connections.values_mut() {
            let quiet_since = entry.last_message.max(entry.since);
            let is_idle = now - quiet_since >= low_ready_idle_timeout;
            let had_its_time = now - entry.since >= low_ready_timeout;
            if entry.ready > 0 && waiting > 0 && (is_idle || had_its_time) {
                waiting -= 1;
                self.turn += 1;
                entry.turn = self.turn;
                entry.since = now;
                entry.gave_up = true;
            }
        }
    }

    /// The ready counts as they should be, those that fall first.
    fn balance(&mut self, now: Instant) -> Vec<Change> {
        let budget = self.budget();
        let targets = self.targets(budget);
        let is_scarce = budget > 0 && (budget as usize) < self.connections.len();
        let coming = self.redistribute_at.filter(|&at| at > now);
        let next = coming.unwrap_or(now + self.rules.redistribute_interval);
        self.redistribute_at = is_scarce.then_some(next);
        let mut changes = Vec::new();
        for (id, target) in targets {
            let Some(entry) = self.connections.get_mut(&id) else { continue };
            entry.gave_up = false;
            if entry.ready == target {
                continue;
            }
            if entry.ready == 0 {
                self.turn += 1;
                entry.turn = self.turn;
            }
            let falls = target < entry.ready;
            (entry.ready, entry.since) = (target, now);
            if falls {
                changes.insert(0, (id, target));
            } else {
                changes.push((id, target));
            }
        }
        changes
    }

    fn targets(&self, budget: u32) -> Vec<Change> {
        let count = u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return Vec::new();
        }
        if budget >= count {
            let (share, more) = (budget / count, budget % count);
            let shares = (0..count).map(|index| share + u32::from(index < more));
            let entries = self.connections.iter().zip(shares);
            return entries.map(|((id, entry), share)| (*id, share.min(entry.max_ready))).collect();
        }
        // Those who have one keep it; then whoever waited longest.
        let mut line: Vec<_> = self.connections.iter().collect();
        line.sort_by_key(|(id, entry)| (entry.ready == 0 || entry.gave_up, entry.turn, **id));
        let mut left = budget;
        let mut target = |entry: &Entry| {
            let ready = left.min(1).min(entry.max_ready);
            left -= ready;
            ready
        };
        line.into_iter().map(|(id, entry)| (*id, target(entry))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::BackoffStrategy;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn flow(max_in_flight: u32) -> Flow {
        Flow::new(FlowRules {
            max_in_flight,
            backoff: BackoffRules {
                strategy: BackoffStrategy::Exponential,
                multiplier: Duration::from_secs(1),
                max: Duration::from_secs(120),
            },
            low_ready_idle_timeout: Duration::from_secs(10),
            low_ready_timeout: Duration::from_secs(30),
            redistribute_interval: INTERVAL,
        })
    }

    fn readies(flow: &Flow) -> Vec<u32> {
        flow.connections.values().map(|entry| entry.ready).collect()
    }

    #[test]
    fn a_new_connection_gets_its_share_after_the_others_gave_theirs() {
        let (mut flow, now) = (flow(200), Instant::now());
        assert_eq!(flow.connected(1, 2500, now), [(1, 200)]);
        assert_eq!(flow.connected(2, 2500, now), [(1, 100), (2, 100)]);
        assert_eq!(flow.connected(3, 2500, now), [(2, 67), (1, 67), (3, 66)]);
        assert_eq!(flow.lost(2, now), [(1, 100), (3, 100)]);
        assert_eq!(flow.connected(4, 10, now), [(3, 67), (1, 67), (4, 10)]);
        assert_eq!(flow.change_max_in_flight(0, now).len(), 3);
        assert_eq!(readies(&flow), [0, 0, 0]);
    }

    /// Seen with go-nsq: two idle nsqd and one message in flight, and RDY moves.
    #[test]
    fn a_ready_count_that_is_not_used_is_passed_on() {
        let (mut flow, mut now) = (flow(1), Instant::now());
        flow.connected(1, 2500, now);
        flow.connected(2, 2500, now);
        let mut holders = vec![];
        for _ in 0..8 {
            now = flow.next_deadline().expect("scarce");
            flow.expire(now);
            holders.push(readies(&flow));
        }
        let (first, second) = (vec![1, 0], vec![0, 1]);
        let pattern = [&first, &second, &second, &first, &first, &second, &second, &first];
        assert_eq!(holders.iter().collect::<Vec<_>>(), pattern);
    }

    #[test]
    fn a_busy_connection_keeps_it_until_its_time_is_over() {
        let (mut flow, start) = (flow(1), Instant::now());
        flow.connected(1, 2500, start);
        flow.connected(2, 2500, start);
        let mut now = start;
        while flow.ready(1) == 1 {
            now = flow.next_deadline().expect("scarce");
            flow.brought(1, now);
            flow.expire(now);
        }
        assert_eq!(now - start, Duration::from_secs(30));
    }

    #[test]
    fn back_off_stops_probes_and_returns() {
        let (mut flow, now) = (flow(10), Instant::now());
        flow.connected(1, 2500, now);
        flow.connected(2, 2500, now);
        assert_eq!(flow.answered(Verdict::Failure, now, 0.5).len(), 2);
        assert_eq!(readies(&flow), [0, 0]);
        assert_eq!(flow.connected(3, 2500, now), [], "nothing while it waits");
        let now = flow.next_deadline().expect("waiting");
        flow.expire(now);
        assert_eq!(readies(&flow).iter().sum::<u32>(), 1, "one probe");
        flow.answered(Verdict::Success, now, 0.5);
        assert_eq!(readies(&flow), [4, 3, 3]);
    }

    proptest! {
        #[test]
        fn laws(
            max_in_flight in 0..20_u32,
            steps in proptest::collection::vec((0..8_u8, 0..12_u64, 0..40_u32), 1..200),
        ) {
            let mut flow = flow(max_in_flight);
            let (mut now, mut told) = (Instant::now(), BTreeMap::new());
            let mut most = max_in_flight;
            for (step, id, number) in steps {
                let changes = match step {
                    0 | 1 if !told.contains_key(&id) => {
                        told.insert(id, 0);
                        flow.connected(id, number, now)
                    }
                    2 => {
                        told.remove(&id);
                        flow.lost(id, now)
                    }
                    3 => {
                        most = number;
                        flow.change_max_in_flight(number, now)
                    }
                    4 => flow.answered(Verdict::Failure, now, 0.5),
                    5 => flow.answered(Verdict::Success, now, 0.5),
                    6 => {
                        flow.brought(id, now);
                        Vec::new()
                    }
                    _ => {
                        now += Duration::from_secs(u64::from(number));
                        flow.expire(now)
                    }
                };
                let before = told.values().sum::<u32>();
                for (id, ready) in changes {
                    prop_assert_ne!(told.insert(id, ready), Some(ready), "nothing is told twice");
                    prop_assert!(told.values().sum::<u32>() <= most.max(before), "the sum");
                }
                prop_assert!(told.values().sum::<u32>() <= flow.budget());
                for (id, ready) in &told {
                    prop_assert_eq!(*ready, flow.ready(*id));
                }
                let able = flow.connections.values().filter(|entry| entry.max_ready > 0).count();
                if flow.budget() > 0 && able > 0 {
                    prop_assert!(told.values().any(|ready| *ready > 0), "somebody may bring");
                }
                if flow.budget() as usize >= told.len() {
                    let mut all = flow.connections.values();
                    prop_assert!(all.all(|it| it.ready > 0 || it.max_ready == 0));
                }
            }
        }

        /// However few there are for many: everybody's turn comes.
        #[test]
        fn nobody_waits_for_ever(max_in_flight in 1..5_u32, count in 2..12_u64) {
            let (mut flow, mut now) = (flow(max_in_flight), Instant::now());
            for id in 0..count {
                flow.connected(id, 100, now);
            }
            let mut served = std::collections::BTreeSet::new();
            for _ in 0..count * 8 {
                served.extend((0..count).filter(|&id| flow.ready(id) > 0));
                now += INTERVAL;
                // All are busy: only time makes room.
                (0..count).for_each(|id| flow.brought(id, now));
                flow.expire(now);
            }
            prop_assert_eq!(served.len() as u64, count);
        }
    }
}
