//! A channel: a cursor into its topic's log, and the messages it holds outside the cursor.
//!
//! ```text
//!                    ┌────────────── requeue, time-out, due ──────────────┐
//!                    v                                                    │
//!   log ──cursor──> ready ──take──> in flight ──finish──> (gone)          │
//!    │                                  ├──── requeue, time-out ──────────┤
//!    │                                  └──── requeue with a delay ──> deferred
//!    └── deferred publish ────────────────────────────────────────────────^
//! ```
//!
//! The law, which holds after every step: *entered = waiting + in flight + deferred + finished +
//! dropped*. See [`Census`].

mod census;
mod line;
mod restart;
mod take;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use slab::Slab;

pub use self::census::Census;
pub use self::take::{Delivery, Taken};
use crate::batch::{Batch, Sequence};
use crate::checkpoint::Deferred;
use crate::consumer::{Consumer, ConsumerKey, Proximity, Subscription};
use crate::in_flight::{InFlight, Slot};
use crate::skips::Skips;
use crate::window::Window;

/// How many deferred messages become ready in one look at the clock; the rest follow at once in
/// the next.
const EXPIRE_COUNT: usize = 10_000;

/// Limits of a channel; the same for all channels of a daemon, except for `capacity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelOptions {
    /// `--mem-queue-size`: how far a requeued message queues behind those already waiting.
    pub mem_queue_size: u64,
    /// How many messages may wait: `--mem-queue-size` for an ephemeral channel, which drops the
    /// newest beyond that as Go NSQ does; no limit for others.
    pub capacity: Option<u64>,
    /// `--max-msg-timeout` in nanoseconds: how long `TOUCH` can keep a message.
    pub max_msg_timeout_ns: i64,
    /// Where the draws of `sample_rate` start.
    pub seed: u64,
}

/// Why FIN, REQ or TOUCH does not apply; the connection stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHeld {
    /// Unknown, already finished, timed out, deferred, or the channel was emptied.
    NotInFlight,
    /// In flight for another consumer.
    NotOwner,
}

/// Counters that only grow, as `/stats` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounters {
    /// Messages put into the channel.
    pub messages: u64,
    /// REQ commands.
    pub requeued: u64,
    /// In-flight time-outs.
    pub timed_out: u64,
    /// Deliveries to consumers in the zone of this nsqd.
    pub zone_local: u64,
    /// Deliveries to consumers in its region.
    pub region_local: u64,
    /// Deliveries to all others.
    pub global: u64,
}

/// A message that waits to be delivered again.
#[derive(Clone, Copy, Debug)]
struct Requeued {
    sequence: Sequence,
    attempts: u16,
    /// It goes to the tail of the queue: its turn is when the cursor has come this far.
    after: Sequence,
}

/// One channel. `W` is what wakes a consumer; the channel only hands it back.
#[derive(Debug)]
pub struct Channel<W> {
    options: ChannelOptions,
    /// The next message to be taken from the log.
    cursor: Sequence,
    /// The place behind the last message that belongs to this channel.
    end: Sequence,
    window: Window,
    skips: Skips,
    /// Messages in front of the cursor that are finished or dropped already: parts of `skips`
    /// that a restart must know, since nothing else tells.
    done_ahead: BTreeMap<Sequence, Sequence>,
    requeued: VecDeque<Requeued>,
    /// Bodies of requeued messages that were read again.
    reloaded: BTreeMap<Sequence, Arc<Batch>>,
    in_flight: InFlight,
    deferred: BTreeSet<Deferred>,
    consumers: Slab<Consumer<W>>,
    /// Consumers that found nothing, first come first served.
    line: VecDeque<ConsumerKey>,
    /// How many consumers are nearer than [`Proximity::Global`].
    near_consumers: usize,
    paused: bool,
    counters: ChannelCounters,
    entered: u64,
    finished: u64,
    dropped: u64,
    draw: u64,
    changes: Changes,
}

/// What the journal has not been told yet.
#[derive(Debug, Default)]
struct Changes {
    dirty: bool,
    whole: bool,
    deferred_added: Vec<Deferred>,
    deferred_removed: Vec<Sequence>,
}

