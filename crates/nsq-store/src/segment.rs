//! A segment: one file of a log, and what is remembered of it.
//!
//! ```text
//!  offset  size
//!       0     8   magic           "nsqrslog"
//!       8     4   checksum        crc32c of bytes 12..64
//!      12     4   version         1
//!      16     8   number          the same as in the file's name
//!      24     8   life            upper half: crc32c of the topic's name; lower half: drawn anew
//!      32     8   first sequence  place of the first message in the log
//!      40     8   first guid      number behind its message id
//!      48     8   created         nanoseconds since 1970, signed; for people who look at it
//!      56     8   zero
//!      64         records, one behind the other
//! ```
//!
//! A file may have been a segment of any topic before. Its old records are still behind the new
//! ones, with valid checksums; the life tells them apart.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use nsq_broker::Sequence;
use nsq_proto::Guid;

use crate::index::SparseIndex;

/// Size of a segment's header; its first record starts here.
pub(crate) const SEGMENT_HEADER_BYTES: usize = 64;
/// The life of a segment none of whose records can be read: no record has it.
pub(crate) const NO_LIFE: u64 = 0;

const MAGIC: [u8; 8] = *b"nsqrslog";
const VERSION: u32 = 1;
const CHECKED_FROM: usize = 12;
const SUFFIX: &str = ".log";
const NUMBER_DIGITS: usize = 20;

/// What stands at the front of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u64,
    pub(crate) life: u64,
    pub(crate) first: Sequence,
    pub(crate) first_guid: Guid,
    pub(crate) created_ns: i64,
}

impl SegmentHeader {
    /// The header at the front of `bytes`, or nothing when there is none that can be believed.
    /// One of a later version is an error: skipping what it holds would be a loss.
    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return Ok(None);
        };
        let mut fields = &header[MAGIC.len()..];
        let crc = fields.get_u32();
        if header[..MAGIC.len()] != MAGIC || crc != crc32c::crc32c(&header[CHECKED_FROM..]) {
            return Ok(None);
        }
        let version = fields.get_u32();
        if version != VERSION {
            let text = format!("a log of version {version}, written by a later nsqd");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(Some(Self {
            number: fields.get_u64(),
            life: fields.get_u64(),
            first: Sequence(fields.get_u64()),
            first_guid: Guid::from_number(fields.get_u64()),
            created_ns: fields.get_i64(),
        }))
    }

    /// The bytes at the front of the file.
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut header = [0; SEGMENT_HEADER_BYTES];
        let mut fields = &mut header[CHECKED_FROM..];
        fields.put_u32(VERSION);
        fields.put_u64(self.number);
        fields.put_u64(self.life);
        fields.put_u64(self.first.0);
        fields.put_u64(self.first_guid.number());
        fields.put_i64(self.created_ns);
        let crc = crc32c::crc32c(&header[CHECKED_FROM..]);
        let mut front = &mut header[..CHECKED_FROM];
        front.put_slice(&MAGIC);
        front.put_u32(crc);
        header
    }
}

/// A life nobody had before, for a segment of the topic whose name has this checksum.
///
/// The checksum part keeps records of other topics out even where a segment's header is lost.
pub(crate) const fn life(topic_crc: u32, drawn: u32) -> u64 {
    // The lowest bit is set so that no life is NO_LIFE.
    (topic_crc as u64) << 32 | drawn as u64 | 1
}

/// Whether `life` belongs to the topic whose name has this checksum.
pub(crate) const fn is_life_of(life: u64, topic_crc: u32) -> bool {
    (life >> 32) as u32 == topic_crc
}

/// The name of a segment file: its number, so that they sort.
pub(crate) fn file_name(number: u64) -> String {
    format!("{number:0NUMBER_DIGITS$}{SUFFIX}")
}

/// The number of the segment file with this name, or nothing when it is no segment file.
pub(crate) fn parse_file_name(name: &Path) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(SUFFIX)?;
    let plain = digits.len() == NUMBER_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    // The highest number is none: there must be a next one.
    digits.parse().ok().filter(|&number| plain && number < u64::MAX)
}

