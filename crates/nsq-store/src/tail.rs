//! The newest part of a log, in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use nsq_broker::{Batch, Sequence};

use crate::budget::MemoryBudget;

/// The newest batches without a gap: everything from some place to the end of the log.
#[derive(Debug)]
pub(crate) struct Tail {
    batches: VecDeque<Arc<Batch>>,
    messages: u64,
    bytes: usize,
    max_messages: u64,
    budget: Arc<MemoryBudget>,
}

impl Tail {
    /// An empty tail of at most `max_messages`; the newest batch is kept whatever its size.
    pub(crate) fn new(max_messages: u64, budget: Arc<MemoryBudget>) -> Self {
        Self { batches: VecDeque::new(), messages: 0, bytes: 0, max_messages, budget }
    }

    /// Adds the newest batch and lets go of the oldest that are too many.
    pub(crate) fn push(&mut self, batch: Arc<Batch>) {
        let bytes = batch.memory_bytes();
        self.messages += u64::from(batch.count);
        self.bytes += bytes;
        self.budget.take(bytes);
        self.batches.push_back(batch);
        while self.batches.len() > 1
            && (self.messages > self.max_messages || self.budget.is_exceeded())
        {
            self.pop();
        }
    }

    /// Lets go of the batches that lie wholly before `low`.
    pub(crate) fn release(&mut self, low: Sequence) {
        while self.batches.front().is_some_and(|batch| batch.end() <= low) {
            self.pop();
        }
        if self.batches.is_empty() {
            self.batches = VecDeque::new();
        }
    }

    /// Lets go of everything.
    pub(crate) fn clear(&mut self) {
        self.release(Sequence(u64::MAX));
    }

    /// The oldest place in memory.
    pub(crate) fn start(&self) -> Option<Sequence> {
        self.batches.front().map(|batch| batch.first)
    }

    /// The batch with the message at `sequence`.
    pub(crate) fn find(&self, sequence: Sequence) -> Option<&Arc<Batch>> {
        self.batches.get(self.position(sequence)?)
    }

    /// Batches from the one with the message at `from` on, of `max_bytes` together, at least one;
    /// nothing when that message is not in memory.
    pub(crate) fn from(&self, from: Sequence, max_bytes: usize) -> Option<Vec<Arc<Batch>>> {
        let mut bytes = 0;
        let enough = |batch: &&Arc<Batch>| {
            let first = bytes == 0;
            bytes += batch.memory_bytes();
            first || bytes <= max_bytes
        };
        let behind = self.batches.range(self.position(from)?..);
        Some(behind.take_while(enough).cloned().collect())
    }

    fn position(&self, sequence: Sequence) -> Option<usize> {
        self.start().filter(|&start| start <= sequence)?;
        let index = self.batches.partition_point(|batch| batch.end() <= sequence);
        (index < self.batches.len()).then_some(index)
    }

    fn pop(&mut self) {
        if let Some(batch) = self.batches.pop_front() {
            let bytes = batch.memory_bytes();
            self.messages -= u64::from(batch.count);
            self.bytes -= bytes;
            self.budget.give_back(bytes);
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use nsq_proto::Guid;

    use super::*;

    fn batch(first: u64, count: u32) -> Arc<Batch> {
        Arc::new(Batch {
            first: Sequence(first),
            count,
            first_guid: Guid::from_number(0),
            timestamp_ns: 0,
            due_ns: None,
            body: Bytes::from(vec![0; 100]),
        })
    }

    fn firsts(batches: Option<Vec<Arc<Batch>>>) -> Vec<u64> {
        batches.unwrap_or_default().iter().map(|batch| batch.first.0).collect()
    }

    #[test]
    fn bounded_by_messages() {
        let budget = Arc::new(MemoryBudget::new(usize::MAX));
        let mut tail = Tail::new(5, Arc::clone(&budget));
        for first in [0, 2, 4] {
            tail.push(batch(first, 2));
        }
        assert_eq!(tail.start(), Some(Sequence(2)));
        assert_eq!(firsts(tail.from(Sequence(3), usize::MAX)), [2, 4]);
        assert_eq!(firsts(tail.from(Sequence(3), 1)), [2]);
        assert_eq!(firsts(tail.from(Sequence(1), usize::MAX)), [0; 0]);
        assert_eq!(firsts(tail.from(Sequence(6), usize::MAX)), [0; 0]);
        assert_eq!(tail.find(Sequence(5)).unwrap().first, Sequence(4));
        tail.push(batch(6, 100));
        assert_eq!(tail.start(), Some(Sequence(6)));
        assert_eq!(budget.used(), batch(0, 1).memory_bytes());
    }

    #[test]
    fn bounded_by_the_budget_of_all() {
        let each = batch(0, 1).memory_bytes();
        let budget = Arc::new(MemoryBudget::new(3 * each));
        let mut idle = Tail::new(100, Arc::clone(&budget));
        let mut busy = Tail::new(100, Arc::clone(&budget));
        idle.push(batch(0, 1));
        idle.push(batch(1, 1));
        for first in 0..10 {
            busy.push(batch(first, 1));
        }
        assert_eq!(busy.start(), Some(Sequence(9)));
        assert_eq!(idle.start(), Some(Sequence(0)));
        idle.clear();
        assert_eq!((idle.start(), budget.used()), (None, each));
        drop(busy);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn what_is_finished_leaves() {
        let mut tail = Tail::new(100, Arc::new(MemoryBudget::new(usize::MAX)));
        tail.push(batch(0, 5));
        tail.push(batch(5, 5));
        tail.release(Sequence(9));
        assert_eq!(tail.start(), Some(Sequence(5)));
        tail.release(Sequence(10));
        assert_eq!(tail.start(), None);
    }
}
