//! A topic: how far its log was handed to the channels.
//!
//! ```text
//!   0 ............ gate ............ end of the log
//!     the channels'      the topic's own: no channel yet, or paused
//! ```
//!
//! With a channel and not paused the gate moves with the end of the log. Otherwise it stands, and
//! what comes waits in the topic: NSQ's rule that the first channel gets what was published before.

use crate::batch::Sequence;
use crate::checkpoint::{Checkpoint, Deferred};

/// A run of deferred publishes that no channel knows of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldRun {
    /// The first message.
    pub first: Sequence,
    /// How many.
    pub count: u32,
    /// When they are due.
    pub due_ns: i64,
}

/// What is to be done with newly appended messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handout {
    /// Tell every channel.
    Now,
    /// They wait in the topic.
    Later,
}

/// The topic's part of the bookkeeping. The channels are the caller's; their number comes along.
#[derive(Debug, Default)]
pub struct Topic {
    gate: Sequence,
    end: Sequence,
    paused: bool,
    /// Its first channels are not known yet.
    starting: bool,
    channels: usize,
    /// Those of them that a restart brings back.
    durable_channels: usize,
    held: Vec<HeldRun>,
    dirty: bool,
}

impl Topic {
    /// A topic whose log reaches to `end`, with so many channels. `held` is what the journal says
    /// of messages that no channel had seen; without it nothing waits in the topic if it has
    /// channels, and all of it (from `log_start`) if it has none.
    pub fn restore(
        held: Option<&Checkpoint>,
        log_start: Sequence,
        end: Sequence,
        channels: usize,
    ) -> Self {
        let unseen = if channels == 0 { log_start } else { end };
        let gate = held.map_or(unseen, |held| held.cursor.max(log_start)).min(end);
        let deferred = held.map_or(&[][..], |held| &held.deferred_added);
        let mut runs: Vec<HeldRun> = deferred
            .iter()
            .filter(|deferred| deferred.sequence >= gate && deferred.sequence < end)
            .map(|deferred| HeldRun { first: deferred.sequence, count: 1, due_ns: deferred.due_ns })
            .collect();
        runs.sort_unstable_by_key(|run| run.first);
        let durable_channels = channels;
        Self { gate, end, channels, durable_channels, held: runs, dirty: true, ..Self::default() }
    }

    /// Messages were appended; with `due_ns`, as deferred ones.
    pub fn on_append(&mut self, first: Sequence, count: u32, due_ns: Option<i64>) -> Handout {
        debug_assert!(first >= self.end);
        self.end = first.plus(u64::from(count));
        if self.is_open() {
            self.gate = self.end;
            self.dirty |= self.durable_channels == 0;
            return Handout::Now;
        }
        if let Some(due_ns) = due_ns {
            self.held.push(HeldRun { first, count, due_ns });
        }
        self.dirty = true;
        Handout::Later
    }

    /// A channel is created. It starts at the gate; when it is the first one, [`Topic::release`]
    /// follows.
    pub fn on_channel_created(&mut self, durable: bool) -> Sequence {
        self.channels += 1;
        self.durable_channels += usize::from(durable);
        self.dirty = true;
        self.gate
    }

    /// A channel is gone. After the last one messages gather in the topic again.
    pub fn on_channel_deleted(&mut self, durable: bool) {
        self.channels = self.channels.saturating_sub(1);
        self.durable_channels = self.durable_channels.saturating_sub(usize::from(durable));
        self.dirty = true;
    }

    /// Stops the handing out.
    pub fn pause(&mut self) {
        self.paused = true;
        self.dirty = true;
    }

    /// Lets it go on; [`Topic::release`] follows.
    pub fn unpause(&mut self) {
        self.paused = false;
    }

    /// Nothing is handed out before [`Topic::start`]: the topic is new, and somebody is asked which
    /// channels it shall have.
    pub fn hold_start(&mut self) {
        self.starting = true;
        self.dirty = true;
    }

    /// Its channels are there; [`Topic::release`] follows.
    pub fn start(&mut self) {
        self.starting = false;
    }

    /// What the channels must be told now: the runs of deferred messages in order, then how far
    /// the log reaches. `None` when nothing waits or it must go on waiting.
    pub fn release(&mut self) -> Option<(Vec<HeldRun>, Sequence)> {
        if !self.is_open() || self.gate >= self.end {
            return None;
        }
        self.gate = self.end;
        self.dirty = true;
        Some((std::mem::take(&mut self.held), self.end))
    }