impl<W: Clone> Channel<W> {
    /// A channel whose first message will be the one at `start`.
    pub fn new(start: Sequence, options: ChannelOptions) -> Self {
        Self {
            options,
            cursor: start,
            end: start,
            window: Window::default(),
            skips: Skips::default(),
            done_ahead: BTreeMap::new(),
            requeued: VecDeque::new(),
            reloaded: BTreeMap::new(),
            in_flight: InFlight::default(),
            deferred: BTreeSet::new(),
            consumers: Slab::new(),
            line: VecDeque::new(),
            near_consumers: 0,
            paused: false,
            counters: ChannelCounters::default(),
            entered: 0,
            finished: 0,
            dropped: 0,
            draw: options.seed | 1,
            changes: Changes { dirty: true, whole: true, ..Changes::default() },
        }
    }

    // --- what the topic tells it ---------------------------------------------------------------

    /// The log now reaches to `end`, and all of it up to there is this channel's. Returns whom to
    /// wake.
    #[must_use]
    pub fn extend(&mut self, end: Sequence) -> Option<W> {
        let added = self.end.until(end);
        if added == 0 {
            return None;
        }
        self.count_in(added);
        let first = self.end;
        self.end = end;
        self.drop_newest(first);
        self.wake_next()
    }

    /// The log grew by `count` messages from `first` that are due at `due_ns`; everything before
    /// them was told already.
    pub fn extend_deferred(&mut self, first: Sequence, count: u32, due_ns: i64) {
        debug_assert!(first >= self.end);
        let end = first.plus(u64::from(count));
        self.count_in(u64::from(count));
        self.end = end;
        self.skips.push(first, end);
        for index in 0..u64::from(count) {
            self.defer(Deferred { due_ns, sequence: first.plus(index), attempts: 0 });
        }
        self.pass_skips();
    }

    /// Messages up to `end` were dropped from the topic before this channel saw them.
    pub fn skip(&mut self, end: Sequence) {
        if end > self.end {
            self.skips.push(self.end, end);
            if self.is_durable() {
                self.done_ahead.insert(self.end, end);
            }
            self.end = end;
            self.changes.dirty = true;
            self.pass_skips();
        }
    }

    /// What the log has from `from` on, up to `upto`; places that no batch covers are lost.
    /// Returns whom to wake.
    #[must_use]
    pub fn offer(&mut self, from: Sequence, batches: Vec<Arc<Batch>>, upto: Sequence) -> Option<W> {
        if from > self.window.end(self.cursor) || self.consumers.is_empty() {
            return None;
        }
        if self.window.is_empty() && batches.is_empty() {
            self.lose_until(upto.min(self.end));
        }
        self.window.extend(self.cursor, batches);
        self.wake_next()
    }

    /// Requeued messages that were read again; `None` where the log has lost one. Returns whom to
    /// wake.
    #[must_use]
    pub fn offer_requeued(&mut self, messages: Vec<(Sequence, Option<Arc<Batch>>)>) -> Option<W> {
        for (sequence, batch) in messages {
            match batch {
                // Another read may have brought it already, and it may be gone by now.
                Some(batch) if self.is_next_to_reload(sequence) => {
                    self.reloaded.insert(sequence, batch);
                }
                Some(_) => {}
                None => {
                    let before = self.requeued.len();
                    self.requeued.retain(|again| again.sequence != sequence);
                    self.dropped += (before - self.requeued.len()) as u64;
                }
            }
        }
        self.wake_next()
    }

    /// These requeued messages cannot be read at the moment: they go to the tail of the queue, so
    /// that others are not held up. Returns whom to wake.
    #[must_use]
    pub fn postpone(&mut self, which: &[Sequence]) -> Option<W> {
        let (late, rest): (VecDeque<_>, VecDeque<_>) =
            self.requeued.drain(..).partition(|again| which.contains(&again.sequence));
        self.requeued = rest;
        late.into_iter().for_each(|again| self.queue_again(again.sequence, again.attempts));
        self.wake_next()
    }

    // --- what consumers do ---------------------------------------------------------------------

    /// A consumer joins, with a ready count of 0.
    pub fn join(&mut self, subscription: Subscription, wake: W) -> ConsumerKey {
        self.near_consumers += usize::from(subscription.proximity < Proximity::Global);
        let index = self.consumers.insert(Consumer::new(subscription, wake));
        ConsumerKey::at(index)
    }

