//! Keeping `nsqd.dat` as the topics and channels are.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nsq_proto::{ChannelName, TopicName};
use nsq_store::metadata::{ChannelMeta, METADATA_FILE, MetadataFile, TopicMeta};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::channel::Channel;
use crate::node::{Node, VERSION};
use crate::topic::Topic;

/// How long to wait before a failed write is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What was written to `nsqd.dat`, and what was not yet.
#[derive(Debug)]
pub(crate) struct MetadataKeeper {
    /// The topics of which the file does not know the newest.
    changed: Mutex<HashSet<TopicName>>,
    more: Notify,
    /// Held over a write: what is written must be newer than what was written before.
    file: Mutex<MetadataFile>,
    /// True while `nsqd.dat` is loaded and after the last write.
    quiet: AtomicBool,
}

impl MetadataKeeper {
    pub(crate) fn new() -> Self {
        Self {
            changed: Mutex::default(),
            more: Notify::new(),
            file: Mutex::new(MetadataFile::new(VERSION)),
            quiet: AtomicBool::new(true),
        }
    }

    pub(crate) fn set_quiet(&self, quiet: bool) {
        self.quiet.store(quiet, Ordering::Release);
    }
}

impl Node {
    /// `nsqd.dat` must say something else about this topic soon.
    pub(crate) fn metadata_changed(&self, topic: &TopicName) {
        self.metadata.changed.lock().insert(topic.clone());
        self.metadata.more.notify_one();
        self.lookup.topic_changed(topic);
    }

    /// Writes `nsqd.dat` after each change; changes that come together are written together.
    /// Never returns.
    pub(crate) async fn keep_metadata(self: Arc<Self>) {
        loop {
            self.metadata.more.notified().await;
            let node = Arc::clone(&self);
            let stored = tokio::task::spawn_blocking(move || node.store_metadata()).await;
            if let Ok(Err(error)) = stored {
                self.log.error(format_args!("failed to persist metadata - {error}"));
                tokio::time::sleep(RETRY_AFTER).await;
                self.metadata.more.notify_one();
            }
        }
    }

    /// Writes `nsqd.dat` for the first time, whatever is in it.
    pub(crate) fn begin_metadata(&self) -> io::Result<()> {
        let mut file = self.metadata.file.lock();
        self.topics().iter().for_each(|topic| file.set(&meta(topic)));
        self.metadata.set_quiet(false);
        file.store(&*self.disk, &self.data_path)
    }

    /// Writes `nsqd.dat` as the topics and channels are now. Who waits here for somebody else's
    /// write finds that one more does for all who waited.
    pub(crate) fn store_metadata(&self) -> io::Result<()> {
        if self.metadata.quiet.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut file = self.metadata.file.lock();
        let changed = std::mem::take(&mut *self.metadata.changed.lock());
        if changed.is_empty() {
            return Ok(());
        }
        let path = self.data_path.join(METADATA_FILE);
        let path = path.display();
        self.log.debug(format_args!("NSQ: persisting topic/channel metadata to {path}"));
        for name in &changed {
            match self.existing_topic(name.as_str()) {
                Some(topic) => file.set(&meta(&topic)),
                None => file.remove(name),
            }
        }
        let stored = file.store(&*self.disk, &self.data_path);
        if stored.is_err() {
            self.metadata.changed.lock().extend(changed);
        }
        stored
    }
}

fn meta(topic: &Topic) -> TopicMeta {
    let channel = |(name, channel): (&ChannelName, &Arc<Channel>)| ChannelMeta {
        name: name.clone(),
        paused: channel.broker.lock().is_paused(),
    };
    let channels = topic.channels.read();
    let kept = channels.iter().filter(|(name, _)| !name.is_ephemeral());
    TopicMeta {
        name: topic.name.clone(),
        paused: topic.paused.load(Ordering::Relaxed),
        channels: kept.map(channel).collect(),
    }
}
