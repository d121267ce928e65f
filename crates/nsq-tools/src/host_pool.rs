//! Which of several upstream addresses is asked next.

mod mode;
mod response_times;

use std::time::{Duration, Instant};

use response_times::ResponseTimes;

pub(crate) use mode::PoolMode;

/// A dead host is tried again after so long,
const RETRY_FIRST: Duration = Duration::from_secs(30);
/// then after twice as long each time, up to so long.
const RETRY_MAX: Duration = Duration::from_secs(900);
/// How often epsilon-greedy explores at first, as a share of all requests.
const EPSILON_FIRST: f64 = 0.3;
/// What is left of that share after each exploration.
const EPSILON_DECAY: f64 = 0.9;
/// It never becomes less.
const EPSILON_MIN: f64 = 0.01;

/// Picks a host for each request, by the rules of go-hostpool. Hosts are known by their place in
/// the list of addresses.
///
/// One rule is ours: with `concurrency` requests at a time, no host has more than its share of
/// them in flight while another one may be asked. So a host that hangs keeps its own requests
/// waiting, and not, one after the other, all there are.
#[derive(Debug)]
pub(crate) struct HostPool {
    mode: PoolMode,
    hosts: Vec<Host>,
    /// Where the round goes on.
    next: usize,
    epsilon: f64,
    concurrency: usize,
}

#[derive(Debug)]
struct Host {
    health: Health,
    times: ResponseTimes,
    /// Requests that were not answered yet.
    in_flight: usize,
}

/// ```text
///        failure                    picked when due: the delay doubles
/// Alive ─────────> Dead ──────────────────────────────────────────────┐
///   ^               │ ^────────────────────────────────────────────────┘
///   └───────────────┘ success, or all hosts are dead and none is due
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Alive,
    Dead { due: Instant, delay: Duration },
}

impl HostPool {
    /// For `count` hosts, at least one, and so many requests at a time.
    pub(crate) fn new(mode: PoolMode, count: usize, concurrency: usize, now: Instant) -> Self {
        assert!(count > 0, "somebody has to be asked");
        let host = || Host { health: Health::Alive, times: ResponseTimes::new(now), in_flight: 0 };
        // NSQ's round-robin begins with the second address, its host pools with the first.
        let next = usize::from(mode == PoolMode::RoundRobin);
        let hosts = std::iter::repeat_with(host).take(count).collect();
        Self { mode, hosts, next, epsilon: EPSILON_FIRST, concurrency }
    }

    /// The host for the next request, which must be reported with [`Self::succeed`] or
    /// [`Self::fail`]. `random` gives numbers from 0 to 1, without 1.
    pub(crate) fn pick(&mut self, now: Instant, mut random: impl FnMut() -> f64) -> usize {
        let picked = match self.mode {
            PoolMode::RoundRobin => self.rotate(|_| true),
            PoolMode::Hostpool => self.next_healthy(now),
            PoolMode::EpsilonGreedy => self.explore_or_exploit(now, &mut random),
        };
        if let Health::Dead { delay, .. } = self.hosts[picked].health {
            let delay = (delay * 2).min(RETRY_MAX);
            self.hosts[picked].health = Health::Dead { due: now + delay, delay };
        }
        self.hosts[picked].in_flight += 1;
        picked
    }

    /// A request to this host succeeded, and took so long.
    pub(crate) fn succeed(&mut self, host: usize, took: Duration, now: Instant) {
        let host = &mut self.hosts[host];
        host.in_flight = host.in_flight.saturating_sub(1);
        host.health = Health::Alive;
        host.times.record(took, now);
    }

    /// A request to this host failed.
    pub(crate) fn fail(&mut self, host: usize, now: Instant) {
        let host = &mut self.hosts[host];
        host.in_flight = host.in_flight.saturating_sub(1);
        // Round-robin never looks at it.
        if host.health == Health::Alive {
            host.health = Health::Dead { due: now + RETRY_FIRST, delay: RETRY_FIRST };
        }
    }

