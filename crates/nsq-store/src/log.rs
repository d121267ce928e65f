//! The log of one topic: every message once, in order, on disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use nsq_broker::{Batch, Epochs, Sequence};
use nsq_proto::TopicName;
use parking_lot::Mutex;

use crate::dirty::Dirty;
use crate::handles::FileKey;
use crate::journal::Tip;
use crate::record::{HEADER_BYTES, RecordHeader};
use crate::recovery::{self, Recovered};
use crate::segment::{Segment, SegmentInfo};
use crate::state::State;
use crate::store::{Opening, Shared};
use crate::tail::Tail;
use crate::writer::{Active, Home, Writer};

/// The log of a topic. All methods may be called from any thread, all at once; those that say so
/// wait for the disk.
///
/// Locks, in this order, each optional: `syncing`, `writer`, `state`. Only `state` is needed to
/// read from memory, and it is never held while the disk is waited for.
#[derive(Debug)]
pub struct Log {
    pub(crate) shared: Arc<Shared>,
    directory: PathBuf,
    topic_crc: u32,
    number: u64,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) state: Mutex<State>,
    syncing: Mutex<()>,
    /// Segments below this number must not be written any more: one could not be synced.
    distrusted_below: AtomicU64,
}

/// What is in memory of a log from some place on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recent {
    /// Batches from the one with the wanted message on, without a gap.
    Batches(Vec<Arc<Batch>>),
    /// The message must be read from disk.
    OnDisk,
    /// There is no such message yet.
    End,
}

/// A record without what only the writer knows.
struct Draft {
    count: u32,
    relocated: bool,
    timestamp_ns: i64,
    due_ns: Option<i64>,
}

/// A record, and where it is.
struct Written {
    header: RecordHeader,
    segment: u64,
    offset: u64,
    /// Where the next record starts.
    behind: u64,
}

impl Log {
    pub(crate) fn open(
        shared: Arc<Shared>,
        topic: &TopicName,
        opening: &Opening,
    ) -> io::Result<(Self, Recovered)> {
        let directory = shared.topic_path(topic);
        let topic_crc = crc32c::crc32c(topic.as_str().as_bytes());
        let found = recovery::look(&*shared.disk, &directory, topic_crc, opening)?;
        let recovered = found.recovered;
        let tail = Tail::new(shared.mem_queue_size, Arc::clone(&shared.budget));
        let writer = Writer {
            active: None,
            next_number: found.segments.last().map_or(0, |segment| segment.number + 1),
            end: recovered.end,
            next_guid: None,
            min_counter: min_counter(&found.segments),
            latest_ns: opening.now_ns,
            removed: false,
        };
        let mut state = State::new(tail, found.segments, recovered.end);
        if let Some(tip) = found.looked_from {
            state.distrust_since(tip);
        }
        let known = opening.relocated.iter().chain(&recovered.relocated);
        let known: Vec<_> = known.filter(|r| state.segment(r.segment).is_some()).collect();
        state.copies.extend(known.into_iter().map(|&relocated| (relocated.sequence, relocated)));
        let number = shared.number_log();
        let log = Self {
            shared,
            directory,
            topic_crc,
            number,
            writer: Mutex::new(writer),
            state: Mutex::new(state),
            syncing: Mutex::new(()),
            distrusted_below: AtomicU64::new(0),
        };
        Ok((log, recovered))
    }

    /// Appends `count` messages, in one write. `body` is the checked inside of an `MPUB`. After
    /// an error nothing has happened: the log goes on as soon as the disk does. Waits for the
    /// disk, though normally only for the page cache.
    pub fn append(
        &self,
        body: Bytes,
        count: u32,
        timestamp_ns: i64,
        due_ns: Option<i64>,
    ) -> io::Result<Arc<Batch>> {
        let body_crc = crc32c::crc32c(&body);
        let mut writer = self.writer.lock();
        let first = writer.end;
        let draft = Draft { count, relocated: false, timestamp_ns, due_ns };
        let written = self.write(&mut writer, &draft, &body, body_crc)?;
        let first_guid = written.header.first_guid;
        let batch = Arc::new(Batch { first, count, first_guid, timestamp_ns, due_ns, body });
        writer.end = batch.end();
        writer.next_guid = Some(first_guid.advance(u64::from(count)));
        self.state.lock().commit(Arc::clone(&batch), written.offset, written.behind);
        Ok(batch)
    }

