//! The files of one topic, one after the other. Everything in here may wait for the disk.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::Context;
use nsq_app::local_time::LocalTime;

use super::directory;
use super::file_names::FileNames;
use super::left_over::left_over;
use super::move_file::move_file;
use super::open_file::OpenFile;
use super::rotation::{Rotation, RotationLimits, RotationReason};
use super::topic_log::TopicLog;

/// Where and how files are written.
#[derive(Clone, Debug)]
pub(super) struct FileSettings {
    /// `--work-dir`; the output directory if there is none.
    pub(super) work_dir: PathBuf,
    /// `--output-dir`
    pub(super) output_dir: PathBuf,
    /// `--gzip-level`, with `--gzip`.
    pub(super) gzip_level: Option<u32>,
    /// `--rotate-size` and `--rotate-interval`
    pub(super) limits: RotationLimits,
    /// `--skip-empty-files`
    pub(super) skip_empty_files: bool,
}

/// A time on both clocks: dates in names are of the wall clock, ages of the steady one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) wall: SystemTime,
    pub(super) steady: Instant,
}

/// The file of a topic that is open, if one is, and what comes after it.
#[derive(Debug)]
pub(super) struct TopicFiles {
    settings: FileSettings,
    names: FileNames,
    rotation: Rotation,
    time: LocalTime,
    log: TopicLog,
    file: Option<OpenFile>,
}

impl FileSettings {
    /// Whether files are finished in one directory and moved to another.
    pub(super) fn moves(&self) -> bool {
        self.work_dir != self.output_dir
    }

    /// Whether a file may only be written by who created it.
    fn is_exclusive(&self) -> bool {
        self.gzip_level.is_some() || self.limits.age.is_some()
    }

    /// Whether files of one time have to be told apart.
    pub(super) fn has_revisions(&self) -> bool {
        self.is_exclusive() || self.limits.size_bytes.is_some() || self.moves()
    }
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

impl TopicFiles {
    pub(super) fn new(
        settings: FileSettings,
        names: FileNames,
        time: LocalTime,
        log: TopicLog,
    ) -> Self {
        let rotation = Rotation::new(settings.limits);
        Self { settings, names, rotation, time, log, file: None }
    }

    /// Adds messages, each to the file that it belongs to. Returns whether another file was
    /// opened; the ones before are synced then.
    pub(super) fn write<'a>(
        &mut self,
        bodies: impl Iterator<Item = &'a [u8]>,
        now: Moment,
    ) -> anyhow::Result<bool> {
        let name = self.names.at(&self.time, now.wall);
        let mut has_rotated = false;
        for body in bodies {
            if let Some(reason) = self.rotation.due(&name, now.steady) {
                self.rotate(&reason, now)?;
                has_rotated = true;
            }
            let file = self.file.as_mut().context("no file is open")?;
            file.write(body).context("writing message to disk")?;
            self.rotation.wrote(body.len() + 1);
        }
        if let Some(file) = &mut self.file {
            file.flush().context("writing message to disk")?;
        }
        Ok(has_rotated)
    }

    /// Ends the file if its time has come, even if no message comes, and opens the next one
    /// unless empty ones are not wanted.
    pub(super) fn tick(&mut self, now: Moment) -> anyhow::Result<()> {
        let name = self.names.at(&self.time, now.wall);
        match self.rotation.due(&name, now.steady) {
            None => Ok(()),
            Some(reason) if self.settings.skip_empty_files => {
                self.say(&reason);
                self.close()
            }
            Some(reason) => self.rotate(&reason, now),
        }
    }

    /// Makes sure of all messages that were written; `count` of them are waiting for it.
    pub(super) fn sync(&mut self, count: usize) -> anyhow::Result<()> {
        self.log.info(format_args!("syncing {count} records to disk"));
        // Without an open file all was synced when the last one was closed.
        self.file.as_mut().map_or(Ok(()), OpenFile::sync).context("failed syncing messages")
    }

