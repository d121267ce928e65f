//! What a restart keeps of a channel.

use super::{Changes, Channel, ChannelOptions, Requeued};
use crate::batch::Sequence;
use crate::checkpoint::{Checkpoint, Open};

impl<W: Clone> Channel<W> {
    /// A channel as it was at `checkpoint`, with everything up to `end`. What was in flight waits
    /// again. `log_start` is the oldest message that the log still has: older ones were finished.
    pub fn restore(
        checkpoint: &Checkpoint,
        log_start: Sequence,
        end: Sequence,
        options: ChannelOptions,
    ) -> Self {
        let start = checkpoint.cursor.max(log_start).min(end);
        let mut channel = Self::new(start, options);
        channel.end = end;
        for open in &checkpoint.open {
            let sequences = (0..u64::from(open.count)).map(|index| open.first.plus(index));
            // What lies beyond the end was lost with the tail of the log in a power cut.
            channel.requeued.extend(
                sequences.filter(|&sequence| sequence < end).map(|sequence| Requeued {
                    sequence,
                    attempts: open.attempts,
                    after: start,
                }),
            );
        }
        let deferred = checkpoint.deferred_added.iter().filter(|d| d.sequence < end);
        channel.deferred.extend(deferred);
        let done =
            checkpoint.done_ahead.iter().map(|&(first, done)| (first.max(start), done.min(end)));
        channel.done_ahead = done.filter(|(first, done)| first < done).collect();
        // Held though the cursor has not come there: deferred publishes, due already or not.
        let deferred = channel.deferred.iter().map(|deferred| deferred.sequence);
        let requeued = channel.requeued.iter().map(|again| again.sequence);
        let ahead = deferred.chain(requeued).filter(|&sequence| sequence >= start);
        let done = channel.done_ahead.iter().map(|(&first, &end)| (first, end));
        let mut ahead: Vec<_> = ahead.map(|s| (s, s.plus(1))).chain(done).collect();
        ahead.sort_unstable();
        for (first, end) in ahead {
            channel.skips.push(first, end);
        }
        let census = channel.census();
        channel.entered = census.waiting + census.deferred;
        channel
    }

    /// Everything that a restart must know, and from now on only what changes after it.
    pub fn checkpoint_whole(&mut self) -> Checkpoint {
        self.changes = Changes::default();
        let deferred_added = self.deferred.iter().copied().collect();
        Checkpoint { whole: true, deferred_added, ..self.checkpoint_base() }
    }

    /// What changed since the last checkpoint, or `None` when nothing did.
    pub fn checkpoint(&mut self) -> Option<Checkpoint> {
        if !self.changes.dirty {
            return None;
        }
        if self.changes.whole {
            return Some(self.checkpoint_whole());
        }
        let changes = std::mem::take(&mut self.changes);
        let base = self.checkpoint_base();
        let Changes { mut deferred_added, deferred_removed, .. } = changes;
        // Of a message that is both, the addition would count: only what is deferred still.
        deferred_added.retain(|added| self.deferred.contains(added));
        Some(Checkpoint { whole: false, deferred_added, deferred_removed, ..base })
    }

    /// Forgets what the journal was told: the next checkpoint is whole again.
    pub fn checkpoint_lost(&mut self) {
        self.changes = Changes { dirty: true, whole: true, ..Changes::default() };
    }

    fn checkpoint_base(&mut self) -> Checkpoint {
        let passed = self.cursor;
        self.done_ahead.retain(|_, end| *end > passed);
        let mut open: Vec<Open> = Vec::new();
        let in_flight = self.in_flight.iter().map(|(sequence, slot)| (sequence, slot.attempts));
        let requeued = self.requeued.iter().map(|again| (again.sequence, again.attempts));
        for (sequence, attempts) in in_flight.chain(requeued) {
            match open.last_mut() {
                Some(last)
                    if last.attempts == attempts
                        && last.first.plus(u64::from(last.count)) == sequence =>
                {
                    last.count += 1;
                }
                _ => open.push(Open { first: sequence, count: 1, attempts }),
            }
        }
        let done_ahead = self.done_ahead.iter().map(|(&first, &end)| (first, end)).collect();
        let (cursor, end) = (self.cursor, self.end);
        Checkpoint { cursor, end, done_ahead, open, ..Checkpoint::default() }
    }
}
