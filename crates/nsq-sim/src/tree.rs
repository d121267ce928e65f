//! Files and names with what of them would survive a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::seed::Seed;

pub(crate) type FileId = u64;

/// A change to the contents of a file.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

/// The contents of a file, whatever its name.
#[derive(Clone, Debug, Default)]
struct Contents {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// What came since the last sync, in order.
    unsynced: Vec<Change>,
    /// How many changes came before that.
    settled: u64,
}

/// A change to a directory.
#[derive(Clone, Debug)]
enum NameChange {
    Link(PathBuf, FileId),
    Unlink(PathBuf),
    /// A directory with everything in it has the second name instead of the first.
    Rename(PathBuf, PathBuf),
    /// The file with this id has this name, and no other any more.
    Move(PathBuf, FileId),
    MakeDir(PathBuf),
    RemoveDir(PathBuf),
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, FileId>,
    dirs: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    contents: BTreeMap<FileId, Contents>,
    cached: Names,
    durable: Names,
    /// Numbered as they came.
    unsynced: Vec<(u64, NameChange)>,
    next_change: u64,
    names_kept: bool,
    next_id: FileId,
}

impl Tree {
    pub(crate) fn keep_names(&mut self) {
        self.names_kept = true;
        self.durable = self.cached.clone();
        self.unsynced.clear();
    }

    pub(crate) fn create(&mut self, path: &Path) -> io::Result<FileId> {
        self.require_dir(path)?;
        if self.cached.files.contains_key(path) || self.cached.has_dir(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let id = self.new_file();
        self.rename_change(NameChange::Link(path.into(), id));
        Ok(id)
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.require_dir(to)?;
        let change = match self.cached.files.get(from) {
            Some(&id) => NameChange::Move(to.into(), id),
            None if self.cached.dirs.contains(from) => NameChange::Rename(from.into(), to.into()),
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        self.rename_change(change);
        Ok(())
    }

    pub(crate) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.find(path)?;
        self.rename_change(NameChange::Unlink(path.into()));
        Ok(())
    }

    pub(crate) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        if !self.cached.has_dir(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.rename_change(NameChange::RemoveDir(path.into()));
        Ok(())
    }

    pub(crate) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut missing: Vec<PathBuf> = path
            .ancestors()
            .filter(|dir| !dir.as_os_str().is_empty() && !self.cached.has_dir(dir))
            .map(Path::to_path_buf)
            .collect();
        missing.reverse();
        for dir in missing {
            if self.cached.files.contains_key(&dir) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            self.rename_change(NameChange::MakeDir(dir));
        }
        Ok(())
    }

    pub(crate) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        if !self.cached.has_dir(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let changes = std::mem::take(&mut self.unsynced);
        let (here, elsewhere) = changes.into_iter().partition(|(_, c)| c.dir() == path);
        self.unsynced = elsewhere;
        self.settle(here);
        Ok(())
    }

    /// Makes these changes of names durable. As on a file system with a journal, a file moves in
    /// one step: with its new name it loses all older ones, wherever they were.
    fn settle(&mut self, mut changes: Vec<(u64, NameChange)>) {
        changes.sort_by_key(|(number, _)| *number);
        for (number, change) in changes {
            self.durable.apply(&change);
            if let Some(moved) = change.moves() {
                let is_older = |(n, c): &(u64, NameChange)| *n < number && c.names(moved);
                self.unsynced.retain(|change| !is_older(change));
            }
        }
    }

    pub(crate) fn change(&mut self, id: FileId, change: Change) {
        let contents = self.contents.get_mut(&id).expect("a handle's file exists");
        change.apply(&mut contents.cached);
        contents.unsynced.push(change);
    }

    pub(crate) fn sync(&mut self, id: FileId) {
        self.sync_up_to(id, u64::MAX);
    }

