//! A disk that fails on request and forgets what was not synced.
//!
//! It lives in memory and keeps two truths: what a running system reads back (`cached`), and what
//! a power cut leaves (`durable` plus a random part of the changes since the last sync). Contents
//! become durable by [`DiskFile::sync`], names by [`Disk::sync_dir`] of the directory above them.
//!
//! After [`FaultyDisk::kill`] or [`FaultyDisk::power_cut`] all open handles, and whatever
//! [`FaultyDisk::shared`] gave out, are dead: they belong to a process that is gone, even if some
//! thread of it still runs. Opening the paths again is the next start.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nsq_store::disk::{Disk, DiskFile, Space};
use parking_lot::{Mutex, MutexGuard};

use crate::tree::{Change, FileId, Tree};

/// A disk in memory; clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Mutex<State>>);

/// What a call does; the unit of counting and of [`FaultyDisk::fail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`Disk::open`].
    Open,
    /// [`Disk::create`].
    Create,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove_file`].
    RemoveFile,
    /// [`Disk::remove_dir_all`].
    RemoveDir,
    /// [`Disk::create_dir_all`].
    CreateDir,
    /// [`Disk::list`].
    List,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`DiskFile::read_at`] and [`DiskFile::length`].
    Read,
    /// [`DiskFile::write_all_at`].
    Write,
    /// [`DiskFile::sync`].
    Sync,
    /// [`DiskFile::set_length`].
    SetLength,
}

impl Operation {
    const COUNT: usize = Self::SetLength as usize + 1;

    /// True for what can leave a trace on the disk.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::List | Self::Read)
    }
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The error the caller gets; `ErrorKind::StorageFull` is what ENOSPC is turned into.
    pub kind: io::ErrorKind,
    /// Of a write: so many bytes of it reach the file all the same.
    pub torn_bytes: usize,
}

impl Fault {
    /// Fails with `kind` and changes nothing.
    pub const fn clean(kind: io::ErrorKind) -> Self {
        Self { kind, torn_bytes: 0 }
    }
}

#[derive(Debug, Default)]
struct State {
    tree: Tree,
    /// Changes with every crash: handles of an older one are dead.
    life: u64,
    counts: [u64; Operation::COUNT],
    bytes_written: u64,
    faults: Vec<(Operation, u64, Fault)>,
    capacity_bytes: Option<u64>,
    sync_time: Duration,
    /// Changing operations that still work, and what happens to the write that does not.
    stop: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
struct Stop {
    operations_left: u64,
    torn_bytes: usize,
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with one durable directory.
    pub fn with_dir(path: impl AsRef<Path>) -> Self {
        let disk = Self::new();
        disk.0.lock().tree.put_dir(path.as_ref());
        disk
    }

    /// The disk as a process sees it, until that process is gone.
    pub fn shared(&self) -> Arc<dyn Disk> {
        let life = Some(self.0.lock().life);
        Arc::new(Mount { disk: self.clone(), life })
    }

    /// Fails the `nth` operation of this kind from now (1 is the next), once.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        assert!(nth >= 1, "the next operation is number 1");
        let mut state = self.0.lock();
        let at = state.counts[operation as usize] + nth;
        state.faults.push((operation, at, fault));
    }

    /// Takes back all faults and the stop.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        state.faults.clear();
        state.stop = None;
    }

    /// Lets so many changing operations work; everything behind them fails, reads as well, until
    /// a crash or [`Self::heal`]. If the first that fails is a write, `torn_bytes` of it arrive.
    pub fn stop_after(&self, operations: u64, torn_bytes: usize) {
        self.0.lock().stop = Some(Stop { operations_left: operations, torn_bytes });
    }

    /// Whether the last operation that [`Self::stop_after`] allows was made.
    pub fn has_stopped(&self) -> bool {
        self.0.lock().stop.is_some_and(|stop| stop.operations_left == 0)
    }

    /// Bounds the sum of all file lengths; a write beyond it is torn and fails. None: no bound.
    pub fn limit(&self, capacity_bytes: Option<u64>) {
        self.0.lock().capacity_bytes = capacity_bytes;
    }

    /// From now on syncing a file takes so long. What is written meanwhile is not covered by it.
    pub fn sync_takes(&self, time: Duration) {
        self.0.lock().sync_time = time;
    }

    /// Kill -9: the process is gone, what it wrote stays.
    pub fn kill(&self) {
        let mut state = self.0.lock();
        state.life += 1;
        state.faults.clear();
        state.stop = None;
    }

    /// Power cut: what was synced stays; every change since was kept, lost or torn as the seed
    /// decides, and of the unsynced names of a directory the first few are kept.
    pub fn power_cut(&self, seed: u64) {
        self.kill();
        self.0.lock().tree.power_cut(seed);
    }

    /// From now on names are durable at once, as if every directory were always synced.
    pub fn keep_names(&self) {
        self.0.lock().tree.keep_names();
    }

    /// How often this operation was called, failed calls included.
    pub fn count(&self, operation: Operation) -> u64 {
        self.0.lock().counts[operation as usize]
    }

    /// How often the disk was asked to change, failed calls included: the bound for
    /// [`Self::stop_after`] in a test that crashes at every point.
    pub fn changes(&self) -> u64 {
        let counts = self.0.lock().counts;
        ALL.into_iter().filter(|o| o.changes()).map(|o| counts[o as usize]).sum()
    }

    /// Bytes that all writes brought to the files.
    pub fn bytes_written(&self) -> u64 {
        self.0.lock().bytes_written
    }

    /// The sum of all file lengths.
    pub fn used_bytes(&self) -> u64 {
        self.0.lock().tree.used_bytes()
    }

    /// All files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().tree.paths()
    }

    /// What a reader sees in a file now.
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        self.0.lock().tree.contents(path.as_ref())
    }

    /// Puts a file (and the directories above it) there, durable.
    pub fn put(&self, path: impl AsRef<Path>, contents: &[u8]) {
        self.0.lock().tree.put(path.as_ref(), contents);
    }

    /// Changes the contents of a file behind the store's back, durable.
    pub fn edit(&self, path: impl AsRef<Path>, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock();
        let mut contents = state.tree.contents(path.as_ref()).expect("the file to edit exists");
        edit(&mut contents);
        state.tree.put(path.as_ref(), &contents);
    }

    /// Removes a file behind the store's back, durable.
    pub fn lose(&self, path: impl AsRef<Path>) {
        self.0.lock().tree.lose(path.as_ref());
    }

    /// A second disk with the same contents and no faults, to try another crash on.
    pub fn copy(&self) -> Self {
        let state = self.0.lock();
        let tree = state.tree.clone();
        let capacity_bytes = state.capacity_bytes;
        Self(Arc::new(Mutex::new(State { tree, capacity_bytes, ..State::default() })))
    }

    /// The disk for whoever comes, before and after a crash.
    fn any_life(&self) -> Mount {
        Mount { disk: self.clone(), life: None }
    }

    fn handle(&self, state: &State, id: FileId) -> Arc<dyn DiskFile> {
        Arc::new(Handle { disk: self.clone(), id, life: state.life })
    }
}

const ALL: [Operation; Operation::COUNT] = [
    Operation::Open,
    Operation::Create,
    Operation::Rename,
    Operation::RemoveFile,
    Operation::RemoveDir,
    Operation::CreateDir,
    Operation::List,
    Operation::SyncDir,
    Operation::Read,
    Operation::Write,
    Operation::Sync,
    Operation::SetLength,
];

impl State {
    /// Counts the operation and says how it fails, if it does.
    fn admit(&mut self, operation: Operation) -> Option<Fault> {
        let count = &mut self.counts[operation as usize];
        *count += 1;
        let planned = self.faults.iter().position(|(o, at, _)| *o == operation && at == count);
        if let Some(index) = planned {
            return Some(self.faults.swap_remove(index).2);
        }
        let stop = self.stop.as_mut()?;
        if stop.operations_left > 0 {
            stop.operations_left -= u64::from(operation.changes());
            return None;
        }
        let torn_bytes = if operation == Operation::Write { stop.torn_bytes } else { 0 };
        stop.torn_bytes = if operation.changes() { 0 } else { stop.torn_bytes };
        Some(Fault { kind: io::ErrorKind::Other, torn_bytes })
    }

    fn write(&mut self, id: FileId, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.bytes_written += bytes.len() as u64;
            self.tree.change(id, Change::Write { offset, bytes: bytes.to_vec() });
        }
    }

    /// How many of `length` bytes at `offset` fit on the disk.
    fn room(&self, id: FileId, offset: u64, length: usize) -> usize {
        let Some(capacity_bytes) = self.capacity_bytes else { return length };
        let file_bytes = self.tree.length(id);
        let free = capacity_bytes.saturating_sub(self.tree.used_bytes());
        let limit = file_bytes.saturating_add(free).saturating_sub(offset);
        length.min(usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.any_life().open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.any_life().create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.any_life().rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.any_life().remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.any_life().remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.any_life().create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.any_life().list(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.any_life().sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.any_life().space(path)
    }
}

/// The disk as one process sees it, or with `None` as anybody does.
#[derive(Debug)]
struct Mount {
    disk: FaultyDisk,
    life: Option<u64>,
}

impl Mount {
    fn begin(&self, operation: Operation) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.0.lock();
        if self.life.is_some_and(|life| life != state.life) {
            return Err(io::Error::other("a process used the disk after its end"));
        }
        match state.admit(operation) {
            None => Ok(state),
            Some(fault) => Err(fault.kind.into()),
        }
    }
}

impl Disk for Mount {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.begin(Operation::Open)?;
        let id = state.tree.find(path)?;
        Ok(self.disk.handle(&state, id))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.begin(Operation::Create)?;
        let id = state.tree.create(path)?;
        Ok(self.disk.handle(&state, id))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.begin(Operation::Rename)?.tree.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::RemoveFile)?.tree.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::RemoveDir)?.tree.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::CreateDir)?.tree.create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.begin(Operation::List)?.tree.list(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.begin(Operation::SyncDir)?.tree.sync_dir(path)
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        let state = self.disk.0.lock();
        let total = state.capacity_bytes.unwrap_or(u64::MAX);
        Ok(Space { free: total.saturating_sub(state.tree.used_bytes()), total })
    }
}

#[derive(Debug)]
struct Handle {
    disk: FaultyDisk,
    id: FileId,
    life: u64,
}

impl Handle {
    /// An error for a handle of a process that is gone.
    fn check(&self, state: &State) -> io::Result<()> {
        if state.life == self.life {
            return Ok(());
        }
        Err(io::Error::other("a handle from before the crash was used"))
    }

    fn begin(&self, operation: Operation) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.disk.0.lock();
        self.check(&state)?;
        match state.admit(operation) {
            None => Ok(state),
            Some(fault) => Err(fault.kind.into()),
        }
    }
}

impl DiskFile for Handle {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(self.begin(Operation::Read)?.tree.read(self.id, buffer, offset))
    }

    fn write_all_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut state = self.disk.0.lock();
        self.check(&state)?;
        if let Some(fault) = state.admit(Operation::Write) {
            let torn_bytes = fault.torn_bytes.min(bytes.len());
            state.write(self.id, offset, &bytes[..torn_bytes]);
            return Err(fault.kind.into());
        }
        let room = state.room(self.id, offset, bytes.len());
        state.write(self.id, offset, &bytes[..room]);
        if room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        self.check(&state)?;
        if let Some(fault) = state.admit(Operation::Sync) {
            // As on Linux: the kernel gives up on what it could not write and calls it clean, so
            // a later sync that succeeds says nothing about it.
            state.tree.give_up(self.id);
            return Err(fault.kind.into());
        }
        if state.sync_time.is_zero() {
            state.tree.sync(self.id);
            return Ok(());
        }
        let covered = state.tree.changes_so_far(self.id);
        let sync_time = state.sync_time;
        drop(state);
        std::thread::sleep(sync_time);
        let mut state = self.disk.0.lock();
        self.check(&state)?;
        state.tree.sync_up_to(self.id, covered);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.begin(Operation::Read)?.tree.length(self.id))
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut state = self.begin(Operation::SetLength)?;
        let room = usize::try_from(length).expect("a file of a test fits into memory");
        if length > state.tree.length(self.id) && state.room(self.id, 0, room) < room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.tree.change(self.id, Change::SetLength(length));
        Ok(())
    }
}
