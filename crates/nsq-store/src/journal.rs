//! What a restart must know about the channels of a topic.
//!
//! One file per topic, `channels.journal`, created by the first write. Every flush appends one
//! record of several [`Entry`]s; a record is there as a whole or not at all.
//!
//! # What may be lost
//!
//! Losing the newest records makes messages be delivered again, never vanish: what a channel has
//! finished is forgotten, what it has not finished is in the log behind its older cursor. The
//! opposite must not happen: a checkpoint that says which messages *became* deferred, lost between
//! two that survive, would leave a cursor beyond messages that nothing remembers. So the records
//! form a chain. Reading applies them up to the first break; behind it only the facts that hold
//! without what came before are used: a channel was created or deleted, the log was good up to a
//! place, a message was copied to a place. A break leaves the journal [broken](Journal::is_broken):
//! nothing can be appended behind it before a compaction has written the whole state.
//!
//! A channel whose creation is lost cannot be brought back from here. If `nsqd.dat` knows it, it
//! must start at the oldest message kept, not at the end of the log as a new channel would.
//!
//! # What survives what
//!
//! A returned [`Journal::write`] survives the end of the process; a returned [`Journal::sync`]
//! makes all returned writes survive a power cut. Whoever removes log segments because messages
//! were [relocated](Entry::Relocated) must sync first.
//!
//! No file stays open: writing and syncing open it each time. An idle topic costs no handle, and
//! ten flushes per second and topic make the two extra system calls cheap.

mod compaction;
mod entry;
mod record;
mod state;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nsq_broker::{Checkpoint, Sequence};
use nsq_proto::{ChannelName, Guid};

pub use self::compaction::Compaction;
use self::entry::Decoded;
use self::record::{HEADER_BYTES, Scanner};
use self::state::Replay;
pub use self::state::{ChannelState, Damage, JournalState};
use crate::disk::Disk;

/// The name of the journal in the directory of its topic.
pub const JOURNAL_FILE: &str = "channels.journal";

/// The name of the next journal while a compaction writes it.
pub const NEW_JOURNAL_FILE: &str = "channels.journal.new";

/// A journal below this size is never compacted.
const COMPACTION_MIN_BYTES: u64 = 1 << 20;

/// A journal is compacted when it has grown to so many times its last snapshot.
const COMPACTION_GROWTH: u64 = 4;

/// How much of failed writes is kept in memory to go with the next one.
const MAX_UNWRITTEN_BYTES: usize = 64 << 10;

/// The number of a channel within its topic, short for its name. Any number that no channel of
/// the topic has may be given to a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelNumber(pub u32);

/// An end of the log: whoever reads the log again may start from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// Number of the segment.
    pub segment: u64,
    /// Where in it the next record goes, in bytes.
    pub offset: u64,
    /// Place of the next message.
    pub sequence: Sequence,
}

/// Where a message lies that was copied out of an old segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Which message.
    pub sequence: Sequence,
    /// Its id, which nothing else tells once its segment is gone.
    pub guid: Guid,
    /// Number of the segment that the copy is in.
    pub segment: u64,
    /// Where in it, in bytes.
    pub offset: u64,
}

/// Everything that a journal can say.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A channel came to be. Until its first checkpoint it stands at the beginning of the log.
    /// Saying it again changes nothing.
    Create {
        /// Its number from now on.
        channel: ChannelNumber,
        /// Its name; another channel of that name is taken as deleted.
        name: &'a ChannelName,
    },
    /// A channel and all it held is gone.
    Delete {
        /// Its number.
        channel: ChannelNumber,
    },
    /// The state of a channel, whole or as what changed since its last checkpoint. Of a message
    /// that is both removed and added, the addition counts.
    Checkpoint {
        /// Its number; ignored when there is no such channel (any more).
        channel: ChannelNumber,
        /// Its state.
        checkpoint: &'a Checkpoint,
    },
    /// The messages of the topic that no channel has seen: those from the cursor on, and deferred
    /// ones before it. None, only to be said while there are channels: they have seen them all.
    Held(Option<&'a Checkpoint>),
    /// How far the log is known to be good.
    Tip(Tip),
    /// Messages were copied. Each counts until a newer statement on the same message, or until a
    /// compaction does not repeat it.
    Relocated(&'a [Relocation]),
}

/// The journal of one topic.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// False until the first write: there is no file yet.
    exists: bool,
    /// Where the next record goes.
    length: u64,
    /// Where the snapshot ends that the file begins with; 0 without one.
    snapshot_bytes: u64,
    life: u32,
    /// The header check of the last record.
    previous: u32,
    /// Entries of failed writes, encoded.
    unwritten: Vec<u8>,
    broken: bool,
    content_unsynced: bool,
    name_unsynced: bool,
}

impl Journal {
    /// Reads the journal in `dir`, cuts a torn tail and removes what an unfinished compaction
    /// left. A directory without a journal is one that says nothing.
    ///
    /// Fails when the file cannot be read, or is of a version that is not known; damage is no
    /// failure but told in [`JournalState::damage`].
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> io::Result<(Self, JournalState)> {
        let mut journal = Self {
            disk,
            dir: dir.to_path_buf(),
            exists: false,
            length: 0,
            snapshot_bytes: 0,
            life: fresh_life(),
            previous: 0,
            unwritten: Vec::new(),
            broken: false,
            content_unsynced: false,
            name_unsynced: false,
        };
        remove_if_there(journal.disk.as_ref(), &dir.join(NEW_JOURNAL_FILE))?;
        let state = journal.recover()?;
        Ok((journal, state))
    }

