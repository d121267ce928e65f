//! One statement of the journal and its bytes.
//!
//! An entry is a tag byte and its fields. `varint` is 7 bits a byte, lowest first, the top bit set
//! on all but the last; `zigzag` is a varint of a signed difference (0, -1, 1, -2, … as 0, 1, 2,
//! 3, …), taken modulo 2^64.
//!
//! ```text
//! 1 create      channel varint, length varint, name
//! 2 delete      channel varint
//! 3 checkpoint  channel varint, body
//! 4 held        body
//! 5 held none
//! 6 tip         segment varint, offset varint, sequence varint
//! 7 relocated   count varint, count × (sequence zigzag from the one before, guid zigzag likewise,
//!                                      segment zigzag likewise, offset zigzag likewise)
//! 8 snapshot end
//!
//! body          flags (1: whole, 2: more of it follows), cursor varint,
//!               end zigzag from the cursor,
//!               count varint, done × count      (first zigzag from the end of the one before,
//!                                                length varint)
//!               count varint, open × count      (first zigzag from the end of the one before,
//!                                                count varint, attempts varint)
//!               count varint, removed × count   (sequence zigzag from the one before)
//!               count varint, added × count     (due zigzag from the one before,
//!                                                sequence zigzag likewise, attempts varint)
//! ```
//!
//! Differences start from 0, for `done` and `open` from the cursor. Messages deferred together lie
//! close together in sequence and due time, so that one of them costs a few bytes.

use nsq_broker::{Checkpoint, Deferred, Open, Sequence};
use nsq_proto::{ChannelName, Guid};

use super::{ChannelNumber, Entry, Relocation, Tip};

const CREATE: u8 = 1;
const DELETE: u8 = 2;
const CHECKPOINT: u8 = 3;
const HELD: u8 = 4;
const HELD_NONE: u8 = 5;
const TIP: u8 = 6;
const RELOCATED: u8 = 7;
const SNAPSHOT_END: u8 = 8;

const WHOLE: u8 = 1;
const MORE: u8 = 2;

/// A checkpoint, or a part of one that is too large for one record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) checkpoint: Checkpoint,
    /// The state counts only when the part without this mark has been read.
    pub(super) more: bool,
}

/// An entry as it was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Create { channel: ChannelNumber, name: ChannelName },
    Delete { channel: ChannelNumber },
    Checkpoint { channel: ChannelNumber, part: Part },
    Held(Option<Part>),
    Tip(Tip),
    Relocated(Vec<Relocation>),
    SnapshotEnd,
}

/// Appends the bytes of `entry` to `out`.
pub(super) fn encode(entry: &Entry<'_>, out: &mut Vec<u8>) {
    match *entry {
        Entry::Create { channel, name } => {
            let name = name.as_str().as_bytes();
            out.push(CREATE);
            put_varint(out, u64::from(channel.0));
            put_varint(out, name.len() as u64);
            out.extend_from_slice(name);
        }
        Entry::Delete { channel } => {
            out.push(DELETE);
            put_varint(out, u64::from(channel.0));
        }
        Entry::Checkpoint { channel, checkpoint } => {
            encode_part(Some(channel), &Slice::all(checkpoint), out);
        }
        Entry::Held(Some(checkpoint)) => encode_part(None, &Slice::all(checkpoint), out),
        Entry::Held(None) => out.push(HELD_NONE),
        Entry::Tip(tip) => {
            out.push(TIP);
            put_varint(out, tip.segment);
            put_varint(out, tip.offset);
            put_varint(out, tip.sequence.0);
        }
        Entry::Relocated(relocations) => encode_relocated(relocations, out),
    }
}

/// Appends the mark behind the last entry of a snapshot.
pub(super) fn encode_snapshot_end(out: &mut Vec<u8>) {
    out.push(SNAPSHOT_END);
}

