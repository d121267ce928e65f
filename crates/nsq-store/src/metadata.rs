//! `nsqd.dat`: which topics and channels there are, in Go NSQ's own format.
//!
//! ```text
//! {"topics":[{"name":"a","paused":false,"channels":[{"name":"b","paused":true}]}],"version":"1"}
//! ```
//!
//! One JSON object without spaces or a final newline; an empty list is written as `null`. Reading
//! follows Go's decoder: keys in any case, unknown keys ignored, `null` for anything.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use nsq_proto::{ChannelName, TopicName};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;

use crate::disk::Disk;

/// The name of the file in the data directory.
pub const METADATA_FILE: &str = "nsqd.dat";

/// A larger file is not read: it would be some ten million channels.
const MAX_METADATA_BYTES: u64 = 1 << 30;

/// What `nsqd.dat` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The topics; read in the order of the file, each once.
    pub topics: Vec<TopicMeta>,
    /// The version of the daemon that wrote it.
    pub version: String,
}

/// A topic of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMeta {
    /// Its name.
    pub name: TopicName,
    /// Whether it is paused.
    pub paused: bool,
    /// Its channels; read in the order of the file, each once.
    pub channels: Vec<ChannelMeta>,
}

/// A channel of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelMeta {
    /// Its name.
    pub name: ChannelName,
    /// Whether it is paused.
    pub paused: bool,
}

/// Why the metadata could not be loaded; without it the daemon must not start.
#[derive(Debug, Error)]
pub enum MetadataError {
    /// The file is there but cannot be read.
    #[error("failed to read metadata from {} - {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not hold metadata.
    #[error("failed to parse metadata in {} - {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Metadata {
    /// Reads the metadata in the data directory `dir`, and removes what unfinished writes left.
    /// A missing file is an empty one. Besides come warnings for the log: entries that were
    /// skipped because of their names, leftovers that could not be removed.
    ///
    /// To be called under the directory's lock.
    pub fn load(disk: &dyn Disk, dir: &Path) -> Result<(Self, Vec<String>), MetadataError> {
        let path = dir.join(METADATA_FILE);
        let contents = match read(disk, &path) {
            Ok(contents) => contents,
            Err(source) => return Err(MetadataError::Read { path, source }),
        };
        let mut warnings = Vec::new();
        let metadata = match contents {
            None => Self::default(),
            Some(contents) => match Self::decode(&contents, &mut warnings) {
                Ok(metadata) => metadata,
                Err(reason) => return Err(MetadataError::Parse { path, reason }),
            },
        };
        remove_leftovers(disk, dir, &mut warnings);
        Ok((metadata, warnings))
    }

    /// Replaces the file in the data directory `dir`; the old one stays until the new one is
    /// complete. When it returns, the new one survives a power cut.
    pub fn store(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        self.file().store(disk, dir)
    }

    /// The bytes of the file: topics and channels by name, without the ephemeral ones, which
    /// includes all channels of an ephemeral topic.
    pub fn encode(&self) -> Vec<u8> {
        self.file().encode()
    }

    fn file(&self) -> MetadataFile {
        let mut file = MetadataFile::new(&self.version);
        self.topics.iter().for_each(|topic| file.set(topic));
        file
    }

    /// The inverse of [`Self::encode`], and more lenient: see the module. Adds a warning for
    /// everything that was skipped.
    fn decode(contents: &[u8], warnings: &mut Vec<String>) -> Result<Self, String> {
        // Go replaces what is not UTF-8 in the same way.
        let text = String::from_utf8_lossy(contents);
        let Lenient(file) = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let ReadFile { topics, version } = file;
        let mut metadata = Self { topics: Vec::new(), version };
        let mut places = HashMap::new();
        for Lenient(read) in topics {
            let Ok(name) = TopicName::parse(read.name.as_bytes()) else {
                warnings.push(format!("skipping creation of invalid topic {}", read.name));
                continue;
            };
            let place = *places.entry(name.clone()).or_insert(metadata.topics.len());
            if place == metadata.topics.len() {
                metadata.topics.push(TopicMeta { name, paused: false, channels: Vec::new() });
            }
            metadata.topics[place].merge(read, warnings);
        }
        Ok(metadata)
    }
}

/// The file as it will be written. Each topic is kept encoded, so that the change of one among
/// ten thousand costs little.
#[derive(Clone, Debug)]
pub struct MetadataFile {
    topics: BTreeMap<TopicName, Vec<u8>>,
    /// Encoded.
    version: Vec<u8>,
}

impl MetadataFile {
    /// A file without topics, written by a daemon of this version.
    pub fn new(version: &str) -> Self {
        Self { topics: BTreeMap::new(), version: encode(version) }
    }

    /// Adds a topic, or replaces what was said of it. An ephemeral one has no place in the file.
    pub fn set(&mut self, topic: &TopicMeta) {
        if !topic.name.is_ephemeral() {
            self.topics.insert(topic.name.clone(), encode(&WrittenTopic::new(topic)));
        }
    }

    /// Takes a topic out.
    pub fn remove(&mut self, name: &TopicName) {
        self.topics.remove(name);
    }

    /// As [`Metadata::encode`].
    pub fn encode(&self) -> Vec<u8> {
        let size: usize = self.topics.values().map(|topic| topic.len() + 1).sum();
        let mut bytes = Vec::with_capacity(size + 64);
        bytes.extend_from_slice(b"{\"topics\":");
        for (index, topic) in self.topics.values().enumerate() {
            bytes.push(if index == 0 { b'[' } else { b',' });
            bytes.extend_from_slice(topic);
        }
        bytes.extend_from_slice(if self.topics.is_empty() { b"null" } else { b"]" });
        bytes.extend_from_slice(b",\"version\":");
        bytes.extend_from_slice(&self.version);
        bytes.push(b'}');
        bytes
    }

