//! Files of finished segments, kept to be written again.
//!
//! Overwriting pages that the page cache holds already is much cheaper than having the file system
//! allocate new ones.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::Disk;

/// How many files are kept.
const MAX_SPARES: usize = 8;
const SUFFIX: &str = ".spare";

/// The spare files of a data directory.
#[derive(Debug)]
pub(crate) struct Spares {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Shorter files are not worth keeping, in bytes.
    min_bytes: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    paths: Vec<PathBuf>,
    next: u64,
    directory_exists: bool,
}

impl Spares {
    /// Takes over what an earlier run of the daemon left in `directory`.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        min_bytes: u64,
    ) -> io::Result<Self> {
        let mut kept = Kept::default();
        for name in disk.list(&directory)? {
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            let Some(number): Option<u64> = number else {
                continue;
            };
            kept.next = kept.next.max(number.saturating_add(1));
            let path = directory.join(&name);
            if kept.paths.len() < MAX_SPARES && disk.open(&path)?.length()? >= min_bytes {
                kept.paths.push(path);
            } else {
                disk.remove_file(&path)?;
            }
        }
        Ok(Self { disk, directory, min_bytes, kept: Mutex::new(kept) })
    }

    /// Takes the file at `path`, of this many bytes, out of a log: it is kept or removed.
    pub(crate) fn give(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let mut kept = self.kept.lock();
        if bytes < self.min_bytes || kept.paths.len() >= MAX_SPARES {
            drop(kept);
            return self.disk.remove_file(path);
        }
        if !kept.directory_exists {
            self.disk.create_dir_all(&self.directory)?;
            kept.directory_exists = true;
        }
        let spare = self.directory.join(format!("{}{SUFFIX}", kept.next));
        kept.next += 1;
        self.disk.rename(path, &spare)?;
        kept.paths.push(spare);
        Ok(())
    }

    /// Makes what came and went survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        match self.disk.sync_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }

    /// Moves a spare file to `path`; false when there is none.
    pub(crate) fn take(&self, path: &Path) -> bool {
        let mut kept = self.kept.lock();
        // A spare that cannot be had is none: a new file does as well, and says what is wrong.
        while let Some(spare) = kept.paths.pop() {
            if self.disk.rename(&spare, path).is_ok() {
                return true;
            }
        }
        false
    }
}
