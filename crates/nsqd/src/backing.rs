//! Where the messages of a topic are: in a log on disk, or for `#ephemeral` topics in memory.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use nsq_broker::{Batch, Epoch, Epochs, Sequence, message_at};
use nsq_proto::{Guid, NodeId};
use nsq_store::{Log, Recent};
use parking_lot::Mutex;

/// A topic's messages.
#[derive(Debug)]
pub(crate) enum Backing {
    /// Kept on disk.
    Log(Box<Log>),
    /// Gone with the process.
    Memory(MemoryLog),
}

impl Backing {
    pub(crate) fn append(
        &self,
        block: Bytes,
        count: u32,
        timestamp_ns: i64,
        due_ns: Option<i64>,
    ) -> io::Result<Arc<Batch>> {
        match self {
            Self::Log(log) => log.append(block, count, timestamp_ns, due_ns),
            Self::Memory(log) => Ok(log.append(block, count, timestamp_ns, due_ns)),
        }
    }

    pub(crate) fn recent(&self, from: Sequence, max_bytes: usize) -> Recent {
        match self {
            Self::Log(log) => log.recent(from, max_bytes),
            Self::Memory(log) => log.recent(from, max_bytes),
        }
    }

    pub(crate) fn epochs(&self) -> Epochs {
        match self {
            Self::Log(log) => log.epochs(),
            Self::Memory(log) => log.epochs.clone(),
        }
    }

    pub(crate) fn end(&self) -> Sequence {
        match self {
            Self::Log(log) => log.end(),
            Self::Memory(log) => log.state.lock().end,
        }
    }

    /// The oldest message in memory; what lies before it is "backend".
    pub(crate) fn memory_start(&self) -> Sequence {
        match self {
            Self::Log(log) => log.memory_start(),
            Self::Memory(_) => Sequence(0),
        }
    }

    pub(crate) fn disk(&self) -> Option<&Log> {
        match self {
            Self::Log(log) => Some(log),
            Self::Memory(_) => None,
        }
    }
}

/// The messages of an ephemeral topic, until no channel needs them.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    epochs: Epochs,
    state: Mutex<MemoryState>,
}

#[derive(Debug)]
struct MemoryState {
    end: Sequence,
    next_guid: Guid,
    batches: BTreeMap<Sequence, Arc<Batch>>,
}

impl MemoryLog {
    pub(crate) fn new(now_ns: i64, node: NodeId) -> Self {
        let next_guid = Guid::new(Guid::counter_at(now_ns), node);
        let epochs = Epochs::new(vec![Epoch { first: Sequence(0), first_guid: next_guid }]);
        let state = MemoryState { end: Sequence(0), next_guid, batches: BTreeMap::new() };
        Self { epochs, state: Mutex::new(state) }
    }

    fn append(
        &self,
        body: Bytes,
        count: u32,
        timestamp_ns: i64,
        due_ns: Option<i64>,
    ) -> Arc<Batch> {
        let mut state = self.state.lock();
        let (first, first_guid) = (state.end, state.next_guid);
        let batch = Arc::new(Batch { first, count, first_guid, timestamp_ns, due_ns, body });
        state.end = batch.end();
        state.next_guid = first_guid.advance(u64::from(count));
        state.batches.insert(first, Arc::clone(&batch));
        batch
    }

    fn recent(&self, from: Sequence, max_bytes: usize) -> Recent {
        let state = self.state.lock();
        if from >= state.end {
            return Recent::End;
        }
        let before = state.batches.range(..=from).next_back();
        let start =
            before.filter(|(_, batch)| batch.end() > from).map_or(from, |(first, _)| *first);
        let mut bytes = 0;
        let wanted = state.batches.range(start..).map(|(_, batch)| Arc::clone(batch));
        let wanted = wanted.take_while(|batch| {
            let more = bytes < max_bytes;
            bytes += batch.body.len();
            more
        });
        Recent::Batches(wanted.collect())
    }

    pub(crate) fn read_each(&self, which: &[Sequence]) -> Vec<(Sequence, Option<Arc<Batch>>)> {
        let state = self.state.lock();
        let one = |&sequence: &Sequence| {
            let batch = state.batches.range(..=sequence).next_back().map(|(_, batch)| batch);
            (sequence, batch.and_then(|batch| single(batch, sequence)))
        };
        which.iter().map(one).collect()
    }

    /// Drops what lies before `low` except for `live`, which must be in order and is kept message
    /// by message where it is the smaller part of a batch, so that one that waits long does not
    /// keep its neighbours.
    pub(crate) fn release(&self, low: Sequence, live: &[Sequence]) {
        let mut state = self.state.lock();
        let old: Vec<_> = state.batches.range(..low).map(|(_, b)| Arc::clone(b)).collect();
        for batch in old.iter().filter(|batch| batch.end() <= low) {
            let from = live.partition_point(|&sequence| sequence < batch.first);
            let to = live.partition_point(|&sequence| sequence < batch.end());
            if 2 * (to - from) > batch.count as usize {
                continue;
            }
            state.batches.remove(&batch.first);
            for &sequence in &live[from..to] {
                if let Some(message) = single(batch, sequence) {
                    state.batches.insert(sequence, message);
                }
            }
        }
    }
}

/// One message of a batch, copied so that it does not keep the others.
fn single(batch: &Arc<Batch>, sequence: Sequence) -> Option<Arc<Batch>> {
    if sequence < batch.first || sequence >= batch.end() {
        return None;
    }
    if batch.count == 1 {
        return Some(Arc::clone(batch));
    }
    let mut offset = 0;
    for _ in 0..batch.first.until(sequence) {
        offset = message_at(&batch.body, offset)?.1;
    }
    let (_, end) = message_at(&batch.body, offset)?;
    let first_guid = batch.guid(sequence);
    let body = Bytes::copy_from_slice(batch.body.get(offset..end)?);
    let Batch { timestamp_ns, due_ns, .. } = **batch;
    Some(Arc::new(Batch { first: sequence, count: 1, first_guid, timestamp_ns, due_ns, body }))
}
