//! Reading a log from disk.

use std::io;
use std::sync::Arc;

use nsq_broker::{Batch, Sequence};

use crate::damage::Damage;
use crate::journal::Relocation;
use crate::log::Log;
use crate::record::message_at;
use crate::recovery::damage;
use crate::segment;
use crate::state::Place;
use crate::walk::{Course, Step, Walk};

/// How much is read to find one message.
const LOOKUP_BYTES: usize = 64 * 1024;

/// What was read of a log from some place on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Batches in order; the first may begin before the place that was asked for.
    pub batches: Vec<Arc<Batch>>,
    /// How far it got: the place to ask for next.
    pub next: Sequence,
    /// What had to be skipped on the way.
    pub damage: Vec<Damage>,
}

/// Where a walk goes: a segment and the way through it.
struct Route {
    number: u64,
    course: Course,
    end: Sequence,
}

impl Log {
    /// Reads batches from the one with the message at `from` on, in one block of `max_bytes`,
    /// whose slices the bodies are; more if the first record is larger. Empty only at the end of
    /// the log, or where nothing could be read up to the end. Waits for the disk.
    ///
    /// Damage and missing files are skipped and reported. An error is one of the disk or of this
    /// process: nothing is skipped, and the same call may succeed later.
    pub fn read(&self, from: Sequence, max_bytes: usize) -> io::Result<Chunk> {
        let mut chunk = Chunk { next: from, ..Chunk::default() };
        while chunk.batches.is_empty() {
            let place = self.state.lock().locate(chunk.next);
            match place {
                Some(Place::Segment { number, course, end }) => {
                    self.read_segment(&Route { number, course, end }, max_bytes, &mut chunk)?;
                }
                Some(Place::Missing { until }) => self.skip(&mut chunk, until),
                None => break,
            }
        }
        Ok(chunk)
    }

    /// Finds single messages, in memory or on disk, each as a batch of its own with a copied body
    /// and without a due time. Fastest when `sequences` ascend. A message is missing when it was
    /// released or is damaged. Waits for the disk.
    pub fn read_each(
        &self,
        sequences: &[Sequence],
    ) -> io::Result<Vec<(Sequence, Option<Arc<Batch>>)>> {
        let mut nearby = Vec::new();
        let mut found = Vec::with_capacity(sequences.len());
        for &sequence in sequences {
            let message = self.message(sequence, &mut nearby)?;
            let message = message.map(|message| Arc::new(Batch { due_ns: None, ..message }));
            found.push((sequence, message));
        }
        Ok(found)
    }

    /// The message at `sequence`. `nearby` are batches that were read before, and may be replaced.
    pub(crate) fn message(
        &self,
        sequence: Sequence,
        nearby: &mut Vec<Arc<Batch>>,
    ) -> io::Result<Option<Batch>> {
        let (in_memory, place) = {
            let state = self.state.lock();
            (state.tail.find(sequence).cloned(), state.locate(sequence))
        };
        if let Some(batch) = in_memory {
            return Ok(message_at(&batch, sequence));
        }
        if let Some(batch) = find(nearby, sequence) {
            return Ok(message_at(batch, sequence));
        }
        if let Some(Place::Segment { number, course, end }) = place {
            let mut chunk = Chunk { next: sequence, ..Chunk::default() };
            self.read_segment(&Route { number, course, end }, LOOKUP_BYTES, &mut chunk)?;
            *nearby = chunk.batches;
            if let Some(batch) = find(nearby, sequence) {
                return Ok(message_at(batch, sequence));
            }
        }
        self.relocated_message(sequence)
    }

    /// Reads on in one segment, or notes why not. `chunk.next` always moves forward.
    fn read_segment(&self, route: &Route, max_bytes: usize, chunk: &mut Chunk) -> io::Result<()> {
        let from = chunk.next;
        let file = match self.home().file(route.number) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.skip(chunk, route.end);
                return Ok(());
            }
            file => file?,
        };
        let path = segment::path(self.directory(), route.number);
        let mut walk = Walk::new(&*file, route.course, max_bytes);
        walk.hop_to(from)?;
        let mut skipped = Vec::new();
        while walk.expected() < route.end {
            if !chunk.batches.is_empty() && !walk.has_next_in_block() {
                break;
            }
            match walk.next()? {
                Step::Record(record) if record.header.relocated || walk.expected() <= from => {}
                Step::Record(record) => chunk.batches.push(Arc::new(record.into_batch())),
                Step::Skipped(_) if walk.expected() <= from => {}
                Step::Skipped(part) => skipped.push(damage(&path, part)),
                Step::End => break,
            }
        }
        let (next, offset) = (walk.expected(), walk.offset());
        chunk.next = if chunk.batches.is_empty() { route.end } else { next };
        let mut state = self.state.lock();
        // A segment that was released meanwhile may be another's by now: not damaged.
        if let Some(segment) = state.segment_mut(route.number) {
            for (sequence, offset) in walk.into_seen() {
                segment.index.note(sequence, offset);
            }
            state.resume_at(route.number, next, offset);
            chunk.damage.append(&mut skipped);
        }
        Ok(())
    }

    /// Goes on at `until`, since nothing before it is on disk.
    fn skip(&self, chunk: &mut Chunk, until: Sequence) {
        chunk.damage.push(Damage {
            path: self.directory().clone(),
            offset: 0,
            bytes: 0,
            first: chunk.next,
            messages: chunk.next.until(until),
        });
        chunk.next = until;
    }

    fn relocated_message(&self, sequence: Sequence) -> io::Result<Option<Batch>> {
        let mut tried = None;
        loop {
            let copy = self.state.lock().copies.get(&sequence).copied();
            let Some(copy) = copy.filter(|_| copy != tried) else {
                return Ok(None);
            };
            if let Some(message) = self.read_copy(copy)? {
                return Ok(Some(message));
            }
            // It may have been copied once more and its old place dropped in between.
            tried = Some(copy);
        }
    }

    fn read_copy(&self, copy: Relocation) -> io::Result<Option<Batch>> {
        let Some(course) = self.state.lock().course_at(copy.segment, copy.offset) else {
            return Ok(None);
        };
        let file = match self.home().file(copy.segment) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut walk = Walk::new(&*file, course, LOOKUP_BYTES);
        let record = loop {
            match walk.next()? {
                Step::Record(record) => break record,
                // The place of the record was not known exactly.
                Step::Skipped(skipped) if skipped.bytes == 0 => {}
                Step::Skipped(_) | Step::End => return Ok(None),
            }
        };
        let message = record.copies().find(|message| message.first == copy.sequence);
        // Its body is part of a whole block.
        Ok(message.and_then(|message| message_at(&message, copy.sequence)))
    }
}

fn find(batches: &[Arc<Batch>], sequence: Sequence) -> Option<&Arc<Batch>> {
    let index = batches.partition_point(|batch| batch.end() <= sequence);
    batches.get(index).filter(|batch| batch.first <= sequence)
}