/// What a log remembers of one of its segments.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    /// [`NO_LIFE`] when nothing in it can be read.
    pub(crate) life: u64,
    pub(crate) first: Sequence,
    /// The place behind its last message.
    pub(crate) end: Sequence,
    pub(crate) first_guid: Guid,
    /// How far readers may go, in bytes: what is written whole, or the length of the file.
    pub(crate) bytes: u64,
    pub(crate) index: SparseIndex,
    /// The message that kept it the last time it could have been dropped.
    pub(crate) kept_by: Sequence,
    /// Only copies of older messages are still needed in it.
    pub(crate) only_copies: bool,
    /// Its header is lost; what is known of it is from its first record that can be read.
    pub(crate) is_guess: bool,
}

impl Segment {
    /// An empty segment with this header.
    pub(crate) fn new(header: &SegmentHeader) -> Self {
        Self {
            number: header.number,
            life: header.life,
            first: header.first,
            end: header.first,
            first_guid: header.first_guid,
            bytes: SEGMENT_HEADER_BYTES as u64,
            index: SparseIndex::default(),
            kept_by: header.first,
            only_copies: false,
            is_guess: false,
        }
    }

    /// A file nothing in which can be read. It is kept where it lies.
    pub(crate) fn unreadable(number: u64, bytes: u64) -> Self {
        let first_guid = Guid::from_number(0);
        let first = Sequence::default();
        let header = SegmentHeader { number, life: NO_LIFE, first, first_guid, created_ns: 0 };
        Self { bytes, ..Self::new(&header) }
    }

    /// Whether any record of it could be read.
    pub(crate) const fn is_readable(&self) -> bool {
        self.life != NO_LIFE
    }
}

/// A segment as the owner of the log sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Names it; later segments have higher numbers.
    pub number: u64,
    /// Place of its first message.
    pub first: Sequence,
    /// The place behind its last message.
    pub end: Sequence,
    /// What it takes on disk.
    pub bytes: u64,
    /// How many messages of older segments have their copy here.
    pub copies: usize,
}

/// The path of a segment file.
pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(file_name(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            number: 3,
            life: life(0xAABB_CCDD, 0x1122_3344),
            first: Sequence(9),
            first_guid: Guid::from_number(0x18a4_a4c7_7026_9001),
            created_ns: 5,
        }
    }

    #[test]
    fn layout() {
        let bytes = header().encode();
        assert_eq!(&bytes[..8], b"nsqrslog");
        assert_eq!(bytes[12..24], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(bytes[24..32], [0xAA, 0xBB, 0xCC, 0xDD, 0x11, 0x22, 0x33, 0x45]);
        assert_eq!(bytes[56..], [0; 8]);
        assert_eq!(SegmentHeader::decode(&bytes).unwrap(), Some(header()));
    }

    #[test]
    fn any_flipped_bit_makes_a_header_unbelievable() {
        for bit in 0..SEGMENT_HEADER_BYTES * 8 {
            let mut damaged = header().encode();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&damaged).unwrap(), None, "bit {bit}");
        }
    }

    #[test]
    fn a_later_version_is_an_error() {
        let mut later = header().encode();
        later[15] = 2;
        let crc = crc32c::crc32c(&later[CHECKED_FROM..]);
        later[8..12].copy_from_slice(&crc.to_be_bytes());
        let error = SegmentHeader::decode(&later).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn names() {
        assert_eq!(file_name(7), "00000000000000000007.log");
        for (name, number) in [
            ("00000000000000000007.log", Some(7)),
            ("18446744073709551614.log", Some(u64::MAX - 1)),
            ("18446744073709551615.log", None),
            ("+0000000000000000007.log", None),
            ("0000000000000000007.log", None),
            ("journal.log", None),
            ("00000000000000000007", None),
        ] {
            assert_eq!(parse_file_name(Path::new(name)), number, "{name}");
        }
    }
}
