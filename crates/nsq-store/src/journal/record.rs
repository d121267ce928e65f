//! Records: what is written at once, so that after a crash it is there as a whole or not at all.
//!
//! All numbers are big endian.
//!
//! ```text
//!  0  marker    "NSQJ"
//!  4  version   u32, 1
//!  8  life      u32, drawn for each file, the same in all its records
//! 12  previous  u32, the header check of the record before it; 0 in the first
//! 16  length    u32, bytes of the entries
//! 20  entries check  u32, CRC-32C of the entries
//! 24  header check   u32, CRC-32C of bytes 0 to 23
//! 28  entries
//! ```
//!
//! The header has a check of its own so that looking for the next record behind a damaged place
//! stays cheap, and no length is believed that was not written. `previous` makes the records a
//! chain: a record that was lost, or replaced by an older one of the same length, shows.

use std::io;

use memchr::memmem;

use super::entry::{self, Decoded};
use crate::disk::DiskFile;

pub(super) const HEADER_BYTES: usize = 28;

const MARKER: [u8; 4] = *b"NSQJ";
const VERSION: u32 = 1;

/// How much is read at a time.
const WINDOW_BYTES: u64 = 256 << 10;

/// Starts a record: room for the header, entries are to be appended.
pub(super) fn start() -> Vec<u8> {
    vec![0; HEADER_BYTES]
}

/// Fills in the header in front of the entries; the result is `previous` of the next record.
pub(super) fn seal(record: &mut [u8], life: u32, previous: u32) -> io::Result<u32> {
    let (header, entries) =
        record.split_first_chunk_mut::<HEADER_BYTES>().expect("the record was started");
    let length = u32::try_from(entries.len()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "a journal record exceeds four gigabytes")
    })?;
    header[0..4].copy_from_slice(&MARKER);
    let fields = [VERSION, life, previous, length, crc32c::crc32c(entries)];
    for (place, field) in header[4..24].chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_be_bytes());
    }
    let check = crc32c::crc32c(&header[..24]);
    header[24..].copy_from_slice(&check.to_be_bytes());
    Ok(check)
}

#[derive(Clone, Copy, Debug)]
struct Header {
    version: u32,
    life: u32,
    previous: u32,
    length: u32,
    entries_check: u32,
    check: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        let field = |at: usize| {
            let [.., a, b, c, d] = bytes[..at + 4] else { unreachable!("four bytes and more") };
            u32::from_be_bytes([a, b, c, d])
        };
        let header = Self {
            version: field(4),
            life: field(8),
            previous: field(12),
            length: field(16),
            entries_check: field(20),
            check: field(24),
        };
        let valid = bytes[..4] == MARKER && header.check == crc32c::crc32c(&bytes[..24]);
        valid.then_some(header)
    }
}

/// A record as it was found.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) life: u32,
    pub(super) previous: u32,
    pub(super) check: u32,
    pub(super) entries: Vec<Decoded>,
}

/// Reads the valid records of a file in order, whatever lies between them.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    file: &'a dyn DiskFile,
    length: u64,
    position: u64,
    /// From the first valid record; those of another life are remains of an older file.
    life: Option<u32>,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, length: u64) -> Self {
        Self { file, length, position: 0, life: None, window: Vec::new(), window_start: 0 }
    }

    /// The next valid record, or nothing when there is none up to the end of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            if let Some(record) = self.record_at(self.position)? {
                self.position = record.end;
                self.life = Some(record.life);
                return Ok(Some(record));
            }
            match self.find_marker(self.position.saturating_add(1))? {
                Some(found) => self.position = found,
                None => return Ok(None),
            }
        }
    }

    fn record_at(&mut self, offset: u64) -> io::Result<Option<Record>> {
        let Some(header) = Header::parse(self.window(offset, HEADER_BYTES as u64)?) else {
            return Ok(None);
        };
        if header.version != VERSION {
            let text = format!("a journal of version {} cannot be read", header.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let start = offset + HEADER_BYTES as u64;
        let length = u64::from(header.length);
        if self.life.is_some_and(|life| life != header.life) || length > self.length - start {
            return Ok(None);
        }
        let bytes = self.window(start, length)?;
        let Some(bytes) = bytes.get(..header.length as usize) else { return Ok(None) };
        if crc32c::crc32c(bytes) != header.entries_check {
            return Ok(None);
        }
        let Some(entries) = entry::decode_all(bytes) else { return Ok(None) };
        let Header { life, previous, check, .. } = header;
        Ok(Some(Record { offset, end: start + length, life, previous, check, entries }))
    }

    fn find_marker(&mut self, mut from: u64) -> io::Result<Option<u64>> {
        loop {
            let bytes = self.window(from, MARKER.len() as u64)?;
            if let Some(index) = memmem::find(bytes, &MARKER) {
                return Ok(Some(from + index as u64));
            }
            // The last bytes may be the beginning of a marker.
            let step = (bytes.len() + 1).saturating_sub(MARKER.len());
            if step == 0 {
                return Ok(None);
            }
            from += step as u64;
        }
    }

    /// The bytes at `offset` that are in memory, at least `count` unless the file ends before.
    /// The buffer is never larger than what the file holds.
    fn window(&mut self, offset: u64, count: u64) -> io::Result<&[u8]> {
        let rest = self.length.saturating_sub(offset);
        let count = count.min(rest);
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + count > window_end {
            let wanted = usize::try_from(count.max(WINDOW_BYTES).min(rest));
            self.window.resize(wanted.map_err(io::Error::other)?, 0);
            self.window.shrink_to(WINDOW_BYTES as usize);
            let read = self.file.read_at(&mut self.window, offset)?;
            self.window.truncate(read);
            self.window_start = offset;
        }
        let start = usize::try_from(offset - self.window_start).map_err(io::Error::other)?;
        Ok(self.window.get(start..).unwrap_or_default())
    }
}