    /// Makes durable what was changed while the file had seen no more than `covered` changes.
    pub(crate) fn sync_up_to(&mut self, id: FileId, covered: u64) {
        let contents = self.contents.get_mut(&id).expect("a handle's file exists");
        let count = usize::try_from(covered.saturating_sub(contents.settled)).unwrap_or(usize::MAX);
        let count = count.min(contents.unsynced.len());
        contents.settled += count as u64;
        for change in contents.unsynced.drain(..count) {
            change.apply(&mut contents.durable);
        }
    }

    /// How many changes a file has seen.
    pub(crate) fn changes_so_far(&self, id: FileId) -> u64 {
        let contents = &self.contents[&id];
        contents.settled + contents.unsynced.len() as u64
    }

    pub(crate) fn give_up(&mut self, id: FileId) {
        let contents = self.contents.get_mut(&id).expect("a handle's file exists");
        contents.settled += contents.unsynced.len() as u64;
        contents.unsynced.clear();
    }

    pub(crate) fn power_cut(&mut self, seed: u64) {
        let mut seed = Seed(seed);
        for contents in self.contents.values_mut() {
            for change in std::mem::take(&mut contents.unsynced) {
                change.apply_torn(&mut contents.durable, &mut seed);
            }
            contents.cached = contents.durable.clone();
        }
        let unsynced = std::mem::take(&mut self.unsynced);
        let dirs: BTreeSet<PathBuf> = unsynced.iter().map(|(_, c)| c.dir().into()).collect();
        let mut kept = Vec::new();
        for dir in dirs {
            let changes: Vec<_> = unsynced.iter().filter(|(_, c)| c.dir() == dir).collect();
            let count = seed.below(changes.len() + 1);
            kept.extend(changes[..count].iter().map(|&change| change.clone()));
        }
        self.settle(kept);
        self.durable.drop_orphans();
        self.cached = self.durable.clone();
    }

    pub(crate) fn put(&mut self, path: &Path, bytes: &[u8]) {
        let id = self.new_file();
        let both = Contents { cached: bytes.into(), durable: bytes.into(), ..Contents::default() };
        self.contents.insert(id, both);
        path.parent().iter().for_each(|dir| self.put_dir(dir));
        for names in [&mut self.cached, &mut self.durable] {
            names.files.insert(path.into(), id);
        }
    }

    pub(crate) fn put_dir(&mut self, path: &Path) {
        for names in [&mut self.cached, &mut self.durable] {
            names.dirs.extend(path.ancestors().map(Path::to_path_buf));
        }
    }

    pub(crate) fn lose(&mut self, path: &Path) {
        self.cached.files.remove(path).expect("the file to lose exists");
        self.durable.files.remove(path);
    }

    pub(crate) fn find(&self, path: &Path) -> io::Result<FileId> {
        self.cached.files.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn list(&self, path: &Path) -> Vec<PathBuf> {
        let below = |name: &PathBuf| name.parent() == Some(path);
        let names = self.cached.files.keys().chain(&self.cached.dirs).filter(|name| below(name));
        names.filter_map(|name| name.file_name().map(PathBuf::from)).collect()
    }

    pub(crate) fn read(&self, id: FileId, buffer: &mut [u8], offset: u64) -> usize {
        let cached = &self.contents[&id].cached;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(cached.len());
        let count = buffer.len().min(cached.len() - start);
        buffer[..count].copy_from_slice(&cached[start..start + count]);
        count
    }

    pub(crate) fn length(&self, id: FileId) -> u64 {
        self.contents[&id].cached.len() as u64
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.cached.files.values().map(|id| self.length(*id)).sum()
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.cached.files.keys().cloned().collect()
    }

    pub(crate) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let id = self.cached.files.get(path)?;
        Some(self.contents[id].cached.clone())
    }

    fn new_file(&mut self) -> FileId {
        self.next_id += 1;
        self.contents.insert(self.next_id, Contents::default());
        self.next_id
    }