    /// The next one in the round that may be tried; if there is none, all are revived.
    fn next_healthy(&mut self, now: Instant) -> usize {
        if !self.hosts.iter().any(|host| host.may_be_tried(now)) {
            for host in &mut self.hosts {
                host.health = Health::Alive;
            }
            self.next = 0;
        }
        self.rotate(|host| host.may_be_tried(now))
    }

    /// Mostly one of the hosts whose times are known, the faster the likelier.
    fn explore_or_exploit(&mut self, now: Instant, random: &mut impl FnMut() -> f64) -> usize {
        if random() < self.epsilon {
            self.epsilon = (self.epsilon * EPSILON_DECAY).max(EPSILON_MIN);
            return self.next_healthy(now);
        }
        let share = self.share(|host| host.may_be_tried(now));
        let weights: Vec<f64> = self.hosts.iter_mut().map(|it| it.weight(share, now)).collect();
        let mut left = random() * weights.iter().sum::<f64>();
        for (host, weight) in weights.iter().enumerate() {
            if *weight > 0.0 && left <= *weight {
                return host;
            }
            left -= weight;
        }
        self.next_healthy(now)
    }

    /// The next one in the round for which `may` holds, preferably one with room in its share.
    fn rotate(&mut self, may: impl Fn(&Host) -> bool) -> usize {
        let (count, share) = (self.hosts.len(), self.share(&may));
        let round = (0..count).map(|step| (self.next + step) % count);
        let mut fitting = round.filter(|&host| may(&self.hosts[host]));
        let first = fitting.next().unwrap_or(self.next % count);
        let with_room =
            std::iter::once(first).chain(fitting).find(|&it| self.hosts[it].in_flight < share);
        let picked = with_room.unwrap_or(first);
        self.next = picked + 1;
        picked
    }

    /// How many requests a host may have in flight, among those for which `may` holds.
    fn share(&self, may: impl Fn(&Host) -> bool) -> usize {
        let count = self.hosts.iter().filter(|&host| may(host)).count();
        self.concurrency.div_ceil(count.max(1)).max(1)
    }
}

impl Host {
    fn may_be_tried(&self, now: Instant) -> bool {
        match self.health {
            Health::Alive => true,
            Health::Dead { due, .. } => due < now,
        }
    }

