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

    /// Whether a file may only be written by who created it. What somebody else left behind may
    /// have a torn end, which must not get into the middle of a file that is moved as finished.
    fn is_exclusive(&self) -> bool {
        self.gzip_level.is_some() || self.limits.age.is_some() || self.moves()
    }

    /// Whether files of one time have to be told apart.
    pub(super) fn has_revisions(&self) -> bool {
        self.is_exclusive() || self.limits.size_bytes.is_some()
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
            // Whoever takes files away may have taken an empty directory, too.
            let moved =
                directory::create_all(directory::of(&to)).and_then(|()| move_file(from, &to));
            match moved {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let text = "destination file already exists";
                    self.log.warning(format_args!("{text}: {target}"));
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("unable to move file from {source} to {target}"));
                }
            }
            self.rotation.skip_revision();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io::{Read, Write};
    use std::time::Duration;

    use flate2::bufread::GzDecoder;
    use nsq_app::{LogLevel, Logger};
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::nsq_to_file::file_names::NameParts;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Write(usize),
        Sync,
        Tick,
        Close,
        Wait(u64),
        /// A kill, perhaps in the middle of a write.
        Crash {
            is_torn: bool,
        },
    }

    #[derive(Clone, Copy, Debug)]
    struct Plan {
        gzip: bool,
        moves: bool,
        size_bytes: Option<u64>,
        age: Option<Duration>,
        skip_empty_files: bool,
    }

    /// One process after the other, and what each has promised.
    struct World {
        home: TempDir,
        plan: Plan,
        files: TopicFiles,
        now: Moment,
        written: usize,
        /// By this process.
        unsynced: Vec<usize>,
        promised: BTreeSet<usize>,
    }

    impl World {
        fn new(plan: Plan) -> Self {
            let home = TempDir::new().expect("a directory");
            let files = process(home.path(), plan);
            let now = Moment { wall: SystemTime::UNIX_EPOCH, steady: Instant::now() };
            let (unsynced, promised) = (Vec::new(), BTreeSet::new());
            Self { home, plan, files, now, written: 0, unsynced, promised }
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Write(count) => {
                    let numbers = self.written..self.written + count;
                    self.written = numbers.end;
                    self.unsynced.extend(numbers.clone());
                    let bodies: Vec<_> =
                        numbers.map(|number| format!("message {number}")).collect();
                    let bodies = bodies.iter().map(String::as_bytes);
                    self.files.write(bodies, self.now).expect("room");
                }
                Step::Sync => {
                    self.files.sync(self.unsynced.len()).expect("room");
                    self.promised.extend(self.unsynced.drain(..));
                }
                Step::Tick => self.files.tick(self.now).expect("room"),
                Step::Close => {
                    self.files.close().expect("room");
                    self.promised.extend(self.unsynced.drain(..));
                }
                Step::Wait(seconds) => {
                    self.now.wall += Duration::from_secs(seconds);
                    self.now.steady += Duration::from_secs(seconds);
                }
                Step::Crash { is_torn } => {
                    self.unsynced.clear();
                    if let Some(file) = self.files.file.as_ref().filter(|_| is_torn) {
                        tear(file.path());
                    }
                    self.files = process(self.home.path(), self.plan);
                }
            }
        }

        fn check(&self) {
            let mut found = BTreeSet::new();
            for (directory, may_be_torn) in [("out", !self.plan.moves), ("work", true)] {
                for entry in fs::read_dir(self.home.path().join(directory)).into_iter().flatten() {
                    let path = entry.expect("it can be listed").path();
                    let (lines, is_whole) = read(&path);
                    let has_torn_line = lines.iter().any(|line| line.ends_with(TORN_LINE));
                    let is_torn = has_torn_line || !is_whole;
                    assert!(may_be_torn || !is_torn, "{} is torn", path.display());
                    let messages = lines.iter().filter_map(|it| it.strip_prefix("message "));
                    found.extend(messages.filter_map(|it| it.parse::<usize>().ok()));
                }
            }
            let missing: Vec<_> = self.promised.difference(&found).collect();
            assert!(missing.is_empty(), "missing: {missing:?}");
        }
    }

    fn process(home: &Path, plan: Plan) -> TopicFiles {
        let output_dir = home.join("out");
        let settings = FileSettings {
            work_dir: if plan.moves { home.join("work") } else { output_dir.clone() },
            output_dir,
            gzip_level: plan.gzip.then_some(1),
            limits: RotationLimits { size_bytes: plan.size_bytes, age: plan.age },
            skip_empty_files: plan.skip_empty_files,
        };
        let names = FileNames::new(&NameParts {
            format: "<TOPIC><REV>.<DATETIME>",
            datetime_format: "%M",
            topic: "t",
            host: "",
            process_id: 1,
            has_revisions: settings.has_revisions(),
            is_gzip: plan.gzip,
        });
        let log = TopicLog::new(Logger::to_stderr("", LogLevel::Fatal), "t", "c");
        TopicFiles::new(settings, names.expect("valid"), LocalTime::utc(), log)
    }

    const TORN_LINE: &str = "message 999999999 no";

    /// The start of a line, or of a member.
    fn tear(path: &Path) {
        let mut file = fs::OpenOptions::new().append(true).open(path).expect("it is there");
        let gzip_start = [0x1f, 0x8b, 8, 0, 0];
        let torn = if is_gzip(path) { gzip_start.as_slice() } else { TORN_LINE.as_bytes() };
        file.write_all(torn).expect("room");
    }

    fn is_gzip(path: &Path) -> bool {
        path.extension().is_some_and(|it| it == "gz")
    }

    /// The lines, those of whole members in gzip, and whether that is all there is.
    fn read(path: &Path) -> (Vec<String>, bool) {
        let bytes = fs::read(path).expect("it can be read");
        if !is_gzip(path) {
            let text = String::from_utf8(bytes).expect("text");
            return (
                text.lines().map(str::to_owned).collect(),
                text.is_empty() || text.ends_with('\n'),
            );
        }
        let (mut rest, mut lines) = (&bytes[..], Vec::new());
        // A file of no bytes is no gzip file.
        let mut is_whole = !rest.is_empty();
        while !rest.is_empty() && is_whole {
            let mut text = String::new();
            is_whole = GzDecoder::new(&mut rest).read_to_string(&mut text).is_ok();
            if is_whole {
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        (lines, is_whole)
    }

    fn steps() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..20_usize).prop_map(Step::Write),
            2 => Just(Step::Sync),
            2 => Just(Step::Tick),
            1 => Just(Step::Close),
            2 => (1..70_u64).prop_map(Step::Wait),
            1 => any::<bool>().prop_map(|is_torn| Step::Crash { is_torn }),
        ]
    }

    fn plans() -> impl Strategy<Value = Plan> {
        let size = proptest::option::of(50..500_u64);
        let age = proptest::option::of((5..50_u64).prop_map(Duration::from_secs));
        (any::<bool>(), any::<bool>(), size, age, any::<bool>()).prop_map(
            |(gzip, moves, size_bytes, age, skip_empty_files)| Plan {
                gzip,
                moves,
                size_bytes,
                age,
                skip_empty_files,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever happens: what was synced is in whole lines and members, and what has its final
        /// name after having been in a work dir is whole.
        #[test]
        fn nothing_promised_is_lost(
            plan in plans(),
            steps in proptest::collection::vec(steps(), 1..40),
        ) {
            let mut world = World::new(plan);
            for step in steps {
                world.take(step);
                world.check();
            }
            world.take(Step::Close);
            world.check();
        }

        /// Without crashes every message is there once, and all are moved in the end.
        #[test]
        fn every_message_is_written_once(
            plan in plans(),
            steps in proptest::collection::vec(steps(), 1..40),
        ) {
            let mut world = World::new(plan);
            for step in steps.into_iter().filter(|step| !matches!(step, Step::Crash { .. })) {
                world.take(step);
            }
            world.take(Step::Close);
            let mut lines = Vec::new();
            for entry in fs::read_dir(world.home.path().join("out")).into_iter().flatten() {
                lines.extend(read(&entry.expect("it can be listed").path()).0);
            }
            let mut expected: Vec<_> =
                (0..world.written).map(|it| format!("message {it}")).collect();
            lines.sort();
            expected.sort();
            prop_assert_eq!(lines, expected);
            let left = fs::read_dir(world.home.path().join("work")).into_iter().flatten();
            prop_assert_eq!(left.count(), 0);
        }
    }
}