    /// Appends a relocated record: the segment and the offset it got.
    pub(crate) fn append_copies(&self, body: &[u8], count: u32) -> io::Result<(u64, u64)> {
        let mut writer = self.writer.lock();
        let timestamp_ns = writer.latest_ns;
        let draft = Draft { count, relocated: true, timestamp_ns, due_ns: None };
        let body_crc = crc32c::crc32c(body);
        let written = self.write(&mut writer, &draft, body, body_crc)?;
        self.state.lock().commit_record(written.header.first, written.offset, written.behind);
        Ok((written.segment, written.offset))
    }

    /// Begins a new segment unless the newest is empty, so that the one before can be released
    /// while nothing is published. Waits for the disk.
    pub fn seal(&self) -> io::Result<()> {
        let mut writer = self.writer.lock();
        if writer.active.is_some_and(|active| !active.has_records()) {
            return Ok(());
        }
        self.begin_segment(&mut writer).map(drop)
    }

    /// Makes everything that was appended before the call survive a power cut, and says up to
    /// where. Waits for the disk; appends go on meanwhile.
    ///
    /// An error means that nothing is known about any message up to the end of the log at that
    /// time: the kernel may have dropped what it could not write. Such messages can still be read
    /// as long as the machine runs. A later success counts for later messages only.
    pub fn sync(&self) -> io::Result<Sequence> {
        let _one_at_a_time = self.syncing.lock();
        let (mut dirty, end, tip) = {
            let mut state = self.state.lock();
            (std::mem::take(&mut state.dirty), state.end, state.newest_tip())
        };
        let synced = self.sync_all(&mut dirty);
        // An append that trusted the file before it failed must be counted, too.
        let writer = synced.is_err().then(|| self.writer.lock());
        let mut state = self.state.lock();
        state.dirty.put_back(dirty);
        if synced.is_err() {
            state.sync_failed();
        }
        drop(writer);
        synced?;
        state.synced = state.synced.max(end);
        state.tip = tip;
        Ok(end)
    }

    /// Whether a sync failed while the message before `end` was in the log, and not before it was
    /// synced. Then a power cut may take it though a later [`Self::sync`] succeeded.
    pub fn is_unsure(&self, end: Sequence) -> bool {
        self.state.lock().unsure.is_some_and(|(from, upto)| from < end && end <= upto)
    }

    /// Whether the log was deleted.
    pub fn is_removed(&self) -> bool {
        self.state.lock().removed
    }

    /// Deletes the log with everything in it. Nothing can be appended afterwards, and a new log
    /// of the topic will not repeat its ids. Waits for the disk, long if the log is large.
    pub fn remove(&self) -> io::Result<()> {
        {
            let mut writer = self.writer.lock();
            writer.removed = true;
            writer.active = None;
            self.shared.retire_counters(writer.unused_counter());
            self.state.lock().remove();
        }
        self.shared.handles.forget_log(self.number);
        self.shared.remove_directory(&self.directory)
    }

    /// Forgets everything in memory that is also on disk, for a topic that is idle.
    pub fn shed(&self) {
        self.state.lock().tail.clear();
    }

    /// Batches in memory from the one with the message at `from` on, of about `max_bytes`.
    pub fn recent(&self, from: Sequence, max_bytes: usize) -> Recent {
        let state = self.state.lock();
        if from >= state.end {
            return Recent::End;
        }
        state.tail.from(from, max_bytes).map_or(Recent::OnDisk, Recent::Batches)
    }

    /// The place of the next message.
    pub fn end(&self) -> Sequence {
        self.state.lock().end
    }

    /// The place of the oldest message that has not been released.
    pub fn start(&self) -> Sequence {
        self.state.lock().start()
    }

    /// The place of the oldest message in memory, or the end.
    pub fn memory_start(&self) -> Sequence {
        let state = self.state.lock();
        state.tail.start().unwrap_or(state.end)
    }

    /// All lives of the log of which it still has segments: message ids to places.
    pub fn epochs(&self) -> Epochs {
        self.state.lock().epochs()
    }

    /// How many messages a power cut could take.
    pub fn appended_since_sync(&self) -> u64 {
        let state = self.state.lock();
        state.synced.until(state.end)
    }

    /// Up to where the log is good and synced; to be handed in when it is opened again. Nothing
    /// while it holds nothing.
    pub fn tip(&self) -> Option<Tip> {
        self.state.lock().tip
    }