    /// Appends `entries` as one record. When it returns, they survive the end of the process.
    ///
    /// After an error they are not in the file, but kept in memory and part of the next write, so
    /// that the caller has nothing to repeat; `write(&[])` tries again. When too much has gathered
    /// that way the journal becomes [broken](Self::is_broken), and this fails at once.
    pub fn write(&mut self, entries: &[Entry<'_>]) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the channel journal waits for a compaction"));
        }
        let mut record = record::start();
        record.append(&mut self.unwritten);
        entries.iter().for_each(|entry| entry::encode(entry, &mut record));
        if record.len() == HEADER_BYTES {
            return Ok(());
        }
        match self.append(&mut record) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.keep_unwritten(&record[HEADER_BYTES..]);
                Err(error)
            }
        }
    }

    /// Makes all writes that returned survive a power cut. Entries of failed writes are not in
    /// the file and not covered.
    ///
    /// A failed sync leaves the journal [broken](Self::is_broken): the kernel may have dropped
    /// what it could not write.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.content_unsynced {
            let file = self.disk.open(&self.dir.join(JOURNAL_FILE))?;
            file.sync().inspect_err(|_| self.breaks())?;
            self.content_unsynced = false;
        }
        if self.name_unsynced {
            self.disk.sync_dir(&self.dir)?;
            self.name_unsynced = false;
        }
        Ok(())
    }

    /// Starts to write a new file with the whole state, given entry by entry. The old file counts
    /// until [`Compaction::finish`] has returned; if it never does, the journal is left
    /// [broken](Self::is_broken), because the caller's next differences would be to a state that
    /// was not written.
    pub fn compaction(&mut self) -> io::Result<Compaction<'_>> {
        Compaction::start(self)
    }

    /// Replaces the file by one that holds `entries`, which must be the whole state: each channel
    /// created, with a whole checkpoint; the messages held; the tip; the places of all messages
    /// that were relocated. When it returns, the state survives a power cut.
    pub fn compact<'e>(&mut self, entries: impl IntoIterator<Item = Entry<'e>>) -> io::Result<()> {
        let mut compaction = self.compaction()?;
        for entry in entries {
            compaction.write(&entry)?;
        }
        compaction.finish()
    }

    /// True when the file cannot be continued: after damage, a failed sync, an unfinished
    /// compaction or too many failed writes. Only a compaction helps. Until then the file keeps an
    /// older, consistent state.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// True when the file is large for what it says, or broken.
    pub fn needs_compaction(&self) -> bool {
        let large = self.length > COMPACTION_MIN_BYTES
            && self.length / COMPACTION_GROWTH > self.snapshot_bytes;
        self.broken || large
    }

    /// True while entries of failed writes wait for the next one.
    pub fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// The size of the file in bytes, as far as it is valid.
    pub fn length_bytes(&self) -> u64 {
        self.length
    }

    fn recover(&mut self) -> io::Result<JournalState> {
        let file = match self.disk.open(&self.dir.join(JOURNAL_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(JournalState::default());
            }
            Err(error) => return Err(error),
        };
        let file_length = file.length()?;
        let mut scanner = Scanner::new(file.as_ref(), file_length);
        let mut replay = Replay::default();
        let mut damage = Damage::default();
        while let Some(record) = scanner.next()? {
            damage.skipped_bytes += record.offset - self.length;
            if record.offset != self.length || record.previous != self.previous {
                self.broken = true;
            }
            (self.life, self.previous, self.length) = (record.life, record.check, record.end);
            if self.broken {
                damage.stale_records += 1;
                record.entries.into_iter().for_each(|entry| replay.apply_fact(entry));
                continue;
            }
            if record.entries.contains(&Decoded::SnapshotEnd) {
                self.snapshot_bytes = record.end;
            }
            record.entries.into_iter().for_each(|entry| replay.apply(entry));
        }
        damage.torn_bytes = file_length - self.length;
        // Behind a break nothing is removed: the file may be wanted for a closer look.
        if damage.torn_bytes > 0 && !self.broken {
            file.set_length(self.length)?;
        }
        // What another process wrote may be in memory only.
        (self.exists, self.content_unsynced, self.name_unsynced) = (true, true, true);
        Ok(replay.finish((damage != Damage::default()).then_some(damage)))
    }

    fn append(&mut self, record: &mut [u8]) -> io::Result<()> {
        let check = record::seal(record, self.life, self.previous)?;
        let path = self.dir.join(JOURNAL_FILE);
        let file = if self.exists { self.disk.open(&path)? } else { self.disk.create(&path)? };
        self.name_unsynced |= !self.exists;
        self.exists = true;
        self.content_unsynced = true;
        file.write_all_at(&mut [IoSlice::new(record)], self.length)?;
        self.previous = check;
        self.length += record.len() as u64;
        Ok(())
    }

    fn keep_unwritten(&mut self, entries: &[u8]) {
        if entries.len() > MAX_UNWRITTEN_BYTES {
            self.breaks();
        } else {
            self.unwritten = entries.to_vec();
        }
    }

    fn breaks(&mut self) {
        self.broken = true;
        self.unwritten = Vec::new();
    }
}

/// A number that an older file of the same place hardly had.
fn fresh_life() -> u32 {
    let [.., a, b, c, d] = RandomState::new().build_hasher().finish().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
