//! Open files, as many as the process may have: the one used longest ago is closed.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile};

/// Names a segment file: a log of this process, and the segment's number. Neither is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileKey {
    pub(crate) log: u64,
    pub(crate) segment: u64,
}

/// The open files of all logs. A file in use stays open until its user is done with it, so the
/// number may be exceeded by as many as there are concurrent readers.
#[derive(Debug)]
pub(crate) struct Handles {
    disk: Arc<dyn Disk>,
    capacity: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    files: HashMap<FileKey, Slot>,
    /// Counts uses.
    uses: u64,
}

#[derive(Debug)]
struct Slot {
    file: Arc<dyn DiskFile>,
    last_use: u64,
}

impl Handles {
    /// Keeps at most `capacity` files open, at least one.
    pub(crate) fn new(disk: Arc<dyn Disk>, capacity: usize) -> Self {
        Self { disk, capacity: capacity.max(1), open: Mutex::default() }
    }

    /// The file called `key`, opened at `path` unless it is open.
    pub(crate) fn open(
        &self,
        key: FileKey,
        path: impl FnOnce() -> PathBuf,
    ) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.open.lock().find(key) {
            return Ok(file);
        }
        // Opening may take long and others must not wait. Two may open the same file: harmless.
        let file = self.disk.open(&path())?;
        self.insert(key, Arc::clone(&file));
        Ok(file)
    }

    /// Adds a file that was opened elsewhere.
    pub(crate) fn insert(&self, key: FileKey, file: Arc<dyn DiskFile>) {
        let replaced = {
            let mut open = self.open.lock();
            let oldest = open.make_room(self.capacity);
            let last_use = open.uses;
            (oldest, open.files.insert(key, Slot { file, last_use }))
        };
        // Closing may take long: not under the lock.
        drop(replaced);
    }

    /// Closes a file that is no longer part of the log.
    pub(crate) fn forget(&self, key: FileKey) {
        let closed = self.open.lock().files.remove(&key);
        drop(closed);
    }

    /// Closes all files of a log.
    pub(crate) fn forget_log(&self, log: u64) {
        self.open.lock().files.retain(|key, _| key.log != log);
    }
}

impl Open {
    fn find(&mut self, key: FileKey) -> Option<Arc<dyn DiskFile>> {
        self.uses += 1;
        let slot = self.files.get_mut(&key)?;
        slot.last_use = self.uses;
        Some(Arc::clone(&slot.file))
    }

    fn make_room(&mut self, capacity: usize) -> Option<Slot> {
        if self.files.len() < capacity {
            return None;
        }
        let oldest = self.files.iter().min_by_key(|(_, slot)| slot.last_use)?;
        let key = *oldest.0;
        self.files.remove(&key)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::disk::OsDisk;

    #[test]
    fn the_file_used_longest_ago_is_closed() {
        let directory = tempfile::tempdir().unwrap();
        let handles = Handles::new(Arc::new(OsDisk), 2);
        let open = |segment: u64| {
            let path = directory.path().join(segment.to_string());
            fs::write(&path, "").unwrap();
            let file = handles.open(FileKey { log: 0, segment }, || path).unwrap();
            Arc::downgrade(&file)
        };
        let first = open(1);
        let second = open(2);
        open(1);
        let third = open(3);
        let is_open = [&first, &second, &third].map(|file| file.strong_count() > 0);
        assert_eq!(is_open, [true, false, true]);
        handles.forget(FileKey { log: 0, segment: 1 });
        assert_eq!((first.strong_count(), third.strong_count()), (0, 1));
        handles.forget_log(0);
        assert_eq!(third.strong_count(), 0);
    }
}
