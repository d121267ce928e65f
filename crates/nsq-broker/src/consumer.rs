//! One connection's share of a channel.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use crate::batch::Sequence;
use crate::in_flight::{InFlight, Slot};

/// What a consumer asked for when it subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// How long it may hold a message, in nanoseconds.
    pub msg_timeout_ns: i64,
    /// Share of the messages it wants, in percent; 0 means all. As in Go NSQ a message is kept
    /// when a draw of 0 to 99 is at most this, so the true share is one percent larger.
    pub sample_rate: u8,
    /// Where it is, seen from this nsqd.
    pub proximity: Proximity,
}

/// How near a consumer is to its nsqd, nearest first: the nearer ones that wait for messages get
/// them before the others (topology-aware consumption, as in Go NSQ after 1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proximity {
    /// In the same zone.
    ZoneLocal,
    /// In the same region.
    RegionLocal,
    /// Anywhere; all consumers, unless the feature is on.
    #[default]
    Global,
}

/// Names a consumer within its channel, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey(NonZeroU32);

impl ConsumerKey {
    pub(crate) fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("a process has fewer than 2^32 connections"))
    }

    pub(crate) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Messages that were delivered at one moment, first to last.
#[derive(Clone, Copy, Debug)]
struct Flight {
    first: Sequence,
    count: u32,
    deadline_ns: i64,
}

/// What a channel knows of one of its consumers.
#[derive(Debug)]
pub(crate) struct Consumer<W> {
    pub(crate) wake: W,
    pub(crate) subscription: Subscription,
    pub(crate) ready_count: u32,
    pub(crate) in_flight: u32,
    /// True while it stands in the channel's line of those who wait for messages.
    pub(crate) waiting: bool,
    /// True from being woken until it comes for messages, or says that it does not.
    pub(crate) called: bool,
    /// What it was given, by deadline. Some of it may be finished already.
    flights: VecDeque<Flight>,
}

impl<W> Consumer<W> {
    pub(crate) fn new(subscription: Subscription, wake: W) -> Self {
        Self {
            wake,
            subscription,
            ready_count: 0,
            in_flight: 0,
            waiting: false,
            called: false,
            flights: VecDeque::new(),
        }
    }

    /// How many more messages it may have.
    pub(crate) fn room(&self) -> u32 {
        self.ready_count.saturating_sub(self.in_flight)
    }

    /// Notes that `count` messages from `first` must be answered by `deadline_ns`.
    pub(crate) fn launch(&mut self, first: Sequence, count: u32, deadline_ns: i64) {
        self.in_flight += count;
        self.fly(Flight { first, count, deadline_ns });
    }

    /// Notes that a message it holds has another deadline now.
    pub(crate) fn relaunch(&mut self, sequence: Sequence, deadline_ns: i64) {
        self.fly(Flight { first: sequence, count: 1, deadline_ns });
    }

    /// Forgets what it was given.
    pub(crate) fn land_all(&mut self) {
        self.flights.clear();
        self.in_flight = 0;
    }

    /// The earliest deadline of a message that is still in flight.
    pub(crate) fn next_deadline(&mut self, me: ConsumerKey, all: &InFlight) -> Option<i64> {
        self.drop_landed_front(me, all);
        self.flights.front().map(|flight| flight.deadline_ns)
    }

    /// Takes the messages whose time is up out of flight, into `out`.
    pub(crate) fn expire(
        &mut self,
        me: ConsumerKey,
        all: &mut InFlight,
        now_ns: i64,
        out: &mut Vec<(Sequence, Slot)>,
    ) {
        while let Some(flight) = self.flights.pop_front_if(|f| f.deadline_ns <= now_ns) {
            // A message that was touched belongs to a later flight; one that was requeued and
            // delivered again within the same nanosecond belongs to two.
            let late: Vec<_> = landing(flight, me, all).collect();
            let late = late.into_iter().filter_map(|place| Some((place, all.remove(place)?)));
            let before = out.len();
            out.extend(late);
            self.in_flight -= (out.len() - before) as u32;
        }
    }

    /// Everything this consumer holds, in the order of delivery.
    pub(crate) fn held(&self, me: ConsumerKey, all: &InFlight) -> Vec<Sequence> {
        self.flights.iter().flat_map(|&flight| landing(flight, me, all)).collect()
    }

    /// Keeps the list of flights within a multiple of what is in flight.
    pub(crate) fn tidy(&mut self, me: ConsumerKey, all: &InFlight) {
        self.drop_landed_front(me, all);
        if self.flights.len() > 2 * self.in_flight as usize + 64 {
            self.flights.retain(|&flight| landing(flight, me, all).next().is_some());
        }
    }

    /// Keeps flights in the order of their deadlines. Nearly always the new one comes last.
    fn fly(&mut self, flight: Flight) {
        let later = self.flights.iter().rev();
        let later = later.take_while(|other| other.deadline_ns > flight.deadline_ns).count();
        self.flights.insert(self.flights.len() - later, flight);
    }

    fn drop_landed_front(&mut self, me: ConsumerKey, all: &InFlight) {
        while let Some(flight) = self.flights.front_mut() {
            let Some(first) = landing(*flight, me, all).next() else {
                self.flights.pop_front();
                continue;
            };
            // The next look need not pass the finished ones again.
            flight.count -= u32::try_from(flight.first.until(first)).unwrap_or(0);
            flight.first = first;
            return;
        }
    }
}

/// The messages of a flight that are still in the air with this deadline.
fn landing(flight: Flight, me: ConsumerKey, all: &InFlight) -> impl Iterator<Item = Sequence> {
    let Flight { first, count, deadline_ns } = flight;
    (0..u64::from(count)).map(move |index| first.plus(index)).filter(move |&sequence| {
        all.slot(sequence).is_some_and(|s| s.owner == me && s.deadline_ns == deadline_ns)
    })
}