    fn require_dir(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().expect("a file lies in a directory");
        if self.cached.has_dir(dir) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn rename_change(&mut self, change: NameChange) {
        self.cached.apply(&change);
        if self.names_kept {
            self.durable.apply(&change);
        } else {
            self.unsynced.push((self.next_change, change));
            self.next_change += 1;
        }
    }
}

impl Names {
    /// The root and the working directory exist without being created.
    fn has_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || path.parent().is_none() || self.dirs.contains(path)
    }

    fn apply(&mut self, change: &NameChange) {
        match change {
            NameChange::Link(path, id) => {
                self.files.insert(path.clone(), *id);
            }
            NameChange::Unlink(path) => {
                self.files.remove(path);
            }
            NameChange::MakeDir(path) => {
                self.dirs.insert(path.clone());
            }
            NameChange::RemoveDir(path) => {
                self.files.retain(|name, _| !name.starts_with(path));
                self.dirs.retain(|name| !name.starts_with(path));
            }
            NameChange::Move(to, moved) => {
                self.files.retain(|_, id| id != moved);
                self.files.insert(to.clone(), *moved);
            }
            NameChange::Rename(from, to) => self.rename(from, to),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let moved = |name: &Path| match name.strip_prefix(from) {
            Ok(rest) if rest.as_os_str().is_empty() => to.to_path_buf(),
            Ok(rest) => to.join(rest),
            Err(_) => name.to_path_buf(),
        };
        self.files = std::mem::take(&mut self.files)
            .into_iter()
            .map(|(name, id)| (moved(&name), id))
            .collect();
        self.dirs = std::mem::take(&mut self.dirs).iter().map(|name| moved(name)).collect();
    }

    /// What lies in a directory whose own name did not survive is gone with it.
    fn drop_orphans(&mut self) {
        let dirs = self.dirs.clone();
        let rooted = |name: &Path| {
            let mut above = name.ancestors().skip(1);
            above.all(|dir| {
                dir.as_os_str().is_empty() || dir.parent().is_none() || dirs.contains(dir)
            })
        };
        self.files.retain(|name, _| rooted(name));
        self.dirs.retain(|name| rooted(name));
    }
}

impl NameChange {
    /// The directory that must be synced for this change to be durable.
    fn dir(&self) -> &Path {
        let (Self::Link(path, _)
        | Self::Unlink(path)
        | Self::Rename(_, path)
        | Self::Move(path, _)
        | Self::MakeDir(path)
        | Self::RemoveDir(path)) = self;
        path.parent().unwrap_or(path)
    }

    /// The file that this moves.
    fn moves(&self) -> Option<FileId> {
        if let Self::Move(_, id) = self { Some(*id) } else { None }
    }

    /// Whether this gives a name to the file.
    fn names(&self, file: FileId) -> bool {
        matches!(self, Self::Link(_, id) | Self::Move(_, id) if *id == file)
    }
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::SetLength(length) => {
                file.resize(usize::try_from(*length).expect("a file of a test is small"), 0);
            }
            Self::Write { offset, bytes } => {
                let start = usize::try_from(*offset).expect("a file of a test is small");
                let end = start + bytes.len();
                file.resize(file.len().max(end), 0);
                file[start..end].copy_from_slice(bytes);
            }
        }
    }

    /// Applies all, nothing or a part: a file system may have written any pages by then. The
    /// length may have arrived without the bytes, which then read as zero.
    fn apply_torn(&self, file: &mut Vec<u8>, seed: &mut Seed) {
        let Self::Write { offset, bytes } = self else {
            if seed.below(2) == 0 {
                self.apply(file);
            }
            return;
        };
        let cut = seed.below(bytes.len() + 1);
        let (from, to) = match seed.below(5) {
            0 => return,
            1 => (0, bytes.len()),
            2 => (0, cut),
            3 => (cut, bytes.len()),
            _ => (bytes.len(), bytes.len()),
        };
        let part = Self::Write { offset: *offset + from as u64, bytes: bytes[from..to].to_vec() };
        part.apply(file);
    }
}
