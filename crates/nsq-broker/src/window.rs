//! The part of the log that a channel has at hand: what it will deliver next.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::batch::{Batch, Sequence};

/// Batches fetched from the log, in order, the first one partly delivered.
#[derive(Debug, Default)]
pub(crate) struct Window {
    batches: VecDeque<Arc<Batch>>,
    /// Where in the first batch's body the next message begins.
    offset: usize,
}

/// Messages of one batch that lie behind one another, and where they begin in its body.
pub(crate) struct Run {
    pub(crate) batch: Arc<Batch>,
    pub(crate) offset: usize,
    pub(crate) count: u32,
    pub(crate) bytes: usize,
}

impl Window {
    /// Adds what follows. Batches that are known or lie before `cursor` are passed over.
    pub(crate) fn extend(&mut self, cursor: Sequence, batches: Vec<Arc<Batch>>) {
        for batch in batches {
            if batch.end() > self.end(cursor) {
                let first = self.batches.is_empty();
                self.batches.push_back(batch);
                if first {
                    self.settle(cursor);
                }
            }
        }
    }

    /// Moves on to `cursor`: drops what lies before it.
    pub(crate) fn move_to(&mut self, cursor: Sequence) {
        while self.batches.front().is_some_and(|batch| batch.end() <= cursor) {
            self.batches.pop_front();
        }
        self.settle(cursor);
    }

    /// Takes a run of messages that starts at `cursor`: at most `count`, and, behind the first, no
    /// more than `bytes` of bodies. `None` when the window does not reach `cursor`.
    pub(crate) fn take(&mut self, cursor: Sequence, count: u64, bytes: usize) -> Option<Run> {
        let batch = self.batches.front().filter(|batch| batch.first <= cursor)?;
        let start = self.offset;
        let limit = count.min(cursor.until(batch.end()));
        let (mut taken, mut size_bytes) = (0u64, 0usize);
        while taken < limit {
            let size = size_at(&batch.body, self.offset)?;
            if taken > 0 && size_bytes + size > bytes {
                break;
            }
            size_bytes += size;
            self.offset += 4 + size;
            taken += 1;
        }
        let batch = Arc::clone(batch);
        if cursor.plus(taken) >= batch.end() {
            self.move_to(cursor.plus(taken));
        }
        let count = u32::try_from(taken).ok().filter(|&count| count > 0)?;
        Some(Run { batch, offset: start, count, bytes: size_bytes })
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The place behind the last message at hand.
    pub(crate) fn end(&self, cursor: Sequence) -> Sequence {
        self.batches.back().map_or(cursor, |batch| batch.end())
    }

    /// The first message at hand, if there is one: later than the cursor where messages are lost.
    pub(crate) fn first(&self) -> Option<Sequence> {
        self.batches.front().map(|batch| batch.first)
    }

    /// The place behind the first batch at hand.
    pub(crate) fn end_of_first(&self) -> Option<Sequence> {
        self.batches.front().map(|batch| batch.end())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Finds the byte where `cursor` begins in the first batch.
    fn settle(&mut self, cursor: Sequence) {
        self.offset = 0;
        let Some(batch) = self.batches.front() else { return };
        for _ in 0..batch.first.until(cursor) {
            match size_at(&batch.body, self.offset) {
                Some(size) => self.offset += 4 + size,
                None => break,
            }
        }
    }
}

/// The size of the message that begins at `offset` of a batch's body.
fn size_at(body: &[u8], offset: usize) -> Option<usize> {
    let size = body.get(offset..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*size)).ok()
}

/// The message that begins at `offset` of a batch's body, and where the next one begins.
pub fn message_at(body: &[u8], offset: usize) -> Option<(&[u8], usize)> {
    let start = offset + 4;
    let end = start.checked_add(size_at(body, offset)?)?;
    Some((body.get(start..end)?, end))
}
