//! The task that brings the messages of one topic to its files.
//!
//! ```text
//! messages ──> written ──> synced ──> finished
//!              a batch     all that
//!              at a time   are written
//! ```
//!
//! The disk is waited for on another thread. Meanwhile messages gather, so that batches are as
//! large as the disk is slow.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nsq_app::Shutdown;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::sync_schedule::SyncSchedule;
use super::topic_files::{Moment, TopicFiles};

/// A message as it is written. Dropped unfinished it is delivered again.
pub(super) trait Record: Send + 'static {
    fn body(&self) -> &[u8];
    fn finish(&self);
}

/// Where the messages come from.
pub(super) trait Source {
    /// Whether not many more come before some are finished.
    fn is_starved(&self) -> bool;
    /// Ends the messages, once those that were delivered are finished.
    fn stop(&self);
}

/// What the program tells the recorders of all topics.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    pub(super) shutdown: Shutdown,
    /// Changes with each SIGHUP.
    pub(super) hang_ups: watch::Receiver<u64>,
}

/// Writes, syncs and finishes the messages of a topic.
#[derive(Debug)]
pub(super) struct Recorder<S, R> {
    source: S,
    messages: mpsc::Receiver<R>,
    /// Held by one batch at a time.
    files: Arc<Mutex<TopicFiles>>,
    schedule: SyncSchedule,
    /// Written, not synced.
    unsynced: Vec<R>,
    ticks: Interval,
}

enum Event<R> {
    Messages(Vec<R>),
    Tick,
    HangUp,
    Stop,
    End,
}

