//! A topic of the daemon: publishing, and its channels.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use nsq_broker::{
    Channel as BrokerChannel, ChannelOptions, Handout, HeldRun, Sequence, Topic as BrokerTopic,
};
use nsq_proto::{ChannelName, TopicName};
use nsq_store::Damage;
use nsq_store::journal::{ChannelNumber, Entry, Journal};
use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use crate::backing::Backing;
use crate::channel::{Channel, wake};
use crate::client::{Client, add};
use crate::node::Node;
use crate::syncer::Syncer;

/// One topic.
///
/// Lock order: `journal`, `core`, `channels`, the broker of one channel. Consumers need none of
/// the topic's locks, so that neither a slow disk nor the journal holds up deliveries.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) backing: Backing,
    pub(crate) node: Arc<Node>,
    /// Held over an append and the handing out of what was appended, so that channels hear of
    /// messages in the order of the log.
    pub(crate) core: Mutex<Core>,
    pub(crate) channels: RwLock<BTreeMap<ChannelName, Arc<Channel>>>,
    /// `None` for an ephemeral topic.
    pub(crate) journal: Option<Mutex<Journal>>,
    pub(crate) syncer: Syncer,
    /// Since when messages wait for a sync.
    pub(crate) unsynced_since: Mutex<Option<Instant>>,
    /// When the keeper may look for unneeded segments again.
    pub(crate) rest_until: Mutex<Option<Instant>>,
    pub(crate) counters: TopicCounters,
    /// What the keeper must know: something changed.
    pub(crate) dirty: AtomicBool,
    pub(crate) paused: AtomicBool,
    me: Weak<Self>,
}

/// The state of a topic that publishing changes.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) broker: BrokerTopic,
    /// True once the topic is deleted or the daemon stops: nothing is accepted any more.
    pub(crate) exiting: bool,
    pub(crate) next_channel: u32,
}

/// Counters since the topic is in memory.
#[derive(Debug, Default)]
pub(crate) struct TopicCounters {
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// A copy of what the broker says, for readers that must not wait for a publisher.
    pub(crate) depth: AtomicU64,
}

/// Messages to be published together.
#[derive(Debug)]
pub(crate) struct Publication {
    /// `(u32 size, body) × count`, checked.
    pub(crate) block: Bytes,
    /// At least 1.
    pub(crate) count: u32,
    /// How long they are held back, in milliseconds; 0 is not at all.
    pub(crate) delay_ms: u64,
}

/// Why messages were not accepted. Nothing of them was.
#[derive(Debug, Error)]
pub(crate) enum PublishError {
    /// The topic is deleted or the daemon stops.
    #[error("exiting")]
    Exiting,
    /// The log could not be written.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Why a consumer cannot join a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// The channel is being deleted.
    Exiting,
    /// `--max-channel-consumers` is reached.
    TooMany,
}