    /// As [`Metadata::store`].
    pub fn store(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let random = RandomState::new().build_hasher().finish() >> 1;
        let temporary = dir.join(format!("{METADATA_FILE}.{random}.tmp"));
        let stored = store_by(disk, dir, &temporary, &self.encode());
        if stored.is_err() && disk.remove_file(&temporary).is_err() {
            // The next start removes it, if it was created at all.
        }
        stored
    }
}

fn encode(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(value).expect("names, flags and texts can always be written")
}

impl TopicMeta {
    /// Adds what another mention of the same topic says. A pause is never taken back.
    fn merge(&mut self, read: ReadTopic, warnings: &mut Vec<String>) {
        self.paused |= read.paused;
        let known = self.channels.iter().enumerate();
        let mut places: HashMap<_, _> = known.map(|(i, c)| (c.name.clone(), i)).collect();
        for Lenient(read) in read.channels {
            let Ok(name) = ChannelName::parse(read.name.as_bytes()) else {
                warnings.push(format!("skipping creation of invalid channel {}", read.name));
                continue;
            };
            let place = *places.entry(name.clone()).or_insert(self.channels.len());
            if place == self.channels.len() {
                self.channels.push(ChannelMeta { name, paused: false });
            }
            self.channels[place].paused |= read.paused;
        }
    }
}

/// None when there is no file.
fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.length()?;
    if length > MAX_METADATA_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than a gigabyte"));
    }
    let mut contents = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let count = file.read_at(&mut contents, 0)?;
    contents.truncate(count);
    Ok(Some(contents))
}

fn store_by(disk: &dyn Disk, dir: &Path, temporary: &Path, contents: &[u8]) -> io::Result<()> {
    let file = disk.create(temporary)?;
    file.write_all_at(&mut [IoSlice::new(contents)], 0)?;
    file.sync()?;
    disk.rename(temporary, &dir.join(METADATA_FILE))?;
    disk.sync_dir(dir)
}

fn remove_leftovers(disk: &dyn Disk, dir: &Path, warnings: &mut Vec<String>) {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) => {
            warnings.push(format!("failed to list {} - {error}", dir.display()));
            return;
        }
    };
    for path in names.iter().filter(|name| is_leftover(name)).map(|name| dir.join(name)) {
        if let Err(error) = disk.remove_file(&path) {
            warnings.push(format!("failed to remove {} - {error}", path.display()));
        }
    }
}

/// True for `nsqd.dat.<n>.tmp`, ours and Go NSQ's.
fn is_leftover(name: &Path) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix(METADATA_FILE)?.strip_prefix('.'));
    name.and_then(|rest| rest.strip_suffix(".tmp"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[derive(Serialize)]
struct WrittenTopic<'a> {
    name: &'a str,
    paused: bool,
    channels: Option<Vec<WrittenChannel<'a>>>,
}

#[derive(Serialize)]
struct WrittenChannel<'a> {
    name: &'a str,
    paused: bool,
}

impl<'a> WrittenTopic<'a> {
    fn new(topic: &'a TopicMeta) -> Self {
        let written = topic.channels.iter().filter(|channel| !channel.name.is_ephemeral());
        let mut channels: Vec<_> =
            written.map(|c| WrittenChannel { name: c.name.as_str(), paused: c.paused }).collect();
        channels.sort_unstable_by_key(|channel| channel.name);
        let channels = (!channels.is_empty()).then_some(channels);
        Self { name: topic.name.as_str(), paused: topic.paused, channels }
    }
}

/// An object as Go's decoder reads it.
struct Lenient<T>(T);

trait Fields: Default {
    /// Takes the value of `key`; false when there is no such field, and nothing was taken.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>;
}

impl<'de, T: Fields> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(T::default()))
    }
}

struct ObjectVisitor<T>(T);

impl<'de, T: Fields> Visitor<'de> for ObjectVisitor<T> {
    type Value = Lenient<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Lenient(self.0))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if !self.0.take(&key.to_ascii_lowercase(), &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Lenient(self.0))
    }
}

/// Leaves `field` as it is when the value is `null`.
fn take_value<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    field: &mut T,
    map: &mut A,
) -> Result<bool, A::Error> {
    if let Some(value) = map.next_value::<Option<T>>()? {
        *field = value;
    }
    Ok(true)
}

#[derive(Default)]
struct ReadFile {
    topics: Vec<Lenient<ReadTopic>>,
    version: String,
}

impl Fields for ReadFile {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "topics" => take_value(&mut self.topics, map),
            "version" => take_value(&mut self.version, map),
            _ => Ok(false),
        }
    }
}

#[derive(Default)]
struct ReadTopic {
    name: String,
    paused: bool,
    channels: Vec<Lenient<ReadChannel>>,
}

impl Fields for ReadTopic {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => take_value(&mut self.name, map),
            "paused" => take_value(&mut self.paused, map),
            "channels" => take_value(&mut self.channels, map),
            _ => Ok(false),
        }
    }
}

#[derive(Default)]
struct ReadChannel {
    name: String,
    paused: bool,
}

impl Fields for ReadChannel {
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "name" => take_value(&mut self.name, map),
            "paused" => take_value(&mut self.paused, map),
            _ => Ok(false),
        }
    }
}