impl<S: Source, R: Record> Recorder<S, R> {
    pub(super) fn new(
        source: S,
        messages: mpsc::Receiver<R>,
        files: TopicFiles,
        schedule: SyncSchedule,
        sync_interval: Duration,
    ) -> Self {
        let mut ticks = interval_at(Instant::now() + sync_interval, sync_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let files = Arc::new(Mutex::new(files));
        Self { source, messages, files, schedule, unsynced: Vec::new(), ticks }
    }

    /// Runs until the messages end, which they do after a shutdown.
    ///
    /// # Errors
    ///
    /// When a file cannot be written. What was not synced is delivered again.
    pub(super) async fn run(mut self, mut orders: Orders) -> anyhow::Result<()> {
        self.on_disk(|files| {
            files.tell_left_over();
            Ok(())
        })
        .await?;
        let mut is_stopping = false;
        loop {
            match self.next(&mut orders, is_stopping).await {
                Event::Messages(messages) => self.write(messages).await?,
                Event::Tick => self.tick().await?,
                Event::HangUp => self.close().await?,
                Event::Stop => {
                    is_stopping = true;
                    self.source.stop();
                    self.schedule.on_stop();
                    self.sync().await?;
                }
                Event::End => return self.close().await,
            }
        }
    }

    async fn next(&mut self, orders: &mut Orders, is_stopping: bool) -> Event<R> {
        let (mut batch, room) = (Vec::new(), self.schedule.room());
        tokio::select! {
            count = self.messages.recv_many(&mut batch, room) => match count {
                0 => Event::End,
                _ => Event::Messages(batch),
            },
            _ = self.ticks.tick() => Event::Tick,
            Ok(()) = orders.hang_ups.changed() => Event::HangUp,
            () = orders.shutdown.wait(), if !is_stopping => Event::Stop,
        }
    }

    async fn write(&mut self, batch: Vec<R>) -> anyhow::Result<()> {
        let is_due = self.schedule.on_messages(batch.len(), self.source.is_starved());
        let (waiting, now) = (self.schedule.waiting(), Moment::now());
        let work = move |files: &mut TopicFiles| {
            let has_rotated = files.write(batch.iter().map(Record::body), now)?;
            let is_due = is_due || has_rotated;
            if is_due {
                files.sync(waiting)?;
            }
            Ok((batch, is_due))
        };
        let (batch, is_synced) = self.on_disk(work).await?;
        self.unsynced.extend(batch);
        if is_synced {
            self.finish();
        }
        Ok(())
    }

    async fn tick(&mut self) -> anyhow::Result<()> {
        let now = Moment::now();
        self.on_disk(move |files| files.tick(now)).await?;
        self.sync().await
    }

    async fn close(&mut self) -> anyhow::Result<()> {
        self.sync().await?;
        self.on_disk(TopicFiles::close).await
    }

    async fn sync(&mut self) -> anyhow::Result<()> {
        let waiting = self.schedule.waiting();
        if waiting > 0 {
            self.on_disk(move |files| files.sync(waiting)).await?;
            self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.schedule.on_synced();
        for message in self.unsynced.drain(..) {
            message.finish();
        }
    }

    /// Does something where waiting for the disk holds nobody up.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut TopicFiles) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let files = Arc::clone(&self.files);
        spawn_blocking(move || work(&mut files.lock())).await.context("writing panicked")?
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicBool, Ordering};

    use flate2::read::MultiGzDecoder;
    use nsq_app::local_time::LocalTime;
    use nsq_app::{LogLevel, Logger};
    use tempfile::TempDir;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::nsq_to_file::file_names::{FileNames, NameParts};
    use crate::nsq_to_file::rotation::RotationLimits;
    use crate::nsq_to_file::topic_files::FileSettings;
    use crate::nsq_to_file::topic_log::TopicLog;

    const PATIENCE: Duration = Duration::from_secs(20);
    const NEVER: Duration = Duration::from_secs(3600);

    /// A message that, when it is finished, looks whether it can be read.
    struct Checked {
        body: String,
        home: PathBuf,
        finished: mpsc::UnboundedSender<String>,
    }

    impl Record for Checked {
        fn body(&self) -> &[u8] {
            self.body.as_bytes()
        }

        fn finish(&self) {
            let written = lines(&self.home);
            assert!(written.contains(&self.body), "{} is in no file: {written:?}", self.body);
            // The test may have seen enough.
            if self.finished.send(self.body.clone()).is_err() {}
        }
    }

    #[derive(Clone, Default)]
    struct Consumer {
        is_starved: Arc<AtomicBool>,
        /// The sender is gone when the consumer is stopped.
        sender: Arc<Mutex<Option<mpsc::Sender<Checked>>>>,
    }

    impl Source for Consumer {
        fn is_starved(&self) -> bool {
            self.is_starved.load(Ordering::SeqCst)
        }

        fn stop(&self) {
            self.sender.lock().take();
        }
    }

    /// A recorder with a work dir and an output dir, and what it is told.
    struct World {
        home: TempDir,
        consumer: Consumer,
        finished: (mpsc::UnboundedSender<String>, mpsc::UnboundedReceiver<String>),
        shutdown: Shutdown,
        hang_up: watch::Sender<u64>,
        recorder: JoinHandle<anyhow::Result<()>>,
    }

    /// What is different in the tests.
    struct Plan {
        limit: u32,
        sync_interval: Duration,
        gzip_level: Option<u32>,
        skip_empty_files: bool,
    }

    const PLAN: Plan =
        Plan { limit: 3, sync_interval: NEVER, gzip_level: None, skip_empty_files: false };

    impl World {
        fn start(plan: &Plan) -> Self {
            let home = TempDir::new().expect("a directory");
            let settings = FileSettings {
                work_dir: home.path().join("work"),
                output_dir: home.path().join("out"),
                gzip_level: plan.gzip_level,
                limits: RotationLimits::default(),
                skip_empty_files: plan.skip_empty_files,
            };
            let names = FileNames::new(&NameParts {
                format: "<TOPIC><REV>",
                datetime_format: "",
                topic: "t",
                host: "",
                process_id: 1,
                has_revisions: true,
                is_gzip: plan.gzip_level.is_some(),
            });
            let log = TopicLog::new(Logger::to_stderr("", LogLevel::Fatal), "t", "c");
            let names = names.expect("valid");
            let files = TopicFiles::new(settings, names, LocalTime::utc(), log);
            let (sender, messages) = mpsc::channel(10);
            let consumer = Consumer::default();
            *consumer.sender.lock() = Some(sender);
            let schedule = SyncSchedule::new(plan.limit);
            let interval = plan.sync_interval;
            let recorder = Recorder::new(consumer.clone(), messages, files, schedule, interval);
            let shutdown = Shutdown::new();
            let (hang_up, hang_ups) = watch::channel(0);
            let orders = Orders { shutdown: shutdown.clone(), hang_ups };
            let recorder = tokio::spawn(recorder.run(orders));
            let finished = mpsc::unbounded_channel();
            Self { home, consumer, finished, shutdown, hang_up, recorder }
        }

        async fn send(&self, bodies: &[&str]) {
            let sender = self.consumer.sender.lock().clone().expect("it is not stopped");
            for body in bodies {
                let home = self.home.path().to_owned();
                let finished = self.finished.0.clone();
                let message = Checked { body: (*body).to_owned(), home, finished };
                assert!(sender.send(message).await.is_ok(), "the recorder runs");
            }
        }

        async fn expect_finished(&mut self, bodies: &[&str]) {
            for body in bodies {
                let finished = tokio::time::timeout(PATIENCE, self.finished.1.recv()).await;
                assert_eq!(finished.expect("in time").as_deref(), Some(*body));
            }
        }

        async fn expect_out(&self, expected: &[&str]) {
            let deadline = Instant::now() + PATIENCE;
            while names(&self.home.path().join("out")) != expected {
                assert!(Instant::now() < deadline, "{:?}", names(&self.home.path().join("out")));
                tokio::task::yield_now().await;
            }
        }

        /// Shuts down; the work dir is empty then.
        async fn stop(self) -> Vec<String> {
            self.shutdown.begin();
            self.recorder.await.expect("no panic").expect("no error");
            assert!(names(&self.home.path().join("work")).is_empty());
            lines(self.home.path())
        }
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The lines of all files, as far as members of gzip are complete.
    fn lines(home: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        for directory in ["out", "work"].map(|name| home.join(name)) {
            for name in names(&directory) {
                let bytes = fs::read(directory.join(&name)).unwrap_or_default();
                let mut text = String::new();
                if name.ends_with(".gz") {
                    MultiGzDecoder::new(&*bytes).read_to_string(&mut text).expect("whole members");
                } else {
                    text = String::from_utf8(bytes).expect("text");
                }
                lines.extend(text.lines().map(str::to_owned));
            }
        }
        lines
    }

    #[tokio::test]
    async fn messages_are_finished_when_they_are_synced() {
        for gzip_level in [None, Some(6)] {
            // The first message opens the file, which is a sync as in Go's tool.
            let mut world = World::start(&Plan { gzip_level, ..PLAN });
            world.send(&["a"]).await;
            world.expect_finished(&["a"]).await;
            world.send(&["b", "c"]).await;
            world.send(&["d"]).await;
            world.expect_finished(&["b", "c", "d"]).await;
            world.send(&["e"]).await;
            assert!(world.finished.1.try_recv().is_err(), "one alone waits");
            assert_eq!(world.stop().await, ["a", "b", "c", "d", "e"]);
        }
    }

    #[tokio::test]
    async fn a_starved_consumer_is_not_kept_waiting() {
        let mut world = World::start(&Plan { limit: 100, ..PLAN });
        world.consumer.is_starved.store(true, Ordering::SeqCst);
        for body in ["a", "b", "c"] {
            world.send(&[body]).await;
            world.expect_finished(&[body]).await;
        }
        world.stop().await;
    }

    #[tokio::test]
    async fn ticks_sync_and_open() {
        let plan = Plan { sync_interval: Duration::from_millis(20), limit: 100, ..PLAN };
        let mut world = World::start(&plan);
        let deadline = Instant::now() + PATIENCE;
        while names(&world.home.path().join("work")).is_empty() {
            assert!(Instant::now() < deadline, "an empty file appears");
            tokio::task::yield_now().await;
        }
        world.send(&["a", "b"]).await;
        world.expect_finished(&["a", "b"]).await;
        world.stop().await;
    }

    /// Go's tool exits at the message after a SIGHUP when there is a work dir.
    #[tokio::test]
    async fn after_a_hang_up_there_is_a_next_file() {
        for skip_empty_files in [false, true] {
            let mut world = World::start(&Plan { skip_empty_files, ..PLAN });
            for (body, out) in [
                ("a", ["t-000000"].as_slice()),
                ("b", &["t-000000", "t-000001"]),
                ("c", &["t-000000", "t-000001", "t-000002"]),
            ] {
                world.send(&[body]).await;
                world.expect_finished(&[body]).await;
                world.hang_up.send_modify(|count| *count += 1);
                world.expect_out(out).await;
            }
            assert_eq!(world.stop().await, ["a", "b", "c"]);
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_ends_it_and_finishes_nothing() {
        let mut world = World::start(&PLAN);
        fs::write(world.home.path().join("work"), "not a directory").expect("room");
        world.send(&["a"]).await;
        let error = world.recorder.await.expect("no panic").expect_err("no directory");
        assert!(error.to_string().starts_with("unable to create dir"), "{error:#}");
        assert!(world.finished.1.try_recv().is_err(), "nothing is finished");
    }
}
