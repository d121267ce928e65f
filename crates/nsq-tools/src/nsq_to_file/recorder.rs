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
