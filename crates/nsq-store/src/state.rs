//! What a log knows in memory: its tail, its segments, its relocated messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use nsq_broker::{Batch, Epoch, Epochs, Sequence};

use crate::dirty::Dirty;
use crate::journal::{Relocation, Tip};
use crate::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, SegmentInfo};
use crate::tail::Tail;
use crate::walk::Course;

/// How many readers of a log find at once where they stopped. More than that search a little.
const RESUME_POINTS: usize = 4;

/// Everything about a log that readers need; its lock is never held across file operations.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tail: Tail,
    /// In order of numbers. The last one is never dropped: it says where the log goes on.
    pub(crate) segments: Vec<Segment>,
    pub(crate) copies: BTreeMap<Sequence, Relocation>,
    /// The place of the next message.
    pub(crate) end: Sequence,
    /// Everything before it is safe from a power cut.
    pub(crate) synced: Sequence,
    pub(crate) tip: Option<Tip>,
    /// From and up to where messages were in the log when a sync failed: a power cut may take
    /// them, whatever later syncs say.
    pub(crate) unsure: Option<(Sequence, Sequence)>,
    pub(crate) dirty: Dirty,
    /// The log was deleted.
    pub(crate) removed: bool,
    resume: [Option<ResumePoint>; RESUME_POINTS],
    next_resume: usize,
}

/// Where a reader stopped.
#[derive(Clone, Copy, Debug)]
struct ResumePoint {
    segment: u64,
    sequence: Sequence,
    offset: u64,
}

/// Where to look for a message on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In this segment.
    Segment { number: u64, course: Course, end: Sequence },
    /// Nowhere: nothing before this place is on disk.
    Missing { until: Sequence },
}

impl State {
    /// The state of a log with these segments.
    pub(crate) fn new(tail: Tail, segments: Vec<Segment>, end: Sequence) -> Self {
        Self {
            tail,
            segments,
            copies: BTreeMap::new(),
            end,
            synced: end,
            tip: None,
            unsure: None,
            dirty: Dirty::default(),
            removed: false,
            resume: [None; RESUME_POINTS],
            next_resume: 0,
        }
    }

    /// Adds a batch that was written whole, at `offset` of the newest segment.
    pub(crate) fn commit(&mut self, batch: Arc<Batch>, offset: u64, behind: u64) {
        self.end = batch.end();
        self.commit_record(batch.first, offset, behind);
        self.tail.push(batch);
    }

    /// Adds a record that was written whole, from `offset` to `behind` of the newest segment.
    pub(crate) fn commit_record(&mut self, first: Sequence, offset: u64, behind: u64) {
        let Some(segment) = self.segments.last_mut() else {
            return;
        };
        segment.index.note(first, offset);
        segment.bytes = behind;
        segment.end = self.end;
        self.dirty.mark(segment.number);
    }

    /// Adds the segment that is written from now on.
    pub(crate) fn begin_segment(&mut self, header: &SegmentHeader, was_spare: bool) {
        self.dirty.spares |= was_spare;
        self.dirty.mark(header.number);
        self.dirty.directory = true;
        self.dirty.parents |= self.segments.is_empty();
        self.segments.push(Segment::new(header));
    }

    /// Counts what was written since `tip` as not synced: whoever wrote it may not have.
    pub(crate) fn distrust_since(&mut self, tip: Tip) {
        self.tip = Some(tip);
        self.synced = tip.sequence;
        if self.newest_tip() == self.tip {
            return;
        }
        for segment in self.segments.iter().filter(|segment| segment.number >= tip.segment) {
            self.dirty.mark(segment.number);
        }
        self.dirty.directory = true;
        self.dirty.parents = true;
    }

    /// Notes that a sync failed. It cannot be said later which messages a new one has saved, so
    /// everything from the first failure on counts as unsure, up to what is in the log by now.
    pub(crate) fn sync_failed(&mut self) {
        let from = self.unsure.map_or(self.synced, |(from, _)| from);
        self.unsure = Some((from, self.end));
    }

    /// Forgets everything: the log was deleted.
    pub(crate) fn remove(&mut self) {
        self.removed = true;
        self.tail.clear();
        self.segments = Vec::new();
        self.copies = BTreeMap::new();
        self.dirty = Dirty::default();
        self.synced = self.end;
        self.tip = None;
    }

