//! What others want to know of a channel.

use super::{Channel, ChannelCounters};
use crate::batch::Sequence;
use crate::consumer::ConsumerKey;

/// How many messages are where; see the law in the module documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Handed to the channel since it is in memory, what it held then included.
    pub entered: u64,
    /// In front of the cursor, or queued again: the channel's depth.
    pub waiting: u64,
    /// Delivered and not answered.
    pub in_flight: u64,
    /// Waiting for their due time.
    pub deferred: u64,
    /// Answered with FIN.
    pub finished: u64,
    /// Given up by a named rule: emptied, sampled out, no room in an ephemeral channel, damaged.
    pub dropped: u64,
}

impl<W> Channel<W> {
    /// From here on the channel needs everything, or so it must be taken. An ephemeral channel
    /// holds so few waiting messages that [`Channel::live_within`] names them all.
    pub fn unseen(&self) -> Sequence {
        if self.options.capacity.is_some() { self.end } else { self.cursor }
    }

    /// Adds the messages of `first..end` that this channel still needs, in no order.
    pub fn live_within(&self, first: Sequence, end: Sequence, out: &mut Vec<Sequence>) {
        let within = |sequence: &Sequence| (first..end).contains(sequence);
        out.extend(self.requeued.iter().map(|again| again.sequence).filter(within));
        out.extend(self.deferred.iter().map(|deferred| deferred.sequence).filter(within));
        out.extend(self.in_flight.iter().map(|(sequence, _)| sequence).filter(within));
        let (mut waiting, end) = (self.cursor.max(first), self.end.min(end));
        let beyond = std::iter::once((end, end));
        for (skip, skip_end) in self.skips.iter().chain(beyond) {
            out.extend((waiting.0..skip.min(end).0).map(Sequence));
            waiting = waiting.max(skip_end);
        }
    }

    /// How many messages are where.
    pub fn census(&self) -> Census {
        let ahead = self.cursor.until(self.end) - self.skips.total();
        Census {
            entered: self.entered,
            waiting: ahead + self.requeued.len() as u64,
            in_flight: self.in_flight.len() as u64,
            deferred: self.deferred.len() as u64,
            finished: self.finished,
            dropped: self.dropped,
        }
    }

    /// How many of the waiting messages lie before `memory_start`, which is the oldest message
    /// that the log has in memory: the channel's backend depth.
    pub fn backend_depth(&self, memory_start: Sequence) -> u64 {
        let on_disk = self.cursor.until(self.end.min(memory_start));
        on_disk.saturating_sub(self.skips.total())
    }

    /// Counters since the channel is in memory.
    pub fn counters(&self) -> ChannelCounters {
        self.counters
    }

    /// The next message to be taken from the log.
    pub fn cursor(&self) -> Sequence {
        self.cursor
    }

    /// True while delivery is stopped.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How many consumers there are.
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// What wakes each consumer, in no order.
    pub fn consumers(&self) -> impl Iterator<Item = &W> {
        self.consumers.iter().map(|(_, consumer)| &consumer.wake)
    }

    /// The same, with their keys.
    pub fn keyed_consumers(&self) -> impl Iterator<Item = (ConsumerKey, &W)> {
        self.consumers.iter().map(|(index, consumer)| (ConsumerKey::at(index), &consumer.wake))
    }

    /// The ready count of a consumer, and how many messages it has in flight.
    pub fn consumer_load(&self, key: ConsumerKey) -> Option<(u32, u32)> {
        let consumer = self.consumers.get(key.index())?;
        Some((consumer.ready_count, consumer.in_flight))
    }
}
