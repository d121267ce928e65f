//! All logs of a data directory, and what they share.
//!
//! ```text
//!   <data-path>/topics/t-<topic>/00000000000000000000.log …   one log
//!   <data-path>/topics/d-<n>/                                 a deleted one, being removed
//!   <data-path>/spare/<n>.spare                               files to be written again
//! ```

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nsq_broker::Sequence;
use nsq_proto::{NodeId, TopicName};

use crate::budget::MemoryBudget;
use crate::disk::Disk;
use crate::handles::Handles;
use crate::journal::{Relocation, Tip};
use crate::log::Log;
use crate::recovery::Recovered;
use crate::spare::Spares;

const TOPICS: &str = "topics";
const SPARE: &str = "spare";
/// Before a topic's name: `.` and `..` are names too.
const TOPIC_PREFIX: &str = "t-";
const DELETED_PREFIX: &str = "d-";

/// Where and how logs are kept.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The data directory; it must exist.
    pub data_path: PathBuf,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// Part of every message id from the next opening of a log on.
    pub node_id: NodeId,
    /// A segment is ended before it grows beyond this; one larger record has its own segment.
    pub max_bytes_per_file: u64,
    /// How many messages of a topic stay in memory; the newest batch always does.
    pub mem_queue_size: u64,
    /// How much memory all topics together use for messages, in bytes.
    pub memory_bytes: usize,
    /// How many segment files may be open at once; some more while they are in use.
    pub max_open_files: usize,
}

/// What is known about a log before it is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Up to where the log need not be looked through.
    pub tip: Option<Tip>,
    /// From this place on deferred publishes and relocated messages are not known: they are looked
    /// for from there, or from the tip if that comes first. None: from the tip.
    pub unknown_from: Option<Sequence>,
    /// No message before this place will be appended: channels may have seen messages up to here
    /// that a power cut took out of the log.
    pub at_least: Sequence,
    /// Relocated messages, as [`Log::relocated`] told.
    pub relocated: Vec<Relocation>,
    /// The time: nanoseconds since 1970.
    pub now_ns: i64,
}

/// The logs of a data directory.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

/// What all logs of a process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) handles: Handles,
    pub(crate) spares: Spares,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) node_id: NodeId,
    pub(crate) max_bytes_per_file: u64,
    pub(crate) mem_queue_size: u64,
    data_path: PathBuf,
    /// One more than the highest counter of any deleted log: a topic that is created again must
    /// not repeat an id.
    min_counter: AtomicU64,
    next_log: AtomicU64,
    next_deleted: AtomicU64,
    lottery: RandomState,
}

impl Store {
    /// Opens the data directory and clears away what an earlier run did not finish removing.
    pub fn new(options: StoreOptions) -> io::Result<Self> {
        let StoreOptions { data_path, disk, max_bytes_per_file, .. } = options;
        let spare = data_path.join(SPARE);
        let spares = Spares::open(Arc::clone(&disk), spare, max_bytes_per_file / 2)?;
        let shared = Shared {
            handles: Handles::new(Arc::clone(&disk), options.max_open_files),
            spares,
            budget: Arc::new(MemoryBudget::new(options.memory_bytes)),
            node_id: options.node_id,
            max_bytes_per_file,
            mem_queue_size: options.mem_queue_size,
            disk,
            data_path,
            min_counter: AtomicU64::new(0),
            next_log: AtomicU64::new(0),
            next_deleted: AtomicU64::new(0),
            lottery: RandomState::new(),
        };
        shared.remove_leftovers()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The topics that have a directory, in no order.
    pub fn topics(&self) -> io::Result<Vec<TopicName>> {
        let names = self.shared.disk.list(&self.shared.topics_path())?;
        let topic = |name: &PathBuf| {
            TopicName::parse(name.to_str()?.strip_prefix(TOPIC_PREFIX)?.as_bytes()).ok()
        };
        Ok(names.iter().filter_map(topic).collect())
    }

    /// Opens the log of `topic`; nothing is created yet.
    pub fn open_log(&self, topic: &TopicName, opening: &Opening) -> io::Result<(Log, Recovered)> {
        Log::open(Arc::clone(&self.shared), topic, opening)
    }

    /// Removes everything of a topic whose log is not open; see [`Log::remove`].
    pub fn remove(&self, topic: &TopicName) -> io::Result<()> {
        self.shared.remove_directory(&self.shared.topic_path(topic))
    }

    /// Makes the topics' directories themselves survive a power cut. Waits for the disk.
    pub fn sync_directories(&self) -> io::Result<()> {
        self.shared.sync_parents()
    }

    /// Where everything of `topic` is kept.
    pub fn topic_path(&self, topic: &TopicName) -> PathBuf {
        self.shared.topic_path(topic)
    }

    /// The memory all topics together use for messages.
    pub fn memory(&self) -> &MemoryBudget {
        &self.shared.budget
    }
}

impl Shared {
    /// Where everything of `topic` is kept.
    pub(crate) fn topic_path(&self, topic: &TopicName) -> PathBuf {
        self.topics_path().join(format!("{TOPIC_PREFIX}{}", topic.as_str()))
    }

    /// A number for a log that no other log of this process has.
    pub(crate) fn number_log(&self) -> u64 {
        self.next_log.fetch_add(1, Ordering::Relaxed)
    }

    /// A number that cannot be foretold, for the segment `number` of `log`.
    pub(crate) fn draw(&self, log: u64, number: u64) -> u32 {
        self.lottery.hash_one((log, number)) as u32
    }

    /// Makes a topic's directory itself survive a power cut.
    pub(crate) fn sync_parents(&self) -> io::Result<()> {
        self.disk.sync_dir(&self.topics_path())?;
        self.disk.sync_dir(&self.data_path)
    }

    /// The lowest counter that no message of a deleted log had.
    pub(crate) fn min_counter(&self) -> u64 {
        self.min_counter.load(Ordering::Relaxed)
    }

    /// Notes that all counters below this one may have been used by a log that is deleted.
    pub(crate) fn retire_counters(&self, below: u64) {
        self.min_counter.fetch_max(below, Ordering::Relaxed);
    }

    /// Removes a topic's directory. Once it is renamed the topic is gone; if the rest fails it is
    /// done at the next start.
    pub(crate) fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        let number = self.next_deleted.fetch_add(1, Ordering::Relaxed);
        let deleted = self.topics_path().join(format!("{DELETED_PREFIX}{number}"));
        match self.disk.rename(directory, &deleted) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        self.disk.sync_dir(&self.topics_path())?;
        self.disk.remove_dir_all(&deleted)
    }

    fn remove_leftovers(&self) -> io::Result<()> {
        let topics = self.topics_path();
        for name in self.disk.list(&topics)? {
            if name.to_str().is_some_and(|name| name.starts_with(DELETED_PREFIX)) {
                self.disk.remove_dir_all(&topics.join(name))?;
            }
        }
        Ok(())
    }

    fn topics_path(&self) -> PathBuf {
        self.data_path.join(TOPICS)
    }
}