    /// The segments that are not written any more, oldest first.
    pub fn sealed_segments(&self) -> Vec<SegmentInfo> {
        self.state.lock().sealed()
    }

    /// The oldest of them.
    pub fn oldest_segment(&self) -> Option<SegmentInfo> {
        self.sealed_segments().first().copied()
    }

    /// What the log takes on disk, in bytes.
    pub fn disk_bytes(&self) -> u64 {
        self.state.lock().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The directory of the log, and what finds its files.
    pub(crate) fn home(&self) -> Home<'_> {
        Home {
            shared: &self.shared,
            directory: &self.directory,
            topic_crc: self.topic_crc,
            log: self.number,
        }
    }

    /// Where the log is kept.
    pub(crate) fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// Names the file of segment `number` among the open files.
    pub(crate) const fn key(&self, number: u64) -> FileKey {
        FileKey { log: self.number, segment: number }
    }

    /// Writes a record at the end.
    fn write(
        &self,
        writer: &mut Writer,
        draft: &Draft,
        body: &[u8],
        body_crc: u32,
    ) -> io::Result<Written> {
        let body_length = u32::try_from(body.len()).ok().filter(|_| draft.count > 0);
        let Some(body_length) = body_length else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        writer.latest_ns = writer.latest_ns.max(draft.timestamp_ns);
        let active = self.room_for(writer, HEADER_BYTES as u64 + u64::from(body_length))?;
        let Some(first_guid) = writer.next_guid else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let header = RecordHeader {
            body_crc,
            body_length,
            count: draft.count,
            relocated: draft.relocated,
            life: active.life,
            first: writer.end,
            first_guid,
            timestamp_ns: draft.timestamp_ns,
            due_ns: draft.due_ns,
        };
        let (offset, behind) = writer.write(&self.home(), &header.encode(), body)?;
        Ok(Written { header, segment: active.number, offset, behind })
    }

    /// A segment for a record of `bytes`.
    fn room_for(&self, writer: &mut Writer, bytes: u64) -> io::Result<Active> {
        match writer.room_for(bytes, self.shared.max_bytes_per_file) {
            Some(active) if self.is_trusted(active) => Ok(active),
            _ => self.begin_segment(writer),
        }
    }

    fn begin_segment(&self, writer: &mut Writer) -> io::Result<Active> {
        if writer.removed {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the topic was deleted"));
        }
        let (header, active) = match writer.active {
            Some(active) if self.is_trusted(active) => writer.roll(&self.home())?,
            Some(_) => writer.begin(&self.home())?,
            None => {
                self.shared.disk.create_dir_all(&self.directory)?;
                writer.begin(&self.home())?
            }
        };
        self.state.lock().begin_segment(&header, active.has_leftovers);
        Ok(active)
    }

    fn is_trusted(&self, active: Active) -> bool {
        active.number >= self.distrusted_below.load(Ordering::Relaxed)
    }

    /// Syncs what is dirty and strikes it off.
    fn sync_all(&self, dirty: &mut Dirty) -> io::Result<()> {
        while let Some(number) = dirty.first() {
            self.sync_segment(number, dirty)?;
            dirty.clear(number);
        }
        // First: a file can only move from where it arrived.
        if dirty.spares {
            self.shared.spares.sync()?;
            dirty.spares = false;
        }
        if dirty.directory {
            self.shared.disk.sync_dir(&self.directory)?;
            dirty.directory = false;
        }
        if dirty.parents {
            self.shared.sync_parents()?;
            dirty.parents = false;
        }
        Ok(())
    }

    fn sync_segment(&self, number: u64, dirty: &mut Dirty) -> io::Result<()> {
        let file = match self.home().file(number) {
            Err(_) if self.state.lock().segment(number).is_none() => return Ok(()),
            file => file?,
        };
        file.sync().inspect_err(|_| {
            // A second try would succeed although the data is lost: the kernel tells only once.
            dirty.clear(number);
            self.distrusted_below.fetch_max(number + 1, Ordering::Relaxed);
        })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.handles.forget_log(self.number);
    }
}

/// The lowest counter that no message in these segments has.
fn min_counter(segments: &[Segment]) -> u64 {
    let newest = segments.iter().rev().find(|segment| segment.is_readable());
    newest.map_or(0, |s| s.first_guid.counter() + s.first.until(s.end) + 1)
}
