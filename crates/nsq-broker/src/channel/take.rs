//! Handing messages out.

use std::sync::Arc;

use super::{Channel, Requeued};
use crate::batch::{Batch, Sequence};
use crate::consumer::{ConsumerKey, Proximity};
use crate::in_flight::Slot;

/// How many requeued messages are asked of the log at a time.
const RELOAD_COUNT: usize = 256;

/// Messages handed to one consumer: they lie behind one another in one batch.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The batch that holds them.
    pub batch: Arc<Batch>,
    /// Where the first one begins in the batch's body.
    pub offset: usize,
    /// The first one.
    pub first: Sequence,
    /// How many.
    pub count: u32,
    /// Which delivery this is of each of them: 1 for the first.
    pub attempts: u16,
}

/// What [`Channel::take`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Messages were handed out; there may be more.
    Some,
    /// The consumer may not have any now: ready count reached, or the channel is paused.
    NotReady,
    /// No message waits. The consumer stands in line and will be woken.
    Empty,
    /// The log must be read from here on, then [`Channel::offer`] called.
    Read(Sequence),
    /// These messages must be read, then [`Channel::offer_requeued`] called.
    Reload(Vec<Sequence>),
}

impl<W: Clone> Channel<W> {
    /// Hands out what the consumer may have: appends to `out`, up to its ready count and about
    /// `bytes` of bodies. When others wait too it takes its share and leaves the rest to them;
    /// `wake` says who should be woken for that.
    pub fn take(
        &mut self,
        key: ConsumerKey,
        now_ns: i64,
        bytes: usize,
        out: &mut Vec<Delivery>,
        wake: &mut Option<W>,
    ) -> Taken {
        let Some(consumer) = self.consumers.get_mut(key.index()) else {
            return Taken::NotReady;
        };
        consumer.called = false;
        if std::mem::take(&mut consumer.waiting) {
            self.line.retain(|&waiting| waiting != key);
        }
        let room = consumer.room();
        if room == 0 || self.paused {
            *wake = self.wake_next();
            return Taken::NotReady;
        }
        consumer.tidy(key, &self.in_flight);
        let mut room = u64::from(room).min(self.fair_share(key));
        if self.near_consumers > 0 {
            room = room.min(self.left_by_nearer(key));
            if room == 0 {
                self.stand_in_line(key);
                *wake = self.wake_next();
                return Taken::Empty;
            }
        }
        let taken = self.take_up_to(key, now_ns, room, bytes, out);
        match taken {
            Taken::Empty => self.stand_in_line(key),
            Taken::Some => *wake = self.wake_next(),
            _ => {}
        }
        taken
    }

    fn take_up_to(
        &mut self,
        key: ConsumerKey,
        now_ns: i64,
        room: u64,
        bytes: usize,
        out: &mut Vec<Delivery>,
    ) -> Taken {
        let (mut taken, mut spent) = (0, 0);
        while taken < room && (taken == 0 || spent < bytes) {
            self.pass_skips();
            let next = match self.take_requeued() {
                Some(next) => Some(next),
                None => self.take_fresh(key, room - taken, bytes - spent),
            };
            let Some((delivery, size_bytes)) = next else {
                return if taken == 0 { self.want() } else { Taken::Some };
            };
            taken += u64::from(delivery.count);
            spent += size_bytes;
            self.launch(key, now_ns, &delivery);
            out.push(delivery);
        }
        Taken::Some
    }

    /// The first requeued message, when it is its turn and its body is at hand.
    fn take_requeued(&mut self) -> Option<(Delivery, usize)> {
        let next = self.requeued.front().filter(|next| self.is_turn_of(next))?;
        let batch = self.reloaded.remove(&next.sequence)?;
        let Requeued { sequence, attempts, .. } = self.requeued.pop_front()?;
        let attempts = attempts.saturating_add(1);
        let size_bytes = batch.body.len();
        Some((Delivery { batch, offset: 0, first: sequence, count: 1, attempts }, size_bytes))
    }