    /// A consumer leaves. What it had in flight is queued again at once. Returns whom to wake.
    #[must_use]
    pub fn leave(&mut self, key: ConsumerKey) -> Option<W> {
        let consumer = self.consumers.try_remove(key.index())?;
        self.line.retain(|&waiting| waiting != key);
        self.near_consumers -= usize::from(consumer.subscription.proximity < Proximity::Global);
        for sequence in consumer.held(key, &self.in_flight) {
            if let Some(slot) = self.in_flight.remove(sequence) {
                self.queue_again(sequence, slot.attempts);
            }
        }
        if self.consumers.is_empty() {
            self.window.clear();
            self.reloaded.clear();
            self.in_flight.shrink();
        }
        self.wake_next()
    }

    /// RDY: how many messages the consumer may have in flight.
    pub fn ready(&mut self, key: ConsumerKey, ready_count: u32) {
        let Some(consumer) = self.consumers.get_mut(key.index()) else { return };
        consumer.ready_count = ready_count;
        // One that wants nothing must not be the one that is woken.
        if ready_count == 0 && std::mem::take(&mut consumer.waiting) {
            self.line.retain(|&waiting| waiting != key);
        }
    }

    /// FIN. Returns when the message was published: nanoseconds since 1970.
    pub fn finish(&mut self, key: ConsumerKey, sequence: Sequence) -> Result<i64, NotHeld> {
        let slot = self.land(key, sequence)?;
        self.finished += 1;
        self.changes.dirty = true;
        if sequence >= self.cursor && self.is_durable() {
            self.done_ahead.insert(sequence, sequence.plus(1));
        }
        Ok(slot.published_ns)
    }

    /// REQ without a delay: to the tail of the queue. Returns whom to wake.
    pub fn requeue(&mut self, key: ConsumerKey, sequence: Sequence) -> Result<Option<W>, NotHeld> {
        let slot = self.land(key, sequence)?;
        self.counters.requeued += 1;
        self.queue_again(sequence, slot.attempts);
        Ok(self.wake_next())
    }

    /// REQ with a delay: deferred until `due_ns`.
    pub fn requeue_deferred(
        &mut self,
        key: ConsumerKey,
        sequence: Sequence,
        due_ns: i64,
    ) -> Result<(), NotHeld> {
        let slot = self.land(key, sequence)?;
        self.counters.requeued += 1;
        self.defer(Deferred { due_ns, sequence, attempts: slot.attempts });
        Ok(())
    }

    /// TOUCH: a new deadline, `msg_timeout_ns` from now, but not later than the limit allows.
    pub fn touch(
        &mut self,
        key: ConsumerKey,
        sequence: Sequence,
        now_ns: i64,
        msg_timeout_ns: i64,
    ) -> Result<(), NotHeld> {
        let slot = self.in_flight.slot_mut(sequence).ok_or(NotHeld::NotInFlight)?;
        if slot.owner != key {
            return Err(NotHeld::NotOwner);
        }
        let limit = slot.delivered_ns.saturating_add(self.options.max_msg_timeout_ns);
        let deadline = now_ns.saturating_add(msg_timeout_ns).min(limit);
        if slot.deadline_ns == deadline {
            return Ok(());
        }
        slot.deadline_ns = deadline;
        if let Some(consumer) = self.consumers.get_mut(key.index()) {
            consumer.relaunch(sequence, deadline);
            consumer.tidy(key, &self.in_flight);
        }
        Ok(())
    }

    // --- what operators and time do ------------------------------------------------------------

    /// Looks for passed deadlines and due times. Returns whom to wake: those whose messages timed
    /// out have room again, and somebody must take what became ready.
    pub fn expire(&mut self, now_ns: i64) -> Vec<W> {
        let mut woken = Vec::new();
        let mut timed_out = Vec::new();
        for (index, consumer) in &mut self.consumers {
            let before = timed_out.len();
            let key = ConsumerKey::at(index);
            consumer.expire(key, &mut self.in_flight, now_ns, &mut timed_out);
            if timed_out.len() > before {
                woken.push(consumer.wake.clone());
            }
        }
        for (sequence, slot) in timed_out {
            self.counters.timed_out += 1;
            self.queue_again(sequence, slot.attempts);
        }
        for _ in 0..EXPIRE_COUNT {
            let Some(deferred) = self.deferred.first().filter(|d| d.due_ns <= now_ns).copied()
            else {
                break;
            };
            self.deferred.pop_first();
            if self.is_durable() {
                self.changes.deferred_removed.push(deferred.sequence);
            }
            self.queue_again(deferred.sequence, deferred.attempts);
        }
        woken.extend(self.wake_next());
        woken
    }