/// A piece of a checkpoint, borrowed.
pub(super) struct Slice<'a> {
    pub(super) cursor: Sequence,
    pub(super) end: Sequence,
    pub(super) done: &'a [(Sequence, Sequence)],
    pub(super) open: &'a [Open],
    pub(super) whole: bool,
    pub(super) removed: &'a [Sequence],
    pub(super) added: &'a [Deferred],
    pub(super) more: bool,
}

impl<'a> Slice<'a> {
    fn all(checkpoint: &'a Checkpoint) -> Self {
        Self {
            cursor: checkpoint.cursor,
            end: checkpoint.end,
            done: &checkpoint.done_ahead,
            open: &checkpoint.open,
            whole: checkpoint.whole,
            removed: &checkpoint.deferred_removed,
            added: &checkpoint.deferred_added,
            more: false,
        }
    }
}

/// Appends a piece of the checkpoint of a channel, or without a channel of the topic itself.
pub(super) fn encode_part(channel: Option<ChannelNumber>, part: &Slice<'_>, out: &mut Vec<u8>) {
    match channel {
        None => out.push(HELD),
        Some(channel) => {
            out.push(CHECKPOINT);
            put_varint(out, u64::from(channel.0));
        }
    }
    out.push(if part.whole { WHOLE } else { 0 } | if part.more { MORE } else { 0 });
    put_varint(out, part.cursor.0);
    put_difference(out, &mut { part.cursor.0 }, part.end.0);
    put_varint(out, part.done.len() as u64);
    let mut end = part.cursor.0;
    for done in part.done {
        put_difference(out, &mut end, done.0.0);
        put_varint(out, done.0.until(done.1));
        end = done.1.0.max(done.0.0);
    }
    put_varint(out, part.open.len() as u64);
    let mut end = part.cursor.0;
    for open in part.open {
        put_difference(out, &mut end, open.first.0);
        put_varint(out, u64::from(open.count));
        put_varint(out, u64::from(open.attempts));
        end = end.wrapping_add(u64::from(open.count));
    }
    put_varint(out, part.removed.len() as u64);
    let mut before = 0;
    part.removed.iter().for_each(|sequence| put_difference(out, &mut before, sequence.0));
    put_varint(out, part.added.len() as u64);
    let (mut due, mut before) = (0, 0);
    for deferred in part.added {
        put_difference(out, &mut due, deferred.due_ns as u64);
        put_difference(out, &mut before, deferred.sequence.0);
        put_varint(out, u64::from(deferred.attempts));
    }
}