impl Topic {
    pub(crate) fn new(
        name: TopicName,
        node: Arc<Node>,
        backing: Backing,
        broker: BrokerTopic,
        journal: Option<Journal>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            name,
            backing,
            node,
            core: Mutex::new(Core { broker, exiting: false, next_channel: 0 }),
            channels: RwLock::default(),
            journal: journal.map(Mutex::new),
            syncer: Syncer::default(),
            unsynced_since: Mutex::new(None),
            rest_until: Mutex::new(None),
            counters: TopicCounters::default(),
            dirty: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            me: me.clone(),
        })
    }

    /// Appends messages and hands them to the channels. They are in the log when this returns.
    /// Waits for the page cache, so the caller holds an append permit. Returns the place behind
    /// the last message, which is what must be synced.
    pub(crate) fn publish(&self, publication: Publication) -> Result<Sequence, PublishError> {
        let Publication { block, count, delay_ms } = publication;
        let bytes = block.len() as u64 - 4 * u64::from(count);
        let delay_ns = i64::try_from(delay_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let timestamp_ns = self.node.clock.wall_ns();
        let due_ns = (delay_ns > 0).then(|| timestamp_ns.saturating_add(delay_ns));
        let mut core = self.core.lock();
        if core.exiting {
            return Err(PublishError::Exiting);
        }
        let published = u64::from(count);
        let Some((block, count)) = self.within_capacity(&core, block, count) else {
            self.count(published, bytes);
            return Ok(Sequence(0));
        };
        let appended = self.backing.append(block, count, timestamp_ns, due_ns);
        self.node.health.note(&appended);
        let batch = appended?;
        self.count(published, bytes);
        let due_ns = (delay_ns > 0).then(|| self.node.clock.now_ns().saturating_add(delay_ns));
        if core.broker.on_append(batch.first, count, due_ns) == Handout::Now {
            for channel in self.channels.read().values() {
                match due_ns {
                    None => wake(channel.broker.lock().extend(batch.end())),
                    Some(due_ns) => {
                        channel.broker.lock().extend_deferred(batch.first, count, due_ns);
                        self.node.sweep.arm(channel, due_ns);
                    }
                }
            }
        }
        self.counters.depth.store(core.broker.depth(), Ordering::Relaxed);
        drop(core);
        self.touch();
        Ok(batch.end())
    }

    /// Waits until what was published is as safe as it was promised.
    pub(crate) async fn after_publish(self: &Arc<Self>, end: Sequence) -> Result<(), PublishError> {
        let Backing::Log(log) = &self.backing else { return Ok(()) };
        let sync_every = self.node.options.sync_every;
        if sync_every == 1 {
            self.syncer.synced(self, end).await?;
        } else if log.appended_since_sync() >= sync_every {
            self.syncer.sync_soon(self);
        }
        Ok(())
    }

    fn count(&self, messages: u64, bytes: u64) {
        add(&self.counters.messages, messages);
        add(&self.counters.bytes, bytes);
    }

    /// An ephemeral topic that nobody takes from holds only so much: the newest are dropped.
    fn within_capacity(&self, core: &Core, block: Bytes, count: u32) -> Option<(Bytes, u32)> {
        if !self.name.is_ephemeral() {
            return Some((block, count));
        }
        let holding = core.broker.is_paused() || core.broker.channel_count() == 0;
        let room = self.node.options.mem_queue_size.saturating_sub(core.broker.depth());
        if !holding || room >= u64::from(count) {
            return Some((block, count));
        }
        let mut end = 0;
        for _ in 0..room {
            end = nsq_broker::message_at(&block, end)?.1;
        }
        (room > 0).then(|| (block.slice(..end), room as u32))
    }

    /// The channel of this name; created when there is none. It exists on disk when this returns.
    pub(crate) fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, PublishError> {
        self.channel_from(name, None)
    }

    /// A channel that `nsqd.dat` knows. If the journal has forgotten it, in a power cut, it must
    /// begin with the oldest message there is: it may have had all of them to deliver.
    pub(crate) fn known_channel(&self, name: &ChannelName) -> Result<Arc<Channel>, PublishError> {
        self.channel_from(name, Some(self.backing.start()))
    }

    fn channel_from(
        &self,
        name: &ChannelName,
        start: Option<Sequence>,
    ) -> Result<Arc<Channel>, PublishError> {
        if let Some(channel) = self.channels.read().get(name) {
            return Ok(Arc::clone(channel));
        }
        let mut journal = self.journal.as_ref().map(Mutex::lock);
        let mut core = self.core.lock();
        if core.exiting {
            return Err(PublishError::Exiting);
        }
        if let Some(channel) = self.channels.read().get(name) {
            return Ok(Arc::clone(channel));
        }
        let number = ChannelNumber(core.next_channel);
        core.next_channel += 1;
        let gate = core.broker.on_channel_created();
        let start = start.map_or(gate, |start| start.min(gate));
        let mut broker = BrokerChannel::new(start, self.channel_options(name));
        wake(broker.extend(gate));
        let channel = Arc::new(Channel::new(name.clone(), number, broker, self.me.clone()));
        self.channels.write().insert(name.clone(), Arc::clone(&channel));
        self.release(&mut core);
        let recorded = match journal.as_deref_mut().filter(|_| !name.is_ephemeral()) {
            Some(journal) => self.record_channel(journal, &core, &channel),
            None => Ok(()),
        };
        drop((core, journal));
        self.node.log.info(format_args!("TOPIC({}): new channel({name})", self.name));
        self.node.metadata_changed();
        self.node.health.note(&recorded);
        recorded?;
        Ok(channel)
    }

    /// Writes down that a channel came to be, before anybody is told.
    fn record_channel(
        &self,
        journal: &mut Journal,
        core: &Core,
        channel: &Channel,
    ) -> io::Result<()> {
        if journal.is_broken() {
            // The keeper writes the whole state with its next compaction.
            self.touch();
            return Ok(());
        }
        let offset_ns = self.node.clock.offset_ns();
        let mut checkpoint = channel.broker.lock().checkpoint_whole();
        shift(&mut checkpoint, offset_ns);
        let mut held = core.broker.checkpoint_whole();
        held.iter_mut().for_each(|held| shift(held, offset_ns));
        let create = Entry::Create { channel: channel.number, name: &channel.name };
        let state = Entry::Checkpoint { channel: channel.number, checkpoint: &checkpoint };
        self.make_directory()?;
        journal.write(&[create, state, Entry::Held(held.as_ref())])?;
        if self.node.options.sync_every == 1 { journal.sync() } else { Ok(()) }
    }

    /// Removes a channel: its consumers are disconnected, what it held is gone. False when there
    /// is no such channel.
    pub(crate) fn delete_channel(&self, name: &ChannelName) -> bool {
        let mut journal = self.journal.as_ref().map(Mutex::lock);
        let mut core = self.core.lock();
        let Some(channel) = self.channels.write().remove(name) else { return false };
        channel.exiting.store(true, Ordering::Release);
        core.broker.on_channel_deleted();
        channel.close_consumers();
        if let Some(journal) = journal.as_deref_mut().filter(|_| !name.is_ephemeral()) {
            let deleted = journal.write(&[Entry::Delete { channel: channel.number }]);
            self.node.health.note(&deleted);
            if let Err(error) = deleted {
                let topic = &self.name;
                self.node.log.error(format_args!(
                    "TOPIC({topic}): cannot record the deletion of channel({name}), it may come \
                     back after a restart - {error}"
                ));
            }
        }
        let last = self.channels.read().is_empty();
        drop((core, journal));
        self.node.log.info(format_args!("TOPIC({}): deleting channel {name}", self.name));
        self.node.metadata_changed();
        self.touch();
        if last && self.name.is_ephemeral() {
            self.node.delete_topic_if_unused(self);
        }
        true
    }

    /// An ephemeral channel goes with its last consumer.
    pub(crate) fn delete_if_unused(&self, channel: &Arc<Channel>) {
        let unused = channel.name.is_ephemeral() && channel.broker.lock().consumer_count() == 0;
        let current = self.channels.read().get(&channel.name).cloned();
        if unused && current.is_some_and(|current| Arc::ptr_eq(&current, channel)) {
            self.delete_channel(&channel.name);
        }
    }

    pub(crate) fn pause(&self) {
        self.core.lock().broker.pause();
        self.paused.store(true, Ordering::Relaxed);
        self.touch();
    }

    pub(crate) fn unpause(&self) {
        let mut core = self.core.lock();
        core.broker.unpause();
        self.paused.store(false, Ordering::Relaxed);
        self.release(&mut core);
        drop(core);
        self.touch();
    }

    /// Drops what no channel has seen.
    pub(crate) fn empty(&self) {
        let mut core = self.core.lock();
        let gate = core.broker.empty();
        for channel in self.channels.read().values() {
            channel.broker.lock().skip(gate);
        }
        self.counters.depth.store(0, Ordering::Relaxed);
        drop(core);
        self.touch();
    }

    /// Tells the channels of everything that waited in the topic, if it need not wait any more.
    pub(crate) fn release(&self, core: &mut Core) {
        let Some((runs, end)) = core.broker.release() else { return };
        for channel in self.channels.read().values() {
            let mut broker = channel.broker.lock();
            for &HeldRun { first, count, due_ns } in &runs {
                wake(broker.extend(first));
                broker.extend_deferred(first, count, due_ns);
                self.node.sweep.arm(channel, due_ns);
            }
            wake(broker.extend(end));
        }
        self.counters.depth.store(core.broker.depth(), Ordering::Relaxed);
    }

    pub(crate) fn channel_options(&self, name: &ChannelName) -> ChannelOptions {
        let options = &self.node.options;
        let ephemeral = name.is_ephemeral() || self.name.is_ephemeral();
        ChannelOptions {
            mem_queue_size: options.mem_queue_size,
            capacity: ephemeral.then_some(options.mem_queue_size),
            max_msg_timeout_ns: nanos(options.max_msg_timeout),
            seed: self.node.clock.wall_ns() as u64,
        }
    }

    /// Asks the keeper to look at this topic soon.
    pub(crate) fn touch(&self) {
        if !self.dirty.load(Ordering::Relaxed)
            && !self.dirty.swap(true, Ordering::AcqRel)
            && let Some(me) = self.me.upgrade()
        {
            self.node.keeper.visit(me);
        }
    }

    pub(crate) fn make_directory(&self) -> io::Result<()> {
        let path = self.node.store.topic_path(&self.name);
        self.node.disk.create_dir_all(&path)
    }

    pub(crate) fn log_damage(&self, damage: &[Damage]) {
        for damage in damage {
            let topic = &self.name;
            self.node.log.error(format_args!("TOPIC({topic}): damage in the log - {damage}"));
        }
    }

    pub(crate) fn log_read_error(&self, channel: &ChannelName, error: &io::Error) {
        let topic = &self.name;
        self.node.log.error(format_args!(
            "CHANNEL({channel}): cannot read the log of topic {topic}, will try again - {error}"
        ));
    }

    /// A consumer joins a channel, unless it is full or going.
    pub(crate) fn join(
        &self,
        channel: &Channel,
        client: &Arc<Client>,
    ) -> Result<nsq_broker::ConsumerKey, JoinError> {
        let limit = self.node.options.max_channel_consumers;
        let delivery = client.settings.lock().delivery();
        let subscription = nsq_broker::Subscription {
            msg_timeout_ns: nanos(delivery.msg_timeout),
            sample_rate: delivery.sample_rate,
        };
        let mut broker = channel.broker.lock();
        if channel.exiting.load(Ordering::Acquire) {
            return Err(JoinError::Exiting);
        }
        if limit > 0 && broker.consumer_count() as u64 >= limit {
            return Err(JoinError::TooMany);
        }
        if broker.consumer_count() == 0 {
            self.node.consuming_channels.fetch_add(1, Ordering::Relaxed);
        }
        Ok(broker.join(subscription, Arc::clone(client)))
    }
}

/// Turns the due times of a checkpoint from steady time into wall time.
pub(crate) fn shift(checkpoint: &mut nsq_broker::Checkpoint, offset_ns: i64) {
    for deferred in &mut checkpoint.deferred_added {
        deferred.due_ns = deferred.due_ns.saturating_add(offset_ns);
    }
}

/// A duration in nanoseconds.
pub(crate) fn nanos(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