    /// When [`Channel::expire`] should be called next.
    pub fn next_expiry(&mut self) -> Option<i64> {
        let due = self.deferred.first().map(|deferred| deferred.due_ns);
        let deadlines = self.consumers.iter_mut().filter_map(|(index, consumer)| {
            consumer.next_deadline(ConsumerKey::at(index), &self.in_flight)
        });
        deadlines.chain(due).min()
    }

    /// Stops delivery.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// Lets delivery go on. Returns whom to wake.
    #[must_use]
    pub fn unpause(&mut self) -> Vec<W> {
        self.paused = false;
        self.everybody()
    }

    /// Drops everything: waiting, in flight and deferred. Returns whom to wake.
    #[must_use]
    pub fn empty(&mut self) -> Vec<W> {
        let census = self.census();
        self.dropped += census.waiting + census.in_flight + census.deferred;
        self.cursor = self.end;
        self.window.clear();
        self.skips.clear();
        self.done_ahead.clear();
        self.requeued.clear();
        self.reloaded.clear();
        self.in_flight.clear();
        self.deferred.clear();
        for (_, consumer) in &mut self.consumers {
            consumer.land_all();
        }
        self.changes = Changes { dirty: true, whole: true, ..Changes::default() };
        self.everybody()
    }

    // --- helpers -------------------------------------------------------------------------------

    /// Whether a journal asks for what changed. An ephemeral channel, the only one with a
    /// capacity, has none, and must not gather it.
    fn is_durable(&self) -> bool {
        self.options.capacity.is_none()
    }

    fn count_in(&mut self, count: u64) {
        self.entered += count;
        self.counters.messages += count;
        self.changes.dirty = true;
    }

    /// Takes a message out of flight for its owner.
    fn land(&mut self, key: ConsumerKey, sequence: Sequence) -> Result<Slot, NotHeld> {
        let slot = self.in_flight.slot(sequence).ok_or(NotHeld::NotInFlight)?;
        if slot.owner != key {
            return Err(NotHeld::NotOwner);
        }
        let slot = self.in_flight.remove(sequence).ok_or(NotHeld::NotInFlight)?;
        if let Some(consumer) = self.consumers.get_mut(key.index()) {
            consumer.in_flight -= 1;
        }
        Ok(slot)
    }

    /// Puts a message to the tail of the queue. Like in Go NSQ the tail is not behind everything:
    /// there, half of the deliveries come from the memory queue when the rest is on disk.
    fn queue_again(&mut self, sequence: Sequence, attempts: u16) {
        let place = self.cursor.0.saturating_add(self.options.mem_queue_size);
        let after = self.end.min(Sequence(place));
        self.requeued.push_back(Requeued { sequence, attempts, after });
        self.changes.dirty = true;
    }

    fn defer(&mut self, deferred: Deferred) {
        self.deferred.insert(deferred);
        if self.is_durable() {
            self.changes.deferred_added.push(deferred);
        }
        self.changes.dirty = true;
    }

    /// An ephemeral channel without room drops the newest, which begin at `first`.
    fn drop_newest(&mut self, first: Sequence) {
        let Some(capacity) = self.options.capacity else { return };
        // Consumers that wait with room to spare take messages that never queue: that is how a
        // memory queue of size 0 works.
        let idle = self.line.iter().filter_map(|key| self.consumers.get(key.index()));
        let room: u64 = idle.map(|consumer| u64::from(consumer.room())).sum();
        let excess = self.census().waiting.saturating_sub(capacity.max(room));
        let excess = excess.min(first.until(self.end));
        if excess > 0 {
            let first = Sequence(self.end.0 - excess);
            self.skips.push(first, self.end);
            self.dropped += excess;
            self.pass_skips();
        }
    }

    /// Moves the cursor over messages that the log has lost.
    fn lose_until(&mut self, cursor: Sequence) {
        if cursor > self.cursor {
            let skipped = self.skips.drop_before(cursor);
            self.dropped += self.cursor.until(cursor) - skipped;
            self.cursor = cursor;
            self.window.move_to(cursor);
            self.changes.dirty = true;
        }
    }
}