fn encode_relocated(relocations: &[Relocation], out: &mut Vec<u8>) {
    out.push(RELOCATED);
    put_varint(out, relocations.len() as u64);
    let (mut sequence, mut guid, mut segment, mut offset) = (0, 0, 0, 0);
    for relocation in relocations {
        put_difference(out, &mut sequence, relocation.sequence.0);
        put_difference(out, &mut guid, relocation.guid.number());
        put_difference(out, &mut segment, relocation.segment);
        put_difference(out, &mut offset, relocation.offset);
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_difference(out: &mut Vec<u8>, before: &mut u64, value: u64) {
    let difference = value.wrapping_sub(*before) as i64;
    put_varint(out, ((difference << 1) ^ (difference >> 63)) as u64);
    *before = value;
}

/// The entries of a record. None: the bytes are not entries, whatever the checksum says.
pub(super) fn decode_all(mut input: &[u8]) -> Option<Vec<Decoded>> {
    let mut entries = Vec::new();
    while !input.is_empty() {
        entries.push(decode(&mut input)?);
    }
    Some(entries)
}

fn decode(input: &mut &[u8]) -> Option<Decoded> {
    Some(match take_byte(input)? {
        CREATE => {
            let channel = take_channel(input)?;
            let length = take_count(input, 1)?;
            let (name, rest) = input.split_at_checked(length)?;
            *input = rest;
            Decoded::Create { channel, name: ChannelName::parse(name).ok()? }
        }
        DELETE => Decoded::Delete { channel: take_channel(input)? },
        CHECKPOINT => {
            Decoded::Checkpoint { channel: take_channel(input)?, part: take_part(input)? }
        }
        HELD => Decoded::Held(Some(take_part(input)?)),
        HELD_NONE => Decoded::Held(None),
        TIP => Decoded::Tip(Tip {
            segment: take_varint(input)?,
            offset: take_varint(input)?,
            sequence: Sequence(take_varint(input)?),
        }),
        RELOCATED => Decoded::Relocated(take_relocated(input)?),
        SNAPSHOT_END => Decoded::SnapshotEnd,
        _ => return None,
    })
}

fn take_part(input: &mut &[u8]) -> Option<Part> {
    let flags = take_byte(input).filter(|flags| flags & !(WHOLE | MORE) == 0)?;
    let cursor = Sequence(take_varint(input)?);
    let known_end = Sequence(take_difference(input, &mut { cursor.0 })?);
    let mut end = cursor.0;
    let done_ahead = take_list(input, 2, |input| {
        let first = take_difference(input, &mut end)?;
        end = first.checked_add(take_varint(input)?)?;
        Some((Sequence(first), Sequence(end)))
    })?;
    let mut end = cursor.0;
    let open = take_list(input, 3, |input| {
        let first = take_difference(input, &mut end)?;
        let count = u32::try_from(take_varint(input)?).ok()?;
        let attempts = take_attempts(input)?;
        end = first.checked_add(u64::from(count))?;
        Some(Open { first: Sequence(first), count, attempts })
    })?;
    let mut before = 0;
    let deferred_removed =
        take_list(input, 1, |input| Some(Sequence(take_difference(input, &mut before)?)))?;
    let (mut due, mut before) = (0, 0);
    let deferred_added = take_list(input, 3, |input| {
        Some(Deferred {
            due_ns: take_difference(input, &mut due)? as i64,
            sequence: Sequence(take_difference(input, &mut before)?),
            attempts: take_attempts(input)?,
        })
    })?;
    let whole = flags & WHOLE != 0;
    let checkpoint = Checkpoint {
        cursor,
        end: known_end,
        done_ahead,
        open,
        whole,
        deferred_added,
        deferred_removed,
    };
    Some(Part { checkpoint, more: flags & MORE != 0 })
}

fn take_relocated(input: &mut &[u8]) -> Option<Vec<Relocation>> {
    let (mut sequence, mut guid, mut segment, mut offset) = (0, 0, 0, 0);
    take_list(input, 4, |input| {
        Some(Relocation {
            sequence: Sequence(take_difference(input, &mut sequence)?),
            guid: Guid::from_number(take_difference(input, &mut guid)?),
            segment: take_difference(input, &mut segment)?,
            offset: take_difference(input, &mut offset)?,
        })
    })
}

/// A count and so many items of at least `item_bytes` each: no more than the input can hold, so
/// that a damaged count reserves no memory.
fn take_list<T>(
    input: &mut &[u8],
    item_bytes: usize,
    mut take: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    let count = take_count(input, item_bytes)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(take(input)?);
    }
    Some(items)
}

fn take_count(input: &mut &[u8], item_bytes: usize) -> Option<usize> {
    let count = usize::try_from(take_varint(input)?).ok()?;
    (count <= input.len() / item_bytes).then_some(count)
}

fn take_channel(input: &mut &[u8]) -> Option<ChannelNumber> {
    Some(ChannelNumber(u32::try_from(take_varint(input)?).ok()?))
}

fn take_attempts(input: &mut &[u8]) -> Option<u16> {
    u16::try_from(take_varint(input)?).ok()
}

fn take_byte(input: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = input.split_first()?;
    *input = rest;
    Some(*byte)
}

fn take_varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take_byte(input)?;
        let bits = u64::from(byte & 0x7F);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take_difference(input: &mut &[u8], before: &mut u64) -> Option<u64> {
    let zigzag = take_varint(input)?;
    let difference = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
    *before = before.wrapping_add(difference);
    Some(*before)
}