    /// The weight for the choice by response time; 0 if it cannot be chosen so.
    fn weight(&mut self, share: usize, now: Instant) -> f64 {
        let average_ms = self.times.weighted_average_ms(now);
        let may = self.may_be_tried(now) && self.in_flight < share && average_ms > 0.0;
        if may { 1.0 / average_ms } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Picks and fails or succeeds at once; one letter for each host, in capitals where it fails.
    fn play(pool: &mut HostPool, now: Instant, failing: &[usize], picks: usize) -> String {
        let letter = |_| {
            let host = pool.pick(now, || 0.0);
            let letter = char::from(b"abcdefgh"[host]);
            if failing.contains(&host) {
                pool.fail(host, now);
                return letter.to_ascii_uppercase();
            }
            pool.succeed(host, Duration::ZERO, now);
            letter
        };
        (0..picks).map(letter).collect()
    }

    #[test]
    fn round_robin_begins_with_the_second_and_minds_no_failure() {
        let now = Instant::now();
        let mut pool = HostPool::new(PoolMode::RoundRobin, 3, 100, now);
        assert_eq!(play(&mut pool, now, &[0], 7), "bcAbcAb");
        let mut pool = HostPool::new(PoolMode::RoundRobin, 1, 100, now);
        assert_eq!(play(&mut pool, now, &[0], 3), "AAA");
    }

    #[test]
    fn dead_hosts_are_tried_after_30_s_and_then_ever_later() {
        let start = Instant::now();
        let mut pool = HostPool::new(PoolMode::Hostpool, 2, 100, start);
        assert_eq!(play(&mut pool, start, &[0], 5), "Abbbb");
        let mut tries = Vec::new();
        for second in 0..4000 {
            let now = start + second * SECOND;
            if play(&mut pool, now, &[0], 2).contains('A') {
                tries.push(second);
            }
        }
        // Strictly later than due, so one second is added each time.
        assert_eq!(tries, [31, 92, 213, 454, 935, 1836, 2737, 3638]);
        let now = start + 5000 * SECOND;
        assert!(play(&mut pool, now, &[], 2).contains('a'));
        assert!(play(&mut pool, now, &[1], 2).contains('B'));
        let later = now + 31 * SECOND;
        assert!(play(&mut pool, later, &[1], 2).contains('B'), "the delay began anew");
    }

    #[test]
    fn when_all_are_dead_all_are_revived() {
        let now = Instant::now();
        let mut pool = HostPool::new(PoolMode::Hostpool, 3, 100, now);
        assert_eq!(play(&mut pool, now, &[0, 1, 2], 7), "ABCABCA");
        assert_eq!(play(&mut pool, now, &[2], 5), "bCbbb", "the first has just failed");
    }

    #[test]
    fn a_hanging_host_keeps_its_share_and_no_more() {
        for mode in [PoolMode::RoundRobin, PoolMode::Hostpool, PoolMode::EpsilonGreedy] {
            let now = Instant::now();
            let mut pool = HostPool::new(mode, 2, 10, now);
            let mut hanging = 0;
            for _ in 0..1000 {
                match pool.pick(now, || 0.0) {
                    0 => hanging += 1,
                    other => pool.succeed(other, SECOND, now),
                }
            }
            assert_eq!(hanging, 5, "{mode:?}");
        }
    }

    #[test]
    fn epsilon_greedy_prefers_the_faster() {
        let now = Instant::now();
        let mut pool = HostPool::new(PoolMode::EpsilonGreedy, 3, 100, now);
        for (host, took) in [(0, 10), (1, 30)] {
            assert_eq!(pool.pick(now, || 0.0), host, "exploration goes round");
            pool.succeed(host, Duration::from_millis(took), now);
        }
        // Three of four, since it is three times as fast; the third is not known at all.
        for (random, host) in [(0.35, 0), (0.74, 0), (0.76, 1), (0.99, 1)] {
            assert_eq!(pool.pick(now, || random), host, "{random}");
        }
        pool.fail(0, now);
        assert_eq!(pool.pick(now, || 0.35), 1, "the first is dead");
    }

    #[test]
    fn exploration_becomes_rare_and_never_ends() {
        let now = Instant::now();
        let mut pool = HostPool::new(PoolMode::EpsilonGreedy, 2, 100, now);
        play(&mut pool, now, &[], 200);
        assert_eq!(pool.epsilon, EPSILON_MIN);
    }

    proptest! {
        #[test]
        fn nobody_dead_is_picked_while_somebody_lives(
            mode in prop_oneof![Just(PoolMode::Hostpool), Just(PoolMode::EpsilonGreedy)],
            count in 1_usize..6,
            steps in prop::collection::vec(
                (0_u32..40, any::<bool>(), 0_u64..200, 0.0..1.0),
                1..200,
            ),
        ) {
            let mut now = Instant::now();
            let mut pool = HostPool::new(mode, count, 10, now);
            let mut in_flight = Vec::new();
            for (seconds, succeeds, took_ms, random) in steps {
                now += seconds * SECOND;
                let lived: Vec<bool> =
                    pool.hosts.iter().map(|host| host.may_be_tried(now)).collect();
                let picked = pool.pick(now, || random);
                prop_assert!(lived[picked] || !lived.contains(&true));
                in_flight.push(picked);
                let held: usize = pool.hosts.iter().map(|host| host.in_flight).sum();
                prop_assert_eq!(held, in_flight.len());
                let most = pool.hosts.iter().map(|host| host.in_flight).max();
                prop_assert!(most <= Some(10));
                if in_flight.len() == 10 || succeeds {
                    let host = in_flight.swap_remove(0);
                    let took = Duration::from_millis(took_ms);
                    if succeeds { pool.succeed(host, took, now) } else { pool.fail(host, now) }
                }
            }
        }
    }
}
