//! One daemon per data directory.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

use crate::disk::system_text;

/// The lock of a data directory, held until it is dropped or the process ends.
///
/// As in Go NSQ it is a `flock` of the directory itself, so that the two daemons exclude each
/// other; there is no lock file.
#[derive(Debug)]
pub struct DirLock {
    _dir: File,
}

/// Why a data directory could not be locked; the texts are nsqd's.
#[derive(Debug, Error)]
pub enum LockError {
    /// It cannot be opened, most often because it does not exist.
    #[error("failed to lock data-path: open {}: {}", path.display(), system_text(source))]
    Open {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be locked, most often because a daemon runs on it.
    #[error(
        "failed to lock data-path: cannot flock directory {} - {} \
         (possibly in use by another instance of nsqd)",
        path.display(), system_text(source)
    )]
    Flock {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl DirLock {
    /// Locks the directory at `path`, at once or not at all. A file at `path` is locked as well,
    /// which is no success: reading the data directory then fails.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let path_buf = || path.to_path_buf();
        let dir =
            File::open(path).map_err(|source| LockError::Open { path: path_buf(), source })?;
        flock(&dir, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| LockError::Flock { path: path_buf(), source: errno.into() })?;
        Ok(Self { _dir: dir })
    }
}
