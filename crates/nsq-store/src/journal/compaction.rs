//! Writing the whole state into a new file.

use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;

use nsq_broker::Checkpoint;

use super::entry::{self, Slice};
use super::record::{self, HEADER_BYTES};
use super::{
    ChannelNumber, Entry, JOURNAL_FILE, Journal, NEW_JOURNAL_FILE, fresh_life, remove_if_there,
};
use crate::disk::DiskFile;

/// A record of a snapshot is written when it has grown to this size.
const RECORD_BYTES: usize = 256 << 10;

/// How many deferred messages or relocations go into one entry, some 25 bytes each at most.
const PIECE_ITEMS: usize = 4096;

/// A compaction that is being written. Dropped before it is finished, it leaves the old file.
///
/// It takes the state in small pieces, so that a caller can build them one by one; millions of
/// deferred messages in one checkpoint go out in several records, of which reading believes none
/// until the last is there.
#[derive(Debug)]
pub struct Compaction<'a> {
    journal: &'a mut Journal,
    file: Arc<dyn DiskFile>,
    record: Vec<u8>,
    life: u32,
    previous: u32,
    length: u64,
    renamed: bool,
}

impl<'a> Compaction<'a> {
    pub(super) fn start(journal: &'a mut Journal) -> io::Result<Self> {
        journal.breaks();
        let path = journal.dir.join(NEW_JOURNAL_FILE);
        remove_if_there(journal.disk.as_ref(), &path)?;
        let file = journal.disk.create(&path)?;
        let (record, life) = (record::start(), fresh_life());
        Ok(Self { journal, file, record, life, previous: 0, length: 0, renamed: false })
    }

    /// Adds one entry. Checkpoints must be whole; a channel's creation comes before its
    /// checkpoint. After an error the compaction can only be dropped.
    pub fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        match *entry {
            Entry::Checkpoint { channel, checkpoint } => self.checkpoint(Some(channel), checkpoint),
            Entry::Held(Some(checkpoint)) => self.checkpoint(None, checkpoint),
            Entry::Relocated(relocations) => {
                relocations.chunks(PIECE_ITEMS).try_for_each(|piece| {
                    entry::encode(&Entry::Relocated(piece), &mut self.record);
                    self.flush_if_large()
                })
            }
            Entry::Create { .. } | Entry::Delete { .. } | Entry::Held(None) | Entry::Tip(_) => {
                entry::encode(entry, &mut self.record);
                self.flush_if_large()
            }
        }
    }

    /// Puts the new file in the place of the old one, synced. If only the last step fails, making
    /// the name durable, the error is returned although the new file is in use: the next
    /// [`Journal::sync`] tries that step again.
    pub fn finish(mut self) -> io::Result<()> {
        entry::encode_snapshot_end(&mut self.record);
        self.flush()?;
        self.file.sync()?;
        let dir = &self.journal.dir;
        self.journal.disk.rename(&dir.join(NEW_JOURNAL_FILE), &dir.join(JOURNAL_FILE))?;
        self.renamed = true;
        let journal = &mut *self.journal;
        (journal.life, journal.previous) = (self.life, self.previous);
        (journal.length, journal.snapshot_bytes) = (self.length, self.length);
        (journal.exists, journal.broken) = (true, false);
        (journal.content_unsynced, journal.name_unsynced) = (false, true);
        journal.sync()
    }

    fn checkpoint(
        &mut self,
        channel: Option<ChannelNumber>,
        checkpoint: &Checkpoint,
    ) -> io::Result<()> {
        if !checkpoint.whole {
            let text = "a compaction was given a checkpoint that is not whole";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let mut pieces = checkpoint.deferred_added.chunks(PIECE_ITEMS).peekable();
        let mut whole = true;
        loop {
            let added = pieces.next().unwrap_or_default();
            let more = pieces.peek().is_some();
            let open = if more { &[][..] } else { &checkpoint.open };
            let done = if more { &[][..] } else { &checkpoint.done_ahead };
            let Checkpoint { cursor, end, .. } = *checkpoint;
            let slice = Slice { cursor, end, done, open, whole, removed: &[], added, more };
            entry::encode_part(channel, &slice, &mut self.record);
            self.flush_if_large()?;
            if !more {
                return Ok(());
            }
            whole = false;
        }
    }

    fn flush_if_large(&mut self) -> io::Result<()> {
        if self.record.len() < RECORD_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut record = mem::take(&mut self.record);
        let check = record::seal(&mut record, self.life, self.previous)?;
        self.file.write_all_at(&mut [IoSlice::new(&record)], self.length)?;
        self.previous = check;
        self.length += record.len() as u64;
        record.truncate(HEADER_BYTES);
        self.record = record;
        Ok(())
    }
}

impl Drop for Compaction<'_> {
    fn drop(&mut self) {
        let path = self.journal.dir.join(NEW_JOURNAL_FILE);
        if !self.renamed && self.journal.disk.remove_file(&path).is_err() {
            // It costs space until the next compaction or start removes it, nothing else.
        }
    }
}
