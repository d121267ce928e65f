//! One record of a log: what one append wrote.
//!
//! All numbers are big endian, like the bodies they frame.
//!
//! ```text
//!  offset  size
//!       0     4   marker          B1 4E 53 51
//!       4     4   header checksum crc32c of bytes 8..64
//!       8     4   body checksum   crc32c of the body
//!      12     4   body length     in bytes, without this header
//!      16     4   count           messages in the body, at least 1
//!      20     1   version         1
//!      21     1   flags           bit 0: relocated; the others are 0
//!      22     2   zero
//!      24     8   life            the same in every record of one life of a segment file
//!      32     8   first sequence  place of the first message in the log
//!      40     8   first guid      number behind its message id; the others count on
//!      48     8   timestamp       nanoseconds since 1970, signed
//!      56     8   due time        nanoseconds since 1970, 0 when not deferred
//!      64         body            (u32 size, body bytes) × count: the inside of an MPUB
//! ```
//!
//! The body of a relocated record holds copies of older messages instead; such a record consumes
//! no sequences, its `first sequence` is the place of the next ordinary message:
//!
//! ```text
//!       0     8   sequence        ⎫
//!       8     8   guid            ⎪
//!      16     8   timestamp       ⎬ × count
//!      24     8   due time or 0   ⎪
//!      32   4+n   u32 size, body  ⎭
//! ```
//!
//! Two checksums and not one, so that a reader may hop from header to header without reading
//! bodies, and so that a damaged body costs exactly its own record: the length is still trusted.

use bytes::{Buf, BufMut, Bytes};
use nsq_broker::{Batch, Sequence};
use nsq_proto::Guid;

/// What every record starts with. Not ASCII first: so that a search rarely stops inside bodies.
pub(crate) const MARKER: [u8; 4] = [0xB1, b'N', b'S', b'Q'];
/// Size of the header in bytes.
pub(crate) const HEADER_BYTES: usize = 64;

const VERSION: u8 = 1;
const RELOCATED: u8 = 1;
/// Where the part that the header checksum covers begins.
const CHECKED_FROM: usize = 8;
/// What stands before each message of a relocated record, in bytes.
const COPY_HEADER_BYTES: usize = 32;

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHeader {
    pub(crate) body_crc: u32,
    pub(crate) body_length: u32,
    pub(crate) count: u32,
    pub(crate) relocated: bool,
    pub(crate) life: u64,
    pub(crate) first: Sequence,
    pub(crate) first_guid: Guid,
    pub(crate) timestamp_ns: i64,
    pub(crate) due_ns: Option<i64>,
}

impl RecordHeader {
    /// The header at the front of `bytes`, or nothing when there is none that can be believed.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let mut fields = &header[..];
        let marker = fields.get_u32();
        let header_crc = fields.get_u32();
        let known = marker == u32::from_be_bytes(MARKER)
            && header_crc == crc32c::crc32c(&header[CHECKED_FROM..]);
        let body_crc = fields.get_u32();
        let body_length = fields.get_u32();
        let count = fields.get_u32();
        let version = fields.get_u8();
        let flags = fields.get_u8();
        fields.advance(2);
        let decoded = Self {
            body_crc,
            body_length,
            count,
            relocated: flags & RELOCATED != 0,
            life: fields.get_u64(),
            first: Sequence(fields.get_u64()),
            first_guid: Guid::from_number(fields.get_u64()),
            timestamp_ns: fields.get_i64(),
            due_ns: Some(fields.get_i64()).filter(|&due| due != 0),
        };
        let in_range = count > 0 && decoded.first.0.checked_add(u64::from(count)).is_some();
        (known && version == VERSION && flags & !RELOCATED == 0 && in_range).then_some(decoded)
    }

    /// How long the record at the front of `bytes` says it is. Nothing is checked.
    pub(crate) fn peek_record_bytes(bytes: &[u8]) -> Option<u64> {
        let length = bytes.first_chunk::<HEADER_BYTES>()?[12..].first_chunk()?;
        Some(HEADER_BYTES as u64 + u64::from(u32::from_be_bytes(*length)))
    }

    /// The bytes that go in front of the body.
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let mut fields = &mut header[CHECKED_FROM..];
        fields.put_u32(self.body_crc);
        fields.put_u32(self.body_length);
        fields.put_u32(self.count);
        fields.put_u8(VERSION);
        fields.put_u8(if self.relocated { RELOCATED } else { 0 });
        fields.put_u16(0);
        fields.put_u64(self.life);
        fields.put_u64(self.first.0);
        fields.put_u64(self.first_guid.number());
        fields.put_i64(self.timestamp_ns);
        fields.put_i64(self.due_ns.unwrap_or(0));
        let crc = crc32c::crc32c(&header[CHECKED_FROM..]);
        let mut front = &mut header[..CHECKED_FROM];
        front.put_slice(&MARKER);
        front.put_u32(crc);
        header
    }

    /// Size of the whole record in bytes.
    pub(crate) const fn record_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.body_length as u64
    }

    /// The place of the next record's first message.
    pub(crate) const fn end(&self) -> Sequence {
        if self.relocated { self.first } else { self.first.plus(self.count as u64) }
    }
}

