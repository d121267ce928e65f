//! Moving a finished file to its final name, where it is seen whole or not at all, and never in
//! place of another one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::directory;

/// How many copies that were never finished there may be of one file.
const MAX_COPIES: u32 = 1000;

/// Moves a synced file, if need be into another file system.
///
/// # Errors
///
/// With [`io::ErrorKind::AlreadyExists`] if there is a file of that name, and with all others:
/// nothing has happened then, but for the file perhaps having both names.
pub(super) fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match place(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => copy(from, to),
        placed => placed,
    }
}

/// Moves inside a file system.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    use io::ErrorKind::{AlreadyExists, CrossesDevices, NotFound};

    match fs::hard_link(from, to) {
        Ok(()) => {
            // In this order: a power failure may leave two names, but not none.
            directory::sync(directory::of(to))?;
            fs::remove_file(from)?;
        }
        Err(error) if [AlreadyExists, CrossesDevices, NotFound].contains(&error.kind()) => {
            return Err(error);
        }
        // There are file systems without hard links, and links that only owners may make.
        Err(_) => {
            renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
            directory::sync(directory::of(to))?;
        }
    }
    directory::sync(directory::of(from))
}

/// Moves between file systems. The copy gets its name when it is complete.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let (mut copy, path) = create_beside(to)?;
    let copied = io::copy(&mut File::open(from)?, &mut copy).and_then(|_| copy.sync_all());
    if let Err(error) = copied.and_then(|()| place(&path, to)) {
        if fs::remove_file(&path).is_err() {
            // The first error says more, and the original is still there.
        }
        return Err(error);
    }
    fs::remove_file(from)?;
    directory::sync(directory::of(from))
}

/// A new file that no pattern for log files finds. One that is there already may be another
/// process's, or even have become the final file, if the process was killed at the right moment:
/// it is left alone.
fn create_beside(to: &Path) -> io::Result<(File, PathBuf)> {
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for number in 0..MAX_COPIES {
        let path = to.with_file_name(format!(".{name}.moving-{number}"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return Ok((created?, path)),
        }
    }
    Err(io::Error::other(format!("{MAX_COPIES} unfinished copies beside {}", to.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tempfile::TempDir;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }

    /// Moves between the directories, then finds the name taken.
    fn check(from: &Path, to: &Path) {
        fs::write(from.join("a"), "text").expect("room");
        move_file(&from.join("a"), &to.join("b")).expect("nothing is in the way");
        assert_eq!(fs::read_to_string(to.join("b")).expect("it is there"), "text");
        assert!(names(from).is_empty());
        fs::write(from.join("a"), "other").expect("room");
        let error = move_file(&from.join("a"), &to.join("b")).expect_err("there is one");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(to.join("b")).expect("it is there"), "text");
        assert_eq!((names(from), names(to)), (vec!["a".to_owned()], vec!["b".to_owned()]));
    }

    #[test]
    fn inside_a_file_system() {
        let home = TempDir::new().expect("a directory");
        let (from, to) = (home.path().join("work"), home.path().join("out"));
        directory::create_all(&from).expect("room");
        directory::create_all(&to).expect("room");
        check(&from, &to);
    }

    /// `/dev/shm` is a file system of its own wherever there are containers or desktops.
    #[test]
    fn between_file_systems() {
        let (from, to) = (TempDir::new_in("/dev/shm"), TempDir::new_in("/var/tmp"));
        let (from, to) = (from.expect("a directory"), to.expect("a directory"));
        let device = |directory: &TempDir| directory.path().metadata().expect("it is there").dev();
        assert_ne!(device(&from), device(&to), "this needs two file systems");
        check(from.path(), to.path());
    }

    #[test]
    fn copies_that_were_not_finished_are_left_alone() {
        let home = TempDir::new().expect("a directory");
        fs::write(home.path().join(".a.moving-0"), "x").expect("room");
        let (_, path) = create_beside(&home.path().join("a")).expect("room");
        assert_eq!(path, home.path().join(".a.moving-1"));
        fs::write(home.path().join("s"), "text").expect("room");
        copy(&home.path().join("s"), &home.path().join("a")).expect("nothing is in the way");
        assert_eq!(names(home.path()), [".a.moving-0", ".a.moving-1", "a"]);
    }
}
