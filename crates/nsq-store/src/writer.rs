//! Where the next record goes.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use nsq_broker::Sequence;
use nsq_proto::Guid;

use crate::disk::DiskFile;
use crate::handles::FileKey;
use crate::record::HEADER_BYTES;
use crate::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::store::Shared;

/// The writing end of a log.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The segment that is being written, once this opening of the log has one.
    pub(crate) active: Option<Active>,
    /// Number of the next segment.
    pub(crate) next_number: u64,
    /// Place of the next message.
    pub(crate) end: Sequence,
    /// Its id, once this life of the log has begun.
    pub(crate) next_guid: Option<Guid>,
    /// The lowest counter that no message of an earlier life had.
    pub(crate) min_counter: u64,
    /// The latest time that is known: when the log was opened, or of the newest message.
    pub(crate) latest_ns: i64,
    /// The log was deleted.
    pub(crate) removed: bool,
}

/// The segment that is being written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) number: u64,
    pub(crate) life: u64,
    /// Where the next record starts, in bytes. Only a whole record moves it.
    pub(crate) position: u64,
    /// There may be something behind the position: what the file held before, or a failed write.
    pub(crate) has_leftovers: bool,
}

impl Active {
    /// Whether a record of `bytes` should go elsewhere.
    fn is_full(&self, bytes: u64, max_bytes: u64) -> bool {
        self.has_records() && self.position.saturating_add(bytes) > max_bytes
    }

    /// Whether anything was written to it.
    pub(crate) const fn has_records(&self) -> bool {
        self.position > SEGMENT_HEADER_BYTES as u64
    }
}

/// The directory of a log and the log's number among those of the process.
#[derive(Debug)]
pub(crate) struct Home<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) directory: &'a Path,
    pub(crate) topic_crc: u32,
    pub(crate) log: u64,
}

impl Home<'_> {
    /// The file of segment `number`.
    pub(crate) fn file(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = || segment::path(self.directory, number);
        self.shared.handles.open(FileKey { log: self.log, segment: number }, path)
    }
}

impl Writer {
    /// The segment for a record of `bytes`, if it is the current one.
    pub(crate) fn room_for(&self, bytes: u64, max_bytes: u64) -> Option<Active> {
        self.active.filter(|active| !active.is_full(bytes, max_bytes))
    }

    /// Ends the current segment, if there is one, and begins the next. After an error everything
    /// is as before, and may be tried again.
    pub(crate) fn roll(&mut self, home: &Home<'_>) -> io::Result<(SegmentHeader, Active)> {
        if let Some(active) = &mut self.active
            && active.has_leftovers
        {
            home.file(active.number)?.set_length(active.position)?;
            active.has_leftovers = false;
        }
        self.begin(home)
    }

    /// Begins the next segment and leaves the current one, if there is one, as it is.
    pub(crate) fn begin(&mut self, home: &Home<'_>) -> io::Result<(SegmentHeader, Active)> {
        let number = self.next_number;
        let next_guid = self.next_guid.unwrap_or_else(|| self.first_guid(home.shared));
        let header = SegmentHeader {
            number,
            life: segment::life(home.topic_crc, home.shared.draw(home.log, number)),
            first: self.end,
            first_guid: next_guid,
            created_ns: self.latest_ns,
        };
        let path = segment::path(home.directory, number);
        let (file, has_leftovers) = create(home.shared, &path)?;
        let front = header.encode();
        // An earlier life's first record must not count should only the header get lost.
        let blank: &[u8] = if has_leftovers { &[0; HEADER_BYTES] } else { &[] };
        file.write_all_at(&mut [IoSlice::new(&front), IoSlice::new(blank)], 0)?;
        home.shared.handles.insert(FileKey { log: home.log, segment: number }, file);
        let position = SEGMENT_HEADER_BYTES as u64;
        let active = Active { number, life: header.life, position, has_leftovers };
        self.active = Some(active);
        self.next_number = number + 1;
        self.next_guid = Some(next_guid);
        Ok((header, active))
    }

    /// Writes a whole record to the current segment: where it begins and where it ends.
    pub(crate) fn write(
        &mut self,
        home: &Home<'_>,
        header: &[u8; HEADER_BYTES],
        body: &[u8],
    ) -> io::Result<(u64, u64)> {
        let Some(active) = &mut self.active else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let offset = active.position;
        let mut slices = [IoSlice::new(header), IoSlice::new(body)];
        if let Err(error) = home.file(active.number)?.write_all_at(&mut slices, offset) {
            active.has_leftovers = true;
            return Err(error);
        }
        active.position += (HEADER_BYTES + body.len()) as u64;
        Ok((offset, active.position))
    }

    /// The lowest counter that no message of this log had.
    pub(crate) fn unused_counter(&self) -> u64 {
        self.next_guid.map_or(self.min_counter, |guid| guid.counter().max(self.min_counter))
    }

    /// The id with which this life of the log begins.
    fn first_guid(&self, shared: &Shared) -> Guid {
        let counter = Guid::counter_at(self.latest_ns).max(self.min_counter);
        Guid::new(counter.max(shared.min_counter()), shared.node_id)
    }
}

/// A file for a new segment, and whether it may hold something already.
fn create(shared: &Shared, path: &Path) -> io::Result<(Arc<dyn DiskFile>, bool)> {
    if shared.spares.take(path) {
        return Ok((shared.disk.open(path)?, true));
    }
    match shared.disk.create(path) {
        // An attempt that failed before the header was written left it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Ok((shared.disk.open(path)?, true))
        }
        created => Ok((created?, false)),
    }
}
