//! What is found when a log is opened.
//!
//! Of old segments only the headers are read; where one ends follows from where the next begins.
//! Only what was written since the tip, or since what the channels know, or the newest segment
//! where neither is told, is looked through. So the time it takes does not depend on how much the
//! log holds.

use std::io;
use std::path::Path;

use nsq_broker::Sequence;

use crate::damage::Damage;
use crate::disk::{Disk, DiskFile};
use crate::journal::{Relocation, Tip};
use crate::record::{Record, RecordHeader};
use crate::segment::{self, SEGMENT_HEADER_BYTES, Segment, SegmentHeader};
use crate::store::Opening;
use crate::walk::{Course, Skipped, Step, Walk};

/// Size of the blocks that are read while looking through segments.
const BLOCK_BYTES: usize = 1024 * 1024;

/// What opening a log brought to light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The place of the next message.
    pub end: Sequence,
    /// Deferred publishes found behind the tip.
    pub deferred: Vec<DeferredPublish>,
    /// Relocated messages found behind the tip.
    pub relocated: Vec<Relocation>,
    /// What could not be read.
    pub damage: Vec<Damage>,
    /// What was behind the last good record and began like another one: the process ended while it
    /// was written, so it was never acknowledged. It was cut off.
    pub unfinished: Option<Damage>,
}

/// Messages that were published with a due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeferredPublish {
    /// The first of them.
    pub first: Sequence,
    /// How many.
    pub count: u32,
    /// When they may be delivered: nanoseconds since 1970.
    pub due_ns: i64,
}

/// A log as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) segments: Vec<Segment>,
    pub(crate) recovered: Recovered,
    /// From here on nothing is known to be safe from a power cut.
    pub(crate) looked_from: Option<Tip>,
}

/// Looks at everything in `directory`, the log of the topic whose name has this checksum.
pub(crate) fn look(
    disk: &dyn Disk,
    directory: &Path,
    topic_crc: u32,
    opening: &Opening,
) -> io::Result<Found> {
    let mut numbers: Vec<u64> =
        disk.list(directory)?.iter().filter_map(|name| segment::parse_file_name(name)).collect();
    numbers.sort_unstable();
    let mut segments = Vec::with_capacity(numbers.len());
    for number in numbers {
        let file = disk.open(&segment::path(directory, number))?;
        segments.push(look_at_front(&*file, number, topic_crc)?);
    }
    drop_wrong_guesses(&mut segments);
    set_ends(&mut segments);
    let mut search = Search { disk, directory, recovered: Recovered::default() };
    let looked_from = search.look_through(&mut segments, opening)?;
    let mut recovered = search.recovered;
    let known = opening.tip.map_or(opening.at_least, |tip| tip.sequence.max(opening.at_least));
    if recovered.end < known {
        recovered.damage.push(Damage {
            path: directory.to_owned(),
            offset: 0,
            bytes: 0,
            first: recovered.end,
            messages: recovered.end.until(known),
        });
        recovered.end = known;
    }
    Ok(Found { segments, recovered, looked_from })
}

/// The segment in `file`, empty so far, however little of its front can be read.
fn look_at_front(file: &dyn DiskFile, number: u64, topic_crc: u32) -> io::Result<Segment> {
    let bytes = file.length()?;
    let mut front = [0; SEGMENT_HEADER_BYTES];
    let count = file.read_at(&mut front, 0)?;
    let header = SegmentHeader::decode(front.get(..count).unwrap_or_default())?;
    let ours = |h: &SegmentHeader| h.number == number && segment::is_life_of(h.life, topic_crc);
    if let Some(header) = header {
        // Otherwise the file was to be written anew and a power cut came first.
        return Ok(match ours(&header) {
            true => Segment { bytes, ..Segment::new(&header) },
            false => Segment::unreadable(number, bytes),
        });
    }
    let first = first_record(file, bytes, topic_crc)?;
    Ok(first.map_or_else(
        || Segment::unreadable(number, bytes),
        |record| {
            let RecordHeader { life, first, first_guid, timestamp_ns, .. } = record;
            let header =
                SegmentHeader { number, life, first, first_guid, created_ns: timestamp_ns };
            Segment { bytes, is_guess: true, ..Segment::new(&header) }
        },
    ))
}