    /// What follows the cursor in the log, as far as it is at hand and belongs to the channel.
    fn take_fresh(
        &mut self,
        key: ConsumerKey,
        room: u64,
        bytes: usize,
    ) -> Option<(Delivery, usize)> {
        while self.cursor < self.end {
            if let Some(first) = self.window.first().filter(|&first| first > self.cursor) {
                self.lose_until(first.min(self.end));
                self.pass_skips();
                continue;
            }
            let stop = self.skips.next().unwrap_or(self.end).min(self.end);
            let sample_rate = self.consumers.get(key.index())?.subscription.sample_rate;
            let room = if sample_rate > 0 { 1 } else { room.min(self.cursor.until(stop)) };
            let Some(run) = self.window.take(self.cursor, room, bytes) else {
                let end = self.window.end_of_first()?;
                // The batch is not what its header says: nothing more of it can be delivered.
                self.lose_until(end.min(self.end));
                self.pass_skips();
                continue;
            };
            let first = self.cursor;
            self.cursor = first.plus(u64::from(run.count));
            self.changes.dirty = true;
            if sample_rate > 0 && self.draw_percent() > sample_rate {
                self.dropped += 1;
                self.pass_skips();
                continue;
            }
            let (offset, count) = (run.offset, run.count);
            let delivery = Delivery { batch: run.batch, offset, first, count, attempts: 1 };
            return Some((delivery, run.bytes));
        }
        None
    }

    fn launch(&mut self, key: ConsumerKey, now_ns: i64, delivery: &Delivery) {
        let Some(consumer) = self.consumers.get_mut(key.index()) else { return };
        let deadline_ns = now_ns.saturating_add(consumer.subscription.msg_timeout_ns);
        let attempts = delivery.attempts;
        let published_ns = delivery.batch.timestamp_ns;
        let slot = Slot { owner: key, attempts, deadline_ns, delivered_ns: now_ns, published_ns };
        self.in_flight.insert(delivery.first, delivery.count, slot);
        consumer.launch(delivery.first, delivery.count, deadline_ns);
        let delivered = match consumer.subscription.proximity {
            Proximity::ZoneLocal => &mut self.counters.zone_local,
            Proximity::RegionLocal => &mut self.counters.region_local,
            Proximity::Global => &mut self.counters.global,
        };
        *delivered += u64::from(delivery.count);
    }

    /// What is missing when nothing could be taken.
    fn want(&self) -> Taken {
        let turn = self.requeued.iter().take_while(|next| self.is_turn_of(next));
        let missing = turn.take(RELOAD_COUNT).map(|next| next.sequence);
        let missing: Vec<_> = missing.filter(|s| !self.reloaded.contains_key(s)).collect();
        if !missing.is_empty() {
            Taken::Reload(missing)
        } else if self.cursor < self.end {
            Taken::Read(self.window.end(self.cursor))
        } else {
            Taken::Empty
        }
    }

    /// A requeued message queues at the tail; behind the last message there is no queue.
    fn is_turn_of(&self, next: &Requeued) -> bool {
        next.after <= self.cursor || self.cursor >= self.end
    }

    /// Whether this message is among those that are asked for next.
    pub(super) fn is_next_to_reload(&self, sequence: Sequence) -> bool {
        !self.consumers.is_empty()
            && self.requeued.iter().take(RELOAD_COUNT).any(|again| again.sequence == sequence)
    }

    pub(super) fn pass_skips(&mut self) {
        let cursor = self.skips.pass(self.cursor);
        if cursor != self.cursor {
            self.cursor = cursor;
            self.window.move_to(cursor);
            self.changes.dirty = true;
        }
    }

    /// A number from 0 to 99; xorshift, because quality does not matter here and speed does.
    fn draw_percent(&mut self) -> u8 {
        self.draw ^= self.draw << 13;
        self.draw ^= self.draw >> 7;
        self.draw ^= self.draw << 17;
        (self.draw % 100) as u8
    }
}