    /// The end of the log as it is written.
    pub(crate) fn newest_tip(&self) -> Option<Tip> {
        let newest = self.segments.iter().rev().find(|segment| segment.is_readable())?;
        Some(Tip { segment: newest.number, offset: newest.bytes, sequence: newest.end })
    }

    /// Where the message at `from` is on disk; nothing when it lies behind the end.
    pub(crate) fn locate(&self, from: Sequence) -> Option<Place> {
        if from >= self.end || self.removed {
            return None;
        }
        let index = self.segments.partition_point(|segment| segment.end <= from);
        let Some(segment) = self.segments.get(index) else {
            return Some(Place::Missing { until: self.end });
        };
        if segment.first > from {
            return Some(Place::Missing { until: segment.first });
        }
        let start = (segment.first, SEGMENT_HEADER_BYTES as u64);
        let resume = self.resume.iter().flatten();
        let resume = resume.copied().find(|r| r.segment == segment.number && r.sequence == from);
        let (sequence, offset) = match resume {
            Some(resume) => (resume.sequence, resume.offset),
            None => segment.index.before(from).unwrap_or(start),
        };
        let (life, limit, end) = (segment.life, segment.bytes, segment.end);
        let course = Course { life, offset, sequence, limit, end: Some(end) };
        Some(Place::Segment { number: segment.number, course, end })
    }

    /// Where to read the record at `offset` of segment `number`.
    pub(crate) fn course_at(&self, number: u64, offset: u64) -> Option<Course> {
        let segment = self.segment(number)?;
        let sequence = segment.first;
        Some(Course { life: segment.life, offset, sequence, limit: segment.bytes, end: None })
    }

    /// Remembers where a reader will go on.
    pub(crate) fn resume_at(&mut self, segment: u64, sequence: Sequence, offset: u64) {
        self.resume[self.next_resume] = Some(ResumePoint { segment, sequence, offset });
        self.next_resume = (self.next_resume + 1) % RESUME_POINTS;
    }

    /// The segment with this number, unless it was dropped.
    pub(crate) fn segment(&self, number: u64) -> Option<&Segment> {
        let index = self.segments.binary_search_by_key(&number, |segment| segment.number);
        self.segments.get(index.ok()?)
    }

    /// Likewise, to change it.
    pub(crate) fn segment_mut(&mut self, number: u64) -> Option<&mut Segment> {
        let index = self.segments.binary_search_by_key(&number, |segment| segment.number);
        self.segments.get_mut(index.ok()?)
    }

    /// Place of the oldest message that has not been released.
    pub(crate) fn start(&self) -> Sequence {
        let needed = self.segments.iter().find(|s| !s.only_copies && s.first < s.end);
        needed.map_or(self.end, |segment| segment.first)
    }

    /// All lives of the log that it still has messages of, be it only copies.
    pub(crate) fn epochs(&self) -> Epochs {
        let readable = self.segments.iter().filter(|segment| segment.is_readable());
        let segments = readable.map(|s| Epoch { first: s.first, first_guid: s.first_guid });
        let copies = self.copies.values();
        let copies = copies.map(|copy| Epoch { first: copy.sequence, first_guid: copy.guid });
        let mut known: Vec<Epoch> = copies.chain(segments).collect();
        known.sort_by_key(|epoch| (epoch.first, epoch.first_guid));
        // What continues the one before is the same life.
        known.dedup_by(|next, last| {
            last.first_guid.advance(last.first.until(next.first)) == next.first_guid
        });
        Epochs::new(known)
    }

    /// The segments that are not written any more, oldest first.
    pub(crate) fn sealed(&self) -> Vec<SegmentInfo> {
        let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
        for copy in self.copies.values() {
            *copies.entry(copy.segment).or_default() += 1;
        }
        let sealed = self.segments.split_last().map_or(&[][..], |(_, sealed)| sealed);
        sealed
            .iter()
            .map(|segment| SegmentInfo {
                number: segment.number,
                first: segment.first,
                end: segment.end,
                bytes: segment.bytes,
                copies: copies.get(&segment.number).copied().unwrap_or(0),
            })
            .collect()
    }
}