/// The first record of this topic in a file whose header is lost.
fn first_record(
    file: &dyn DiskFile,
    bytes: u64,
    topic_crc: u32,
) -> io::Result<Option<RecordHeader>> {
    let course = Course {
        life: segment::NO_LIFE,
        offset: SEGMENT_HEADER_BYTES as u64,
        sequence: Sequence::default(),
        limit: bytes,
        end: None,
    };
    Walk::new(file, course, BLOCK_BYTES).find_topic(topic_crc)
}

/// A guess is wrong if it is not between its neighbours: then a power cut came while the file was
/// to be written anew, and the record is one of the topic's past.
fn drop_wrong_guesses(segments: &mut [Segment]) {
    let mut at_least = Sequence::default();
    for segment in segments.iter_mut() {
        if segment.is_guess && segment.first < at_least {
            *segment = Segment::unreadable(segment.number, segment.bytes);
        }
        at_least = at_least.max(segment.first);
    }
    let mut at_most = None;
    for segment in segments.iter_mut().rev().filter(|segment| segment.is_readable()) {
        if segment.is_guess && at_most.is_some_and(|at_most| segment.first > at_most) {
            *segment = Segment::unreadable(segment.number, segment.bytes);
        } else {
            at_most = Some(segment.first);
        }
    }
}

/// Every segment ends where the next readable one begins.
fn set_ends(segments: &mut [Segment]) {
    let mut next_first: Option<Sequence> = None;
    for segment in segments.iter_mut().rev() {
        let Some(end) = next_first else {
            next_first = segment.is_readable().then_some(segment.first);
            continue;
        };
        if !segment.is_readable() || segment.first > end {
            *segment = Segment::unreadable(segment.number, segment.bytes);
            segment.first = end;
        }
        segment.end = end;
        next_first = Some(segment.first);
    }
}

struct Search<'a> {
    disk: &'a dyn Disk,
    directory: &'a Path,
    recovered: Recovered,
}