    /// Syncs, closes and moves the file that is open.
    pub(super) fn close(&mut self) -> anyhow::Result<()> {
        // It is forgotten first: whatever fails, it is never written again.
        let Some(file) = self.file.take() else { return Ok(()) };
        self.rotation.close();
        let path = file.close().context("failed to fsync output file")?;
        if self.settings.moves() { self.move_finished(&path) } else { Ok(()) }
    }

    /// Tells of files that an earlier run left in the work dir.
    pub(super) fn tell_left_over(&self) {
        if !self.settings.moves() {
            return;
        }
        let work_dir = self.settings.work_dir.display();
        match left_over(&self.settings.work_dir, &self.names) {
            Ok(files) => {
                let Some(first) = files.first() else { return };
                let (count, first) = (files.len(), first.display());
                self.log.warning(format_args!(
                    "{count} left-over files in work dir {work_dir}, the first is {first}: written \
                     by another process, or by one that was killed; they are not moved"
                ));
            }
            Err(error) => self.log.warning(format_args!(
                "unable to look for left-over files in work dir {work_dir}: {error}"
            )),
        }
    }

    fn say(&self, reason: &RotationReason) {
        let path = self.file.as_ref().map(OpenFile::path).unwrap_or(Path::new(""));
        if let Some(text) = reason.text(path) {
            self.log.info(format_args!("{text}"));
        }
    }

    fn rotate(&mut self, reason: &RotationReason, now: Moment) -> anyhow::Result<()> {
        self.say(reason);
        self.close()?;
        self.rotation.begin(self.names.at(&self.time, now.wall));
        loop {
            if let Some(file) = self.open_revision(now)? {
                self.file = Some(file);
                return Ok(());
            }
            self.rotation.skip_revision();
        }
    }

    /// Opens the file of this revision; none if it cannot be used.
    fn open_revision(&mut self, now: Moment) -> anyhow::Result<Option<OpenFile>> {
        let name = self.rotation.file_name();
        let path = self.settings.work_dir.join(&name);
        directory::create_all(directory::of(&path)).context("unable to create dir")?;
        if self.settings.moves() && !self.is_free_in_output_dir(&name)? {
            return Ok(None);
        }
        let opened = match self.settings.gzip_level {
            level if self.settings.is_exclusive() => OpenFile::create(&path, level),
            _ => OpenFile::append(&path),
        };
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let path = path.display();
                self.log.warning(format_args!("working file already exists: {path}"));
                return Ok(None);
            }
            opened => opened.with_context(|| format!("unable to open {}", path.display()))?,
        };
        let path = path.display();
        self.log.info(format_args!("opening {path}"));
        if let Err(too_large) = self.rotation.opened(now.steady, file.found_bytes()) {
            self.log.info(format_args!("{path} {too_large}, rotating..."));
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// Whether a finished file could have this name, as things are now.
    fn is_free_in_output_dir(&self, name: &Path) -> anyhow::Result<bool> {
        let path = self.settings.output_dir.join(name);
        directory::create_all(directory::of(&path)).context("unable to create dir")?;
        match path.symlink_metadata() {
            Ok(_) => {
                let path = path.display();
                self.log.warning(format_args!("output file already exists: {path}"));
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => {
                Err(error).with_context(|| format!("unable to stat output file {}", path.display()))
            }
        }
    }

    /// Moves a finished file to the output dir; if its name was taken meanwhile, under the next
    /// one that is free.
    fn move_finished(&mut self, from: &Path) -> anyhow::Result<()> {
        loop {
            let to = self.settings.output_dir.join(self.rotation.file_name());
            let (source, target) = (from.display(), to.display());
            self.log.info(format_args!("moving finished file {source} to {target}"));
            match move_file(from, &to) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let text = "destination file already exists";
                    self.log.warning(format_args!("{text}: {target}"));
                }
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("unable to move file from {source} to {target}")
                    });
                }
            }
            self.rotation.skip_revision();
        }
    }
}
