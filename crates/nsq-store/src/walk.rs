//! A walk over the records of one segment file, in order, around damage.
//!
//! A record counts when its checksums hold, it belongs to this life of the file, lies before the
//! limit, and its sequence does not go back. Anything else is damage, and the walk goes on at the
//! next record that counts:
//!
//! ```text
//!   record ─ record ─ ▒▒▒▒ ─ record ─ ▒▒▒▒▒▒▒▒▒ ─ record ─ end
//!                     body            header or
//!                     damaged:        framing damaged:
//!                     its length      look for the next
//!                     is trusted      marker
//! ```

use std::io;

use bytes::Bytes;
use memchr::memmem;
use nsq_broker::Sequence;

use crate::disk::DiskFile;
use crate::record::{HEADER_BYTES, MARKER, Record, RecordHeader};
use crate::segment;

/// Size of the blocks that are read while only headers are looked at.
const HOP_BLOCK_BYTES: usize = 64 * 1024;
/// Distance between the record starts that a walk remembers, in bytes.
const SEEN_SPACING_BYTES: u64 = 64 * 1024;

/// What a walk is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) life: u64,
    /// Where the walk begins: the start of a record, in bytes.
    pub(crate) offset: u64,
    /// Place of that record's first message, or of one before it.
    pub(crate) sequence: Sequence,
    /// Bytes from here on do not exist for the walk.
    pub(crate) limit: u64,
    /// The place behind the last message, where it is known. Where it is not, a record of an
    /// earlier life ends the search behind damage: everything behind it is of earlier lives too.
    pub(crate) end: Option<Sequence>,
}

/// One step of a walk.
#[derive(Debug)]
pub(crate) enum Step {
    Record(Record),
    Skipped(Skipped),
    End,
}

/// What a walk had to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) first: Sequence,
    pub(crate) messages: u64,
}

/// A walk in progress.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    file: &'a dyn DiskFile,
    course: Course,
    block_bytes: usize,
    block: Bytes,
    block_offset: u64,
    /// Offset of the next record.
    offset: u64,
    /// Place of the next message.
    expected: Sequence,
    /// Record starts on the way, some distance apart.
    seen: Vec<(Sequence, u64)>,
}

impl<'a> Walk<'a> {
    /// A walk that reads blocks of `block_bytes`; a record larger than that is read in one piece.
    pub(crate) fn new(file: &'a dyn DiskFile, course: Course, block_bytes: usize) -> Self {
        Self {
            file,
            course,
            block_bytes: block_bytes.max(HEADER_BYTES),
            block: Bytes::new(),
            block_offset: course.offset,
            offset: course.offset,
            expected: course.sequence,
            seen: Vec::new(),
        }
    }

    /// Goes forward to the record with the message at `sequence`, or to damage before it,
    /// without looking at bodies.
    pub(crate) fn hop_to(&mut self, sequence: Sequence) -> io::Result<()> {
        let block_bytes = std::mem::replace(&mut self.block_bytes, HOP_BLOCK_BYTES);
        while self.expected < sequence {
            match self.header_here()? {
                Some(header) if header.end() <= sequence => self.pass(&header),
                _ => break,
            }
        }
        self.block_bytes = block_bytes;
        self.block = Bytes::new();
        Ok(())
    }

    /// The next record, or what had to be skipped to reach it.
    pub(crate) fn next(&mut self) -> io::Result<Step> {
        let Some(header) = self.header_here()? else {
            return self.resynchronize();
        };
        let (offset, first) = (self.offset, self.expected);
        if header.first > first {
            self.expected = header.first;
            let messages = first.until(header.first);
            return Ok(Step::Skipped(Skipped { offset, bytes: 0, first, messages }));
        }
        let bytes = header.record_bytes();
        if !self.fill(offset, bytes)? {
            return self.resynchronize();
        }
        let start = (offset - self.block_offset) as usize;
        let body = self.block.slice(start + HEADER_BYTES..start + bytes as usize);
        self.pass(&header);
        if crc32c::crc32c(&body) != header.body_crc {
            let messages = first.until(header.end());
            return Ok(Step::Skipped(Skipped { offset, bytes, first, messages }));
        }
        Ok(Step::Record(Record { header, offset, body }))
    }

    /// Whether the next record has been read already, as far as can be told without reading.
    pub(crate) fn has_next_in_block(&self) -> bool {
        let start = usize::try_from(self.offset.saturating_sub(self.block_offset));
        let behind = start.ok().and_then(|start| self.block.get(start..)).unwrap_or_default();
        RecordHeader::peek_record_bytes(behind).is_some_and(|bytes| bytes <= behind.len() as u64)
    }

