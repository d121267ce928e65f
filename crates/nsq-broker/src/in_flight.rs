//! The messages that were delivered and are neither finished, requeued nor timed out.
//!
//! A channel delivers in the order of the log, so the messages in flight lie close together: they
//! are kept as slots in a ring over the sequence, and finding one is a subtraction. Messages that
//! stay behind while others pass (a slow handler, a redelivery) move to an ordered map, so that one
//! of them cannot make the ring long.

use std::collections::{BTreeMap, VecDeque};

use crate::batch::Sequence;
use crate::consumer::ConsumerKey;

/// Vacant slots that the ring may hold beyond four for every message in it.
const SLACK: usize = 1024;

/// One delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Who has it.
    pub(crate) owner: ConsumerKey,
    /// How often it was delivered, this time included.
    pub(crate) attempts: u16,
    /// When it times out.
    pub(crate) deadline_ns: i64,
    /// When it was delivered: TOUCH counts its limit from here.
    pub(crate) delivered_ns: i64,
    /// When it was published: nanoseconds since 1970.
    pub(crate) published_ns: i64,
}

/// All messages in flight of one channel.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    base: Sequence,
    ring: VecDeque<Option<Slot>>,
    /// Occupied slots of the ring.
    ring_count: usize,
    stragglers: BTreeMap<Sequence, Slot>,
}

impl InFlight {
    /// Registers the delivery of `count` messages from `first`; none may be in flight already.
    pub(crate) fn insert(&mut self, first: Sequence, count: u32, slot: Slot) {
        if self.ring_count == 0 {
            self.ring.clear();
            self.base = first;
        }
        let places = first.0..first.0 + u64::from(count);
        match self.index_of(first) {
            Some(index) if index >= self.ring.len() && index <= self.ring.len() + SLACK => {
                self.ring.resize(index, None);
                self.ring.extend(places.map(|_| Some(slot)));
                self.ring_count += count as usize;
                self.shorten();
            }
            _ => self.stragglers.extend(places.map(|place| (Sequence(place), slot))),
        }
    }

    /// Takes a message out, if it is in flight.
    pub(crate) fn remove(&mut self, sequence: Sequence) -> Option<Slot> {
        let Some(index) = self.index_of(sequence) else {
            return self.stragglers.remove(&sequence);
        };
        match self.ring.get_mut(index).and_then(Option::take) {
            Some(slot) => {
                self.ring_count -= 1;
                self.drop_vacant_front();
                Some(slot)
            }
            None => self.stragglers.remove(&sequence),
        }
    }

    /// Forgets everything and gives the memory back.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Gives back memory that a busier time left behind.
    pub(crate) fn shrink(&mut self) {
        self.ring.shrink_to(2 * self.ring.len());
    }

    /// The delivery of this message, if it is in flight.
    pub(crate) fn slot(&self, sequence: Sequence) -> Option<&Slot> {
        let in_ring = self.index_of(sequence).and_then(|i| self.ring.get(i)?.as_ref());
        in_ring.or_else(|| self.stragglers.get(&sequence))
    }

    /// The same, to be changed.
    pub(crate) fn slot_mut(&mut self, sequence: Sequence) -> Option<&mut Slot> {
        let index = self.index_of(sequence).filter(|&i| matches!(self.ring.get(i), Some(Some(_))));
        match index {
            Some(index) => self.ring[index].as_mut(),
            None => self.stragglers.get_mut(&sequence),
        }
    }

    /// How many messages are in flight.
    pub(crate) fn len(&self) -> usize {
        self.ring_count + self.stragglers.len()
    }

    /// All of them, those that stayed behind first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Sequence, &Slot)> {
        let ring = self.ring.iter().zip(self.base.0..);
        let ring = ring.filter_map(|(slot, place)| Some((Sequence(place), slot.as_ref()?)));
        self.stragglers.iter().map(|(sequence, slot)| (*sequence, slot)).chain(ring)
    }

    fn index_of(&self, sequence: Sequence) -> Option<usize> {
        usize::try_from(sequence.0.checked_sub(self.base.0)?).ok()
    }

    fn drop_vacant_front(&mut self) {
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.base = self.base.plus(1);
        }
    }

    /// Keeps the ring's length within a multiple of what it holds.
    fn shorten(&mut self) {
        while self.ring.len() > 4 * self.ring_count + 2 * SLACK {
            if let Some(Some(slot)) = self.ring.pop_front() {
                self.stragglers.insert(self.base, slot);
                self.ring_count -= 1;
            }
            self.base = self.base.plus(1);
            self.drop_vacant_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(attempts: u16) -> Slot {
        let owner = ConsumerKey::at(0);
        Slot { owner, attempts, deadline_ns: 0, delivered_ns: 0, published_ns: 0 }
    }

    #[test]
    fn a_message_that_stays_behind_does_not_make_the_ring_long() {
        let mut in_flight = InFlight::default();
        in_flight.insert(Sequence(0), 1, slot(7));
        for place in 1..100_000 {
            in_flight.insert(Sequence(place), 1, slot(1));
            assert!(in_flight.remove(Sequence(place)).is_some());
        }
        assert!(in_flight.ring.len() <= 2 * SLACK + 8, "{}", in_flight.ring.len());
        assert_eq!(in_flight.len(), 1);
        assert_eq!(in_flight.remove(Sequence(0)), Some(slot(7)));
        assert_eq!(in_flight.len(), 0);
    }

    #[test]
    fn an_old_message_is_found_beside_new_ones() {
        let mut in_flight = InFlight::default();
        in_flight.insert(Sequence(1000), 1, slot(1));
        in_flight.insert(Sequence(3), 1, slot(2));
        in_flight.insert(Sequence(1 << 40), 1, slot(3));
        in_flight.insert(Sequence(1001), 1, slot(4));
        let all: Vec<_> = in_flight.iter().map(|(s, slot)| (s.0, slot.attempts)).collect();
        assert_eq!(all, [(3, 2), (1 << 40, 3), (1000, 1), (1001, 4)]);
        assert_eq!(in_flight.slot(Sequence(1 << 40)).map(|s| s.attempts), Some(3));
        assert_eq!(in_flight.slot_mut(Sequence(3)).map(|s| s.attempts), Some(2));
        assert_eq!(in_flight.remove(Sequence(999)), None);
    }
}
