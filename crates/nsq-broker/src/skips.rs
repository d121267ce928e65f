//! Places in front of a channel's cursor that it must not deliver from the log.

use std::collections::VecDeque;

use crate::batch::Sequence;

/// Ranges in order: deferred publishes (they come when they are due), what an ephemeral channel
/// had no room for, what was emptied before the channel saw it.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    ranges: VecDeque<(Sequence, Sequence)>,
    total: u64,
}

impl Skips {
    /// Adds `first..end`, which must lie behind every range there is.
    pub(crate) fn push(&mut self, first: Sequence, end: Sequence) {
        debug_assert!(self.ranges.back().is_none_or(|last| last.1 <= first) && first < end);
        self.total += first.until(end);
        match self.ranges.back_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => self.ranges.push_back((first, end)),
        }
    }

    /// The end of the range that `cursor` stands in, which is dropped; or the cursor itself.
    pub(crate) fn pass(&mut self, cursor: Sequence) -> Sequence {
        let mut cursor = cursor;
        while let Some(range) = self.ranges.front().copied().filter(|range| range.0 <= cursor) {
            self.ranges.pop_front();
            self.total -= range.0.until(range.1);
            cursor = cursor.max(range.1);
        }
        cursor
    }

    /// Drops what lies before `cursor`, also the first part of a range; says how much that was.
    pub(crate) fn drop_before(&mut self, cursor: Sequence) -> u64 {
        let before = self.total;
        while let Some(range) = self.ranges.front_mut().filter(|range| range.0 < cursor) {
            let end = range.1.min(cursor);
            self.total -= range.0.until(end);
            range.0 = end;
            if range.0 >= range.1 {
                self.ranges.pop_front();
            }
        }
        before - self.total
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Where the next range begins.
    pub(crate) fn next(&self) -> Option<Sequence> {
        self.ranges.front().map(|range| range.0)
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Sequence, Sequence)> {
        self.ranges.iter().copied()
    }

    /// How many messages will be skipped.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }
}