    /// Drops what waits in the topic; channels must skip to the place that is returned.
    pub fn empty(&mut self) -> Sequence {
        self.gate = self.end;
        self.held.clear();
        self.dirty = true;
        self.gate
    }

    /// What a restart must know, when that changed: whole, or nothing waits here.
    pub fn checkpoint(&mut self) -> Option<Option<Checkpoint>> {
        if !std::mem::take(&mut self.dirty) {
            return None;
        }
        Some(self.checkpoint_whole())
    }

    /// The same, changed or not.
    pub fn checkpoint_whole(&self) -> Option<Checkpoint> {
        // Without a channel that comes back nothing else would say what was seen already.
        if self.is_open() && self.durable_channels > 0 {
            return None;
        }
        let each = |run: &HeldRun| {
            let HeldRun { first, count, due_ns } = *run;
            (0..u64::from(count)).map(move |index| Deferred {
                due_ns,
                sequence: first.plus(index),
                attempts: 0,
            })
        };
        let deferred_added = self.held.iter().flat_map(each).collect();
        Some(Checkpoint {
            cursor: self.gate,
            end: self.end,
            whole: true,
            deferred_added,
            ..Default::default()
        })
    }

    /// The next checkpoint must be written whether something changed or not.
    pub fn checkpoint_lost(&mut self) {
        self.dirty = true;
    }

    /// The oldest message that the topic itself still needs.
    pub fn low_watermark(&self) -> Sequence {
        self.gate
    }

    /// How many messages wait in the topic, deferred ones included.
    pub fn depth(&self) -> u64 {
        self.gate.until(self.end)
    }

    /// How many of them lie before the oldest message that the log has in memory.
    pub fn backend_depth(&self, memory_start: Sequence) -> u64 {
        self.gate.until(self.end.min(memory_start))
    }

    /// True while the handing out is stopped.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How many channels there are.
    pub fn channel_count(&self) -> usize {
        self.channels
    }

    /// Whether what is published goes to the channels at once.
    pub fn is_open(&self) -> bool {
        !self.paused && !self.starting && self.channels > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_channel_gets_what_was_published_before() {
        let mut topic = Topic::default();
        assert_eq!(topic.on_append(Sequence(0), 5, None), Handout::Later);
        assert_eq!(topic.on_append(Sequence(5), 2, Some(9)), Handout::Later);
        assert_eq!(topic.on_channel_created(true), Sequence(0));
        let run = HeldRun { first: Sequence(5), count: 2, due_ns: 9 };
        assert_eq!(topic.release(), Some((vec![run], Sequence(7))));
        assert_eq!(topic.on_append(Sequence(7), 1, None), Handout::Now);
        assert_eq!(topic.on_channel_created(true), Sequence(8), "a later one starts at the end");
        assert_eq!(topic.release(), None);
    }

    #[test]
    fn a_paused_topic_holds_back() {
        let mut topic = Topic::default();
        topic.on_channel_created(true);
        topic.pause();
        assert_eq!(topic.on_append(Sequence(0), 3, None), Handout::Later);
        assert_eq!((topic.depth(), topic.release()), (3, None));
        assert_eq!(topic.on_channel_created(true), Sequence(0), "a new one gets what is held back");
        assert_eq!(topic.empty(), Sequence(3));
        assert_eq!(topic.on_append(Sequence(3), 1, None), Handout::Later);
        topic.unpause();
        assert_eq!(topic.release(), Some((vec![], Sequence(4))));
    }

    #[test]
    fn without_channels_messages_gather_again() {
        let mut topic = Topic::default();
        topic.on_channel_created(true);
        topic.on_append(Sequence(0), 3, None);
        topic.on_channel_deleted(true);
        assert_eq!(topic.on_append(Sequence(3), 2, Some(7)), Handout::Later);
        let checkpoint = topic.checkpoint().flatten().expect("it changed");
        let again = Topic::restore(Some(&checkpoint), Sequence(0), Sequence(5), 0);
        assert_eq!((again.depth(), again.held.len()), (2, 2));
        assert_eq!(topic.checkpoint(), None, "nothing changed since");
    }
}