impl Search<'_> {
    /// Looks through what is not known yet and sets where the log ends. Returns where it began, if
    /// anything was there.
    fn look_through(
        &mut self,
        segments: &mut [Segment],
        opening: &Opening,
    ) -> io::Result<Option<Tip>> {
        let Some(newest) = segments.iter().rposition(Segment::is_readable) else {
            return Ok(None);
        };
        let begin = where_to_begin(&segments[..=newest], opening);
        let from = segments.partition_point(|segment| segment.number < begin.segment);
        let mut at = begin;
        for index in from..newest {
            self.look_through_old(&segments[index], at)?;
            let next = &segments[index + 1];
            at = front(next);
        }
        let end = self.look_through_newest(&mut segments[newest], at)?;
        for unreadable in &mut segments[newest + 1..] {
            (unreadable.first, unreadable.end) = (end, end);
        }
        self.recovered.end = end;
        Ok(Some(begin))
    }

    fn look_through_old(&mut self, segment: &Segment, from: Tip) -> io::Result<()> {
        if !segment.is_readable() {
            return Ok(());
        }
        let path = segment::path(self.directory, segment.number);
        let file = self.disk.open(&path)?;
        let mut walk = Walk::new(&*file, course(segment, from, Some(segment.end)), BLOCK_BYTES);
        loop {
            match walk.next()? {
                Step::Record(record) => self.note(segment.number, &record),
                // Nothing here is damaged: the next segment may have been released. If a file is
                // missing, readers who want it will tell.
                Step::Skipped(skipped) if skipped.bytes == 0 => {}
                Step::Skipped(skipped) => self.recovered.damage.push(damage(&path, skipped)),
                Step::End => return Ok(()),
            }
        }
    }

    /// Finds the end of the log behind the last good record and cuts off what follows it.
    fn look_through_newest(&mut self, segment: &mut Segment, from: Tip) -> io::Result<Sequence> {
        let path = segment::path(self.directory, segment.number);
        let file = self.disk.open(&path)?;
        let mut walk = Walk::new(&*file, course(segment, from, None), BLOCK_BYTES);
        let (mut end, mut bytes) = (from.sequence, from.offset);
        let mut skipped = Vec::new();
        loop {
            match walk.next()? {
                Step::Record(record) => {
                    (end, bytes) = (walk.expected(), walk.offset());
                    self.recovered.damage.append(&mut skipped);
                    self.note(segment.number, &record);
                }
                Step::Skipped(part) => skipped.push(damage(&path, part)),
                Step::End => break,
            }
        }
        self.recovered.unfinished = skipped.into_iter().next();
        segment.end = end;
        if segment.bytes > bytes {
            file.set_length(bytes)?;
            segment.bytes = bytes;
        }
        for (sequence, offset) in walk.into_seen() {
            segment.index.note(sequence, offset);
        }
        Ok(end)
    }

    fn note(&mut self, segment: u64, record: &Record) {
        let RecordHeader { first, count, due_ns, relocated, .. } = record.header;
        if relocated {
            let offset = record.offset;
            let copies = record.copies().map(|copy| (copy.first, copy.first_guid));
            let copies =
                copies.map(|(sequence, guid)| Relocation { sequence, guid, segment, offset });
            self.recovered.relocated.extend(copies);
        } else if let Some(due_ns) = due_ns {
            self.recovered.deferred.push(DeferredPublish { first, count, due_ns });
        }
    }
}

/// From where on these segments, of which the last is readable, must be looked through: the tip
/// unless that says nothing about them or something before it is unknown; or else the front of
/// the segment with the first unknown message, or the newest segment.
fn where_to_begin(segments: &[Segment], opening: &Opening) -> Tip {
    let tip = opening.tip.filter(|tip| is_in(tip, segments));
    let unknown = opening.unknown_from;
    if let Some(tip) = tip.filter(|tip| unknown.is_none_or(|unknown| tip.sequence <= unknown)) {
        return tip;
    }
    let unknown = unknown.unwrap_or(Sequence(u64::MAX));
    let readable = || segments.iter().filter(|segment| segment.is_readable());
    let holder = readable().rfind(|segment| segment.first <= unknown);
    holder.or_else(|| readable().next()).map_or_else(Tip::default, front)
}

/// The place of the first record of a segment.
fn front(segment: &Segment) -> Tip {
    let offset = SEGMENT_HEADER_BYTES as u64;
    Tip { segment: segment.number, offset, sequence: segment.first }
}

/// Whether what `tip` says can be true of these segments.
fn is_in(tip: &Tip, segments: &[Segment]) -> bool {
    let last = segments.last().map(|segment| segment.number);
    segments.iter().any(|segment| {
        segment.number == tip.segment
            && segment.is_readable()
            && (SEGMENT_HEADER_BYTES as u64..=segment.bytes).contains(&tip.offset)
            && segment.first <= tip.sequence
            && (tip.sequence <= segment.end || Some(segment.number) == last)
    })
}

fn course(segment: &Segment, from: Tip, end: Option<Sequence>) -> Course {
    let (life, limit) = (segment.life, segment.bytes);
    Course { life, offset: from.offset, sequence: from.sequence, limit, end }
}

/// What a walk skipped in the file at `path`.
pub(crate) fn damage(path: &Path, skipped: Skipped) -> Damage {
    let Skipped { offset, bytes, first, messages } = skipped;
    Damage { path: path.to_owned(), offset, bytes, first, messages }
}