/// A whole record, read and checked.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) header: RecordHeader,
    /// Where in the segment it starts, in bytes.
    pub(crate) offset: u64,
    pub(crate) body: Bytes,
}

impl Record {
    /// The messages of an ordinary record.
    pub(crate) fn into_batch(self) -> Batch {
        debug_assert!(!self.header.relocated);
        Batch {
            first: self.header.first,
            count: self.header.count,
            first_guid: self.header.first_guid,
            timestamp_ns: self.header.timestamp_ns,
            due_ns: self.header.due_ns,
            body: self.body,
        }
    }

    /// The messages of a relocated record, each a batch of its own.
    pub(crate) fn copies(&self) -> impl Iterator<Item = Batch> {
        let count = if self.header.relocated { self.header.count } else { 0 };
        let mut rest = self.body.clone();
        (0..count).map_while(move |_| take_copy(&mut rest))
    }
}

/// Appends `message`, a batch of one, to the body of a relocated record.
pub(crate) fn put_copy(body: &mut Vec<u8>, message: &Batch) {
    debug_assert!(message.count == 1);
    body.put_u64(message.first.0);
    body.put_u64(message.first_guid.number());
    body.put_i64(message.timestamp_ns);
    body.put_i64(message.due_ns.unwrap_or(0));
    body.put_slice(&message.body);
}

fn take_copy(rest: &mut Bytes) -> Option<Batch> {
    if rest.len() < COPY_HEADER_BYTES + size_of::<u32>() {
        return None;
    }
    let first = Sequence(rest.get_u64());
    let first_guid = Guid::from_number(rest.get_u64());
    let timestamp_ns = rest.get_i64();
    let due_ns = Some(rest.get_i64()).filter(|&due| due != 0);
    let framed = framed_bytes(rest)?;
    let body = rest.split_to(framed);
    Some(Batch { first, count: 1, first_guid, timestamp_ns, due_ns, body })
}

/// The message at `sequence`, which lies in `batch`, as a batch of its own. Its body is copied, so
/// that a message that lingers does not keep everything that came with it.
pub(crate) fn message_at(batch: &Batch, sequence: Sequence) -> Option<Batch> {
    let mut rest = &batch.body[..];
    for _ in 0..batch.first.until(sequence) {
        rest = rest.get(framed_bytes(rest)?..)?;
    }
    let body = Bytes::copy_from_slice(rest.get(..framed_bytes(rest)?)?);
    Some(Batch {
        first: sequence,
        count: 1,
        first_guid: batch.guid(sequence),
        timestamp_ns: batch.timestamp_ns,
        due_ns: batch.due_ns,
        body,
    })
}

