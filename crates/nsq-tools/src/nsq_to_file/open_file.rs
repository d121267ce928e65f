//! The file that is being written: lines, or lines in gzip members.
//!
//! ```text
//! plain  body \n body \n …
//! gzip   member(body \n body \n …) member(…) …    one member from sync to sync
//! ```
//!
//! A member has a checksum at its end. What a killed process leaves behind so has all synced
//! messages in whole members, and at most one torn member behind them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::directory;

/// So much is gathered before it is written.
const BUFFER_BYTES: usize = 64 << 10;

/// An open file, with what is not written yet.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    file: File,
    encoding: Encoding,
    /// What the file had when it was opened.
    found_bytes: u64,
    /// Whether it has anything now.
    is_empty: bool,
}

/// Boxed, for it is large.
type Member = Box<GzEncoder<Vec<u8>>>;

#[derive(Debug)]
enum Encoding {
    Plain(Vec<u8>),
    Gzip { level: Compression, member: Option<Member> },
}

impl OpenFile {
    /// Creates a file. `gzip_level` is for compressing it.
    ///
    /// # Errors
    ///
    /// With [`io::ErrorKind::AlreadyExists`] if it is there already, and with all others.
    pub(super) fn create(path: &Path, gzip_level: Option<u32>) -> io::Result<Self> {
        Self::of(path, File::create_new(path)?, Encoding::new(gzip_level))
    }

    /// Goes on with a plain file, or creates it. A last line without its end is a message that a
    /// killed process could not finish: it is ended, so that the next message has its own line.
    pub(super) fn append(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut opened = Self::of(path, file, Encoding::new(None))?;
        let mut last = [b'\n'];
        if let Some(at) = opened.found_bytes.checked_sub(1) {
            opened.file.read_exact_at(&mut last, at)?;
        }
        if last != [b'\n'] {
            opened.file.write_all(b"\n")?;
        }
        Ok(opened)
    }

    fn of(path: &Path, file: File, encoding: Encoding) -> io::Result<Self> {
        directory::sync(directory::of(path))?;
        let found_bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, encoding, found_bytes, is_empty: found_bytes == 0 })
    }

    /// Adds a message as a line. It may be in memory until [`Self::flush`].
    pub(super) fn write(&mut self, body: &[u8]) -> io::Result<()> {
        match &mut self.encoding {
            Encoding::Plain(buffer) => {
                buffer.extend_from_slice(body);
                buffer.push(b'\n');
            }
            Encoding::Gzip { level, member } => {
                let member = member.get_or_insert_with(|| begin_member(*level));
                member.write_all(body)?;
                member.write_all(b"\n")?;
            }
        }
        let is_full = self.encoding.output().is_some_and(|output| output.len() >= BUFFER_BYTES);
        if is_full { self.flush() } else { Ok(()) }
    }

    /// Gives what was written to the system. A gzip member may keep the end of it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(output) = self.encoding.output()
            && !output.is_empty()
        {
            self.file.write_all(output)?;
            output.clear();
            self.is_empty = false;
        }
        Ok(())
    }

    /// Everything that was written is on the disk, in complete members.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Encoding::Gzip { member, .. } = &mut self.encoding
            && let Some(member) = member.take()
        {
            self.file.write_all(&member.finish()?)?;
            self.is_empty = false;
        }
        self.file.sync_all()
    }

    /// Syncs for the last time.
    pub(super) fn close(mut self) -> io::Result<PathBuf> {
        if let Encoding::Gzip { level, member } = &mut self.encoding
            && self.is_empty
        {
            // A file of nothing is no gzip file; a member of nothing is one.
            member.get_or_insert_with(|| begin_member(*level));
        }
        self.sync()?;
        Ok(self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes there were when it was opened.
    pub(super) fn found_bytes(&self) -> u64 {
        self.found_bytes
    }
}

impl Encoding {
    fn new(gzip_level: Option<u32>) -> Self {
        match gzip_level {
            None => Self::Plain(Vec::new()),
            Some(level) => Self::Gzip { level: Compression::new(level), member: None },
        }
    }

    /// What can be written.
    fn output(&mut self) -> Option<&mut Vec<u8>> {
        match self {
            Self::Plain(buffer) => Some(buffer),
            Self::Gzip { member, .. } => member.as_mut().map(|member| member.get_mut()),
        }
    }
}

fn begin_member(level: Compression) -> Member {
    Box::new(GzEncoder::new(Vec::new(), level))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;

    use flate2::read::{GzDecoder, MultiGzDecoder};
    use tempfile::TempDir;

    use super::*;

    fn home() -> (TempDir, PathBuf) {
        let home = TempDir::new().expect("a directory");
        let path = home.path().join("a");
        (home, path)
    }

    fn unzipped(bytes: &[u8]) -> String {
        let mut text = String::new();
        MultiGzDecoder::new(bytes).read_to_string(&mut text).expect("complete members");
        text
    }

    #[test]
    fn plain_files_are_gone_on_with() {
        let (_home, path) = home();
        for (body, found) in [("first", 0), ("second", 6)] {
            let mut file = OpenFile::append(&path).expect("room");
            assert_eq!(file.found_bytes(), found);
            file.write(body.as_bytes()).expect("room");
            assert_eq!(file.close().expect("room"), path);
        }
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "first\nsecond\n");
        let again = OpenFile::create(&path, None).expect_err("it is there");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_torn_line_does_not_swallow_the_next_message() {
        let (_home, path) = home();
        fs::write(&path, "whole\nto").expect("room");
        let mut file = OpenFile::append(&path).expect("room");
        file.write(b"next").expect("room");
        file.close().expect("room");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "whole\nto\nnext\n");
    }

    #[test]
    fn every_sync_ends_a_member() {
        let (_home, path) = home();
        let mut file = OpenFile::create(&path, Some(6)).expect("room");
        file.sync().expect("room");
        assert_eq!(fs::read(&path).expect("it is there"), b"", "a member of nothing");
        let mut lengths = vec![0];
        for count in 1..=3 {
            (0..count).for_each(|_| file.write(b"body").expect("room"));
            file.sync().expect("room");
            let bytes = fs::read(&path).expect("it is there");
            assert_eq!(unzipped(&bytes), "body\n".repeat((1..=count).sum()));
            let mut first = String::new();
            let member = bytes.get(lengths[lengths.len() - 1]..).expect("it grew");
            GzDecoder::new(member).read_to_string(&mut first).expect("a whole member");
            assert_eq!(first, "body\n".repeat(count));
            lengths.push(bytes.len());
        }
        file.close().expect("room");
        assert_eq!(fs::read(&path).expect("it is there").len(), lengths[3]);
    }

    #[test]
    fn a_kill_leaves_whole_members_of_what_was_synced() {
        let (_home, path) = home();
        let mut file = OpenFile::create(&path, Some(1)).expect("room");
        file.write(b"synced").expect("room");
        file.sync().expect("room");
        let synced = fs::read(&path).expect("it is there").len();
        let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        file.write(&body).expect("room");
        file.flush().expect("room");
        drop(file);
        let bytes = fs::read(&path).expect("it is there");
        assert!(bytes.len() > synced, "a part of the next member is there");
        assert_eq!(unzipped(&bytes[..synced]), "synced\n");
    }

    #[test]
    fn an_empty_gzip_file_can_be_unzipped() {
        let (_home, path) = home();
        OpenFile::create(&path, Some(9)).expect("room").close().expect("room");
        assert_eq!(unzipped(&fs::read(&path).expect("it is there")), "");
        assert!(path.metadata().expect("it is there").len() > 0);
    }
}