    /// The first record of the topic whose name has this checksum, of whatever life.
    pub(crate) fn find_topic(&mut self, topic_crc: u32) -> io::Result<Option<RecordHeader>> {
        let mut at = self.offset;
        while let Some((offset, header)) = self.find_header(at)? {
            if segment::is_life_of(header.life, topic_crc) {
                return Ok(Some(header));
            }
            if offset == self.course.offset {
                // It was to be written anew and nothing was: all of it is another topic's.
                return Ok(None);
            }
            at = offset + 1;
        }
        Ok(None)
    }

    /// Offset of the next record: behind the last one that was returned or skipped.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Place of the next message.
    pub(crate) const fn expected(&self) -> Sequence {
        self.expected
    }

    /// Starts of records that were passed, some distance apart, in order.
    pub(crate) fn into_seen(self) -> Vec<(Sequence, u64)> {
        self.seen
    }

    fn pass(&mut self, header: &RecordHeader) {
        let last = self.seen.last().map_or(self.course.offset, |seen| seen.1);
        if self.offset >= last + SEEN_SPACING_BYTES {
            self.seen.push((header.first, self.offset));
        }
        self.offset += header.record_bytes();
        self.expected = header.end();
    }

    /// The header of the next record, if one that counts is there.
    fn header_here(&mut self) -> io::Result<Option<RecordHeader>> {
        Ok(self.header_at(self.offset)?.filter(|header| self.counts(self.offset, header)))
    }

    fn header_at(&mut self, offset: u64) -> io::Result<Option<RecordHeader>> {
        if !self.fill(offset, HEADER_BYTES as u64)? {
            return Ok(None);
        }
        Ok(RecordHeader::decode(self.buffered(offset, HEADER_BYTES as u64)))
    }

    fn counts(&self, offset: u64, header: &RecordHeader) -> bool {
        header.life == self.course.life
            && header.first >= self.expected
            && self.course.end.is_none_or(|end| header.end() <= end)
            && header.record_bytes() <= self.course.limit.saturating_sub(offset)
    }

    /// Goes on at the next record that counts behind the damage at the current offset.
    fn resynchronize(&mut self) -> io::Result<Step> {
        let (offset, first) = (self.offset, self.expected);
        if let Some((at, header)) = self.search(offset + 1)? {
            self.offset = at;
            self.expected = header.first;
            let messages = first.until(header.first);
            return Ok(Step::Skipped(Skipped { offset, bytes: at - offset, first, messages }));
        }
        match self.course.end {
            Some(end) if end > first => {
                self.offset = self.offset.max(self.course.limit);
                self.expected = end;
                let bytes = self.offset - offset;
                let messages = first.until(end);
                Ok(Step::Skipped(Skipped { offset, bytes, first, messages }))
            }
            _ => Ok(Step::End),
        }
    }

    /// The next record behind `from` that counts.
    fn search(&mut self, from: u64) -> io::Result<Option<(u64, RecordHeader)>> {
        let mut at = from;
        while let Some((offset, header)) = self.find_header(at)? {
            if self.counts(offset, &header) {
                return Ok(Some((offset, header)));
            }
            if self.course.end.is_none() && header.life != self.course.life {
                return Ok(None);
            }
            at = offset + 1;
        }
        Ok(None)
    }

    /// The first intact header at or behind `from`, of whatever life.
    fn find_header(&mut self, from: u64) -> io::Result<Option<(u64, RecordHeader)>> {
        let mut at = from;
        while self.fill(at, HEADER_BYTES as u64)? {
            let block_end = self.block_offset + self.block.len() as u64;
            let behind = self.buffered(at, block_end - at);
            let Some(distance) = memmem::find(behind, &MARKER) else {
                // The marker may begin at the very end of the block.
                at = block_end - (MARKER.len() as u64 - 1);
                continue;
            };
            at += distance as u64;
            if let Some(header) = self.header_at(at)? {
                return Ok(Some((at, header)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Has `need` bytes from `offset` on in the block; false when the file does not have them.
    fn fill(&mut self, offset: u64, need: u64) -> io::Result<bool> {
        let available = self.course.limit.saturating_sub(offset);
        if available < need {
            return Ok(false);
        }
        let block_end = self.block_offset + self.block.len() as u64;
        if offset >= self.block_offset && offset + need <= block_end {
            return Ok(true);
        }
        let size = available.min(need.max(self.block_bytes as u64));
        let size = usize::try_from(size).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut block = vec![0; size];
        let count = self.file.read_at(&mut block, offset)?;
        block.truncate(count);
        self.block = Bytes::from(block);
        self.block_offset = offset;
        Ok(count as u64 >= need)
    }

    /// Bytes of the block, which `fill` has seen to.
    fn buffered(&self, offset: u64, count: u64) -> &[u8] {
        let start = (offset - self.block_offset) as usize;
        &self.block[start..start + count as usize]
    }
}