/// How many bytes the message at the front takes with its size, if they are all there.
fn framed_bytes(rest: &[u8]) -> Option<usize> {
    let size = u32::from_be_bytes(*rest.first_chunk()?) as usize;
    let framed = size.checked_add(size_of::<u32>())?;
    (framed <= rest.len()).then_some(framed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RecordHeader {
        RecordHeader {
            body_crc: 0x0102_0304,
            body_length: 9,
            count: 2,
            relocated: false,
            life: 0x1122_3344_5566_7788,
            first: Sequence(1000),
            first_guid: Guid::from_number(0x18a4_a4c7_7026_9001),
            timestamp_ns: 1_712_200_884_240_000_000,
            due_ns: None,
        }
    }

    #[test]
    fn layout() {
        let bytes = header().encode();
        assert_eq!(bytes[..4], MARKER);
        assert_eq!(bytes[8..24], [1, 2, 3, 4, 0, 0, 0, 9, 0, 0, 0, 2, 1, 0, 0, 0]);
        assert_eq!(bytes[24..32], 0x1122_3344_5566_7788u64.to_be_bytes());
        assert_eq!(bytes[32..40], 1000u64.to_be_bytes());
        assert_eq!(bytes[40..48], 0x18a4_a4c7_7026_9001u64.to_be_bytes());
        assert_eq!(bytes[48..56], 1_712_200_884_240_000_000i64.to_be_bytes());
        assert_eq!(bytes[56..], [0; 8]);
    }

    #[test]
    fn headers_come_back() {
        for (relocated, due_ns) in [(false, None), (true, Some(7)), (false, Some(-1))] {
            let header = RecordHeader { relocated, due_ns, ..header() };
            assert_eq!(RecordHeader::decode(&header.encode()), Some(header));
        }
    }

    #[test]
    fn any_flipped_bit_makes_a_header_unbelievable() {
        let bytes = header().encode();
        for bit in 0..HEADER_BYTES * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&damaged), None, "bit {bit}");
        }
        assert_eq!(RecordHeader::decode(&bytes[..HEADER_BYTES - 1]), None);
    }

    #[test]
    fn sequences_that_would_overflow_are_no_record() {
        let header = RecordHeader { first: Sequence(u64::MAX), ..header() };
        assert_eq!(RecordHeader::decode(&header.encode()), None);
    }

    #[test]
    fn one_message_out_of_a_batch() {
        let batch = Batch {
            first: Sequence(5),
            count: 3,
            first_guid: Guid::from_number(1 << 22),
            timestamp_ns: 1,
            due_ns: None,
            body: Bytes::from_static(b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c"),
        };
        let bodies: Vec<_> = (5..8).map(|at| message_at(&batch, Sequence(at)).unwrap()).collect();
        assert_eq!(&bodies[0].body[..], b"\0\0\0\x02ab");
        assert_eq!(&bodies[1].body[..], b"\0\0\0\0");
        assert_eq!(&bodies[2].body[..], b"\0\0\0\x01c");
        assert_eq!(bodies[2].first_guid, batch.guid(Sequence(7)));
        let cut = Batch { body: batch.body.slice(..7), ..batch };
        assert_eq!(message_at(&cut, Sequence(7)), None);
    }

    #[test]
    fn copies_come_back() {
        let message = |at: u64, body: &'static [u8]| Batch {
            first: Sequence(at),
            count: 1,
            first_guid: Guid::from_number(at << 22),
            timestamp_ns: -3,
            due_ns: (at == 9).then_some(77),
            body: Bytes::from_static(body),
        };
        let messages = [message(4, b"\0\0\0\x01x"), message(9, b"\0\0\0\0")];
        let mut body = Vec::new();
        messages.iter().for_each(|message| put_copy(&mut body, message));
        let header = RecordHeader { relocated: true, ..header() };
        let mut record = Record { header, offset: 0, body: body.into() };
        assert_eq!(record.copies().collect::<Vec<_>>(), messages);
        record.body.truncate(record.body.len() - 1);
        assert_eq!(record.copies().count(), 1);
    }
}
