//! Giving back what a log no longer needs.
//!
//! A segment goes once no message in it is needed. So that a few messages that wait for days do
//! not keep whole segments, they can be copied to the end of the log:
//!
//! ```text
//!   segment 4          segment 5        …        segment 9 (newest)
//!   ▒▒▒▒▒▒m▒▒▒▒n▒▒     ▒▒▒▒▒▒▒▒▒▒▒               ███████[copies of m, n]████
//!   dropped            dropped                   kept while m or n is needed
//! ```

use std::collections::BTreeSet;
use std::io;

use nsq_broker::Sequence;
use nsq_proto::Guid;

use crate::journal::Relocation;
use crate::log::Log;
use crate::record::put_copy;
use crate::segment;

/// A record of copies is ended when it has this size, in bytes.
const COPIES_BYTES: usize = 64 * 1024;

/// A sealed segment that may be droppable.
struct Candidate {
    number: u64,
    bytes: u64,
    first: Sequence,
    end: Sequence,
    kept_by: Sequence,
}

/// What became of a candidate.
enum Verdict {
    Drop,
    /// This message is still needed.
    KeptBy(Sequence),
    /// Only copies in it are still needed.
    OnlyCopies,
}

impl Log {
    /// Copies these messages to the end of the log and syncs them; [`Log::read_each`] finds them
    /// there even when their segment is gone, [`Log::read`] does not: they must lie before every
    /// channel's cursor. Those that cannot be read are left out of the answer. After an error none
    /// counts as copied. Waits for the disk.
    ///
    /// The journal must know the places, and be synced, before the segments are released.
    pub fn relocate(&self, live: &[Sequence]) -> io::Result<Vec<Relocation>> {
        let mut relocated = Vec::with_capacity(live.len());
        let mut pending = Vec::new();
        let mut body = Vec::new();
        let mut nearby = Vec::new();
        for &sequence in live {
            if let Some(message) = self.message(sequence, &mut nearby)? {
                put_copy(&mut body, &message);
                pending.push((sequence, message.first_guid));
            }
            if body.len() >= COPIES_BYTES {
                self.append_pending(&mut body, &mut pending, &mut relocated)?;
            }
        }
        if !pending.is_empty() {
            self.append_pending(&mut body, &mut pending, &mut relocated)?;
        }
        if !relocated.is_empty() {
            self.sync()?;
        }
        let copies = relocated.iter().map(|&relocated| (relocated.sequence, relocated));
        self.state.lock().copies.extend(copies);
        Ok(relocated)
    }

    /// Drops all sealed segments in which nothing is needed: no message at or behind `low` for
    /// which `is_live` holds and that was not relocated, and no copy of a message for which it
    /// holds. Waits for the disk.
    ///
    /// A message is live while any channel has not finished it, also when no channel has seen it
    /// yet. `is_live` is called for messages before `low` only if they were relocated; no lock is
    /// held then. A segment is looked through until the first live message is found.
    ///
    /// After an error some files may be left over; they are found and dropped after the log was
    /// opened again.
    pub fn release(
        &self,
        low: Sequence,
        is_live: &mut dyn FnMut(Sequence) -> bool,
    ) -> io::Result<()> {
        let (candidates, mut copies) = {
            let mut state = self.state.lock();
            state.tail.release(low);
            let sealed = state.segments.len().saturating_sub(1);
            let candidates = state.segments[..sealed].iter().map(|segment| Candidate {
                number: segment.number,
                bytes: segment.bytes,
                first: segment.first,
                end: segment.end,
                kept_by: segment.kept_by,
            });
            (candidates.collect::<Vec<_>>(), state.copies.clone())
        };
        let dead: Vec<_> = copies.keys().copied().filter(|&copy| !is_live(copy)).collect();
        for sequence in &dead {
            copies.remove(sequence);
        }
        let needed: BTreeSet<u64> = copies.values().map(|copy| copy.segment).collect();
        let verdicts = candidates.into_iter().map(|candidate| {
            let mut is_needed = |at| !copies.contains_key(&at) && is_live(at);
            let verdict = match candidate.find_needed(low, &mut is_needed) {
                Some(sequence) => Verdict::KeptBy(sequence),
                None if needed.contains(&candidate.number) => Verdict::OnlyCopies,
                None => Verdict::Drop,
            };
            (candidate, verdict)
        });
        let verdicts: Vec<_> = verdicts.collect();
        self.apply(&dead, &verdicts);
        let dropped = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Drop));
        dropped.map(|(candidate, _)| self.give_back(candidate)).fold(Ok(()), Result::and)
    }

    /// All messages that were relocated and are still needed, in order; to be handed in when the
    /// log is opened again.
    pub fn relocated(&self) -> Vec<Relocation> {
        self.state.lock().copies.values().copied().collect()
    }

    /// The messages whose copies segment `number` holds, in order.
    pub fn copies_in(&self, number: u64) -> Vec<Sequence> {
        let state = self.state.lock();
        let copies = state.copies.values().filter(|copy| copy.segment == number);
        copies.map(|copy| copy.sequence).collect()
    }

    fn append_pending(
        &self,
        body: &mut Vec<u8>,
        pending: &mut Vec<(Sequence, Guid)>,
        relocated: &mut Vec<Relocation>,
    ) -> io::Result<()> {
        // As many as there are messages in memory: it fits.
        let count = u32::try_from(pending.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (segment, offset) = self.append_copies(body, count)?;
        let copies = pending.drain(..);
        relocated.extend(copies.map(|(sequence, guid)| Relocation {
            sequence,
            guid,
            segment,
            offset,
        }));
        body.clear();
        Ok(())
    }

    fn apply(&self, dead: &[Sequence], verdicts: &[(Candidate, Verdict)]) {
        let mut state = self.state.lock();
        for sequence in dead {
            state.copies.remove(sequence);
        }
        for (candidate, verdict) in verdicts {
            match (verdict, state.segment_mut(candidate.number)) {
                (Verdict::KeptBy(sequence), Some(segment)) => segment.kept_by = *sequence,
                (Verdict::OnlyCopies, Some(segment)) => segment.only_copies = true,
                _ => {}
            }
        }
        let is_dropped = |number| {
            let index = verdicts.binary_search_by_key(&number, |(c, _)| c.number);
            index.is_ok_and(|index| matches!(verdicts[index].1, Verdict::Drop))
        };
        state.segments.retain(|segment| !is_dropped(segment.number));
    }

    fn give_back(&self, dropped: &Candidate) -> io::Result<()> {
        self.shared.handles.forget(self.key(dropped.number));
        let path = segment::path(self.directory(), dropped.number);
        match self.shared.spares.give(&path, dropped.bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            given => given,
        }
    }
}

impl Candidate {
    /// A message in this segment that is still needed.
    fn find_needed(
        &self,
        low: Sequence,
        is_needed: &mut dyn FnMut(Sequence) -> bool,
    ) -> Option<Sequence> {
        let from = self.first.max(low);
        // Most often it is the same one as the last time.
        if (from..self.end).contains(&self.kept_by) && is_needed(self.kept_by) {
            return Some(self.kept_by);
        }
        (from.0..self.end.0).map(Sequence).find(|&sequence| is_needed(sequence))
    }
}
