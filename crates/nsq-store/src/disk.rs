//! The file system, as much of it as the store uses: so that tests can take it away.
//!
//! Everything the store keeps goes through [`Disk`]. The real one is [`OsDisk`]; tests put a disk
//! in its place that fails, fills up, tears writes or forgets what was not synced.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory tree that files are kept in.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Opens `path` for reading and writing; it must exist.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Creates `path`, which must not exist, for reading and writing (mode 0600).
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames within the tree, replacing `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with everything in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Creates a directory and those above it; not an error when it exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, in no order; empty when it does not exist.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes the names in a directory survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// How much room there is where `path` is.
    fn space(&self, path: &Path) -> io::Result<Space>;
}

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// What there is altogether.
    pub total: u64,
}

/// An open file. All positions are explicit: one handle serves readers and the writer.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads into `buffer` from `offset`; fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `slices`, one behind the other, from `offset`; in one system call where the
    /// kernel takes it in one. After an error any part may have been written.
    fn write_all_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// Makes the content (and the length) survive a power cut.
    fn sync(&self) -> io::Result<()>;
    /// The length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Cuts or extends the file to `length` bytes.
    fn set_length(&self, length: u64) -> io::Result<()>;
}

/// The text of a system error as Go writes it: in lower case, without the number.
pub fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// The real file system.
#[derive(Debug, Default)]
pub struct OsDisk;

impl Disk for OsDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OpenOptions::new().read(true).write(true).open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok(Arc::new(options.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(path) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name().into())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let figures = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(figures.f_frsize);
        Ok(Space { free: bytes(figures.f_bavail), total: bytes(figures.f_blocks) })
    }
}

impl DiskFile for File {
    fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
        let mut total = 0;
        while !buffer.is_empty() {
            match FileExt::read_at(self, buffer, offset) {
                Ok(0) => break,
                Ok(count) => {
                    total += count;
                    offset += count as u64;
                    buffer = &mut buffer[count..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn write_all_at(&self, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match rustix::io::pwritev(self, slices, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    offset += count as u64;
                    IoSlice::advance_slices(&mut slices, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
