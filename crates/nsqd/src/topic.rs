//! A topic of the daemon: publishing, and its channels.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use nsq_app::nanoseconds;
use nsq_broker::{
    Channel as BrokerChannel, ChannelOptions, Handout, HeldRun, Proximity, Sequence,
    Topic as BrokerTopic,
};
use nsq_proto::{ChannelName, TopicName};
use nsq_store::Damage;
use nsq_store::journal::{ChannelNumber, Entry, Journal};
use parking_lot::{Mutex, MutexGuard, RwLock};
use thiserror::Error;

use crate::backing::Backing;
use crate::channel::{Channel, wake};
use crate::client::{Client, add};
use crate::keeper;
use crate::latency::RecentLatencies;
use crate::node::Node;
use crate::space::Shortage;
use crate::syncer::Syncer;

/// One topic.
///
/// Lock order: `journal`, `core`, `channels`, the broker of one channel. Consumers need none of
/// the topic's locks, so that neither a slow disk nor the journal holds up deliveries.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    /// Tells it from an earlier topic of the same name.
    pub(crate) life: u64,
    pub(crate) backing: Backing,
    pub(crate) node: Arc<Node>,
    /// Held over an append and the handing out of what was appended, so that channels hear of
    /// messages in the order of the log.
    pub(crate) core: Mutex<Core>,
    pub(crate) channels: RwLock<BTreeMap<ChannelName, Arc<Channel>>>,
    /// `None` for an ephemeral topic.
    journal: Option<Mutex<Journal>>,
    pub(crate) syncer: Syncer,
    /// Since when messages wait for a sync.
    pub(crate) unsynced_since: Mutex<Option<Instant>>,
    /// When the keeper may look for unneeded segments again.
    pub(crate) rest_until: Mutex<Option<Instant>>,
    /// When it may write the journal again.
    pub(crate) journal_rest_until: Mutex<Option<Instant>>,
    /// Segments with needed messages that cannot be read.
    pub(crate) unreadable_segments: Mutex<BTreeSet<u64>>,
    pub(crate) counters: TopicCounters,
    /// Some messages were copied to the end of the log and the journal may not know where.
    pub(crate) has_unrecorded_copies: AtomicBool,
    /// What the keeper must know: something changed.
    pub(crate) dirty: AtomicBool,
    pub(crate) paused: AtomicBool,
    has_directory: AtomicBool,
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
    /// Hardly any room is left on the disk.
    #[error("{0}")]
    Shortage(Shortage),
    /// The log could not be written.
    #[error("{}", nsq_store::disk::system_text(.0))]
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
        let life = node.next_life();
        Arc::new_cyclic(|me| Self {
            name,
            life,
            backing,
            node,
            core: Mutex::new(Core { broker, exiting: false, next_channel: 0 }),
            channels: RwLock::default(),
            journal: journal.map(Mutex::new),
            syncer: Syncer::default(),
            unsynced_since: Mutex::new(None),
            rest_until: Mutex::new(None),
            journal_rest_until: Mutex::new(None),
            unreadable_segments: Mutex::default(),
            counters: TopicCounters::default(),
            has_unrecorded_copies: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            has_directory: AtomicBool::new(false),
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
        self.require_room()?;
        let mut core = self.core.lock();
        if core.exiting {
            return Err(PublishError::Exiting);
        }
        let published = u64::from(count);
        let Some((block, count)) = self.within_capacity(&core, block, count) else {
            self.count(published, bytes);
            return Ok(Sequence(0));
        };
        let append = || self.backing.append(block, count, timestamp_ns, due_ns);
        let appended = match &self.backing {
            Backing::Log(_) => self.node.meters.appends.time(append),
            Backing::Memory(_) => append(),
        };
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

    /// Refuses what would be written into the last room on the disk.
    fn require_room(&self) -> Result<(), PublishError> {
        if self.journal.is_none() {
            return Ok(());
        }
        self.node.health.space.shortage().map_or(Ok(()), |s| Err(PublishError::Shortage(s)))
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
        let holding = !core.broker.is_open();
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
        let known = self.channels.read().get(name).cloned();
        if let Some(channel) = known.filter(|channel| channel.is_recorded()) {
            return Ok(channel);
        }
        let mut journal = self.journal();
        let mut core = self.core.lock();
        if core.exiting {
            return Err(PublishError::Exiting);
        }
        let known = self.channels.read().get(name).cloned();
        let channel = known.unwrap_or_else(|| self.create_channel(&mut core, name));
        let recorded = match journal.as_deref_mut().filter(|_| !channel.is_recorded()) {
            Some(journal) => self.record_channel(journal, core, &channel),
            None => Ok(()),
        };
        drop(journal);
        self.node.metadata_changed(&self.name);
        self.node.health.note(&recorded);
        recorded?;
        Ok(channel)
    }

    fn create_channel(&self, core: &mut Core, name: &ChannelName) -> Arc<Channel> {
        let number = ChannelNumber(core.next_channel);
        core.next_channel += 1;
        let start = core.broker.on_channel_created(!name.is_ephemeral());
        let broker = BrokerChannel::new(start, self.channel_options(name));
        let (latencies, me) = (self.no_latencies(), self.me.clone());
        let channel = Arc::new(Channel::new(name.clone(), number, broker, latencies, me));
        if self.journal.is_none() {
            channel.set_recorded();
        }
        self.channels.write().insert(name.clone(), Arc::clone(&channel));
        self.release(core);
        self.node.log.info(format_args!("TOPIC({}): new channel({name})", self.name));
        channel
    }

    /// Writes down that a channel came to be, before anybody is told.
    fn record_channel(
        &self,
        journal: &mut Journal,
        core: MutexGuard<'_, Core>,
        channel: &Channel,
    ) -> io::Result<()> {
        self.make_directory()?;
        if journal.is_broken() {
            drop(core);
            if let Some(log) = self.backing.disk() {
                keeper::write_to(journal, self, log)?;
            }
        } else {
            let offset_ns = self.node.clock.offset_ns();
            let mut checkpoint = channel.broker.lock().checkpoint_whole();
            shift(&mut checkpoint, offset_ns);
            let mut held = core.broker.checkpoint_whole();
            held.iter_mut().for_each(|held| shift(held, offset_ns));
            let create = Entry::Create { channel: channel.number, name: &channel.name };
            let state = Entry::Checkpoint { channel: channel.number, checkpoint: &checkpoint };
            journal.write(&[create, state, Entry::Held(held.as_ref())])?;
        }
        if self.node.options.sync_every == 1 {
            journal.sync()?;
            self.node.store.sync_directories()?;
        }
        channel.set_recorded();
        Ok(())
    }

    /// The journal, unless there is none or the topic was deleted: then a topic of the same name
    /// may have its journal in the same place by now.
    pub(crate) fn journal(&self) -> Option<MutexGuard<'_, Journal>> {
        let journal = self.journal.as_ref()?.lock();
        let removed = self.backing.disk().is_some_and(nsq_store::Log::is_removed);
        (!removed).then_some(journal)
    }

    /// Removes everything of the topic from the disk.
    pub(crate) fn remove_files(&self) -> io::Result<()> {
        // Nobody may be writing to the journal.
        let _journal = self.journal.as_ref().map(Mutex::lock);
        self.backing.disk().map_or(Ok(()), nsq_store::Log::remove)
    }

    /// Removes a channel: its consumers are disconnected, what it held is gone. False when there
    /// is no such channel.
    pub(crate) fn delete_channel(&self, name: &ChannelName) -> bool {
        // An ephemeral channel must not wait for the disk.
        let mut journal = (!name.is_ephemeral()).then(|| self.journal()).flatten();
        let mut core = self.core.lock();
        let Some(channel) = self.channels.write().remove(name) else { return false };
        channel.exiting.store(true, Ordering::Release);
        core.broker.on_channel_deleted(!name.is_ephemeral());
        channel.close_consumers();
        if let Some(journal) = journal.as_deref_mut() {
            self.record_deletion(journal, &core, &channel);
        }
        let last = self.channels.read().is_empty();
        drop((core, journal));
        self.node.log.info(format_args!("TOPIC({}): deleting channel {name}", self.name));
        self.node.metadata_changed(&self.name);
        self.touch();
        if last && self.name.is_ephemeral() {
            self.node.delete_topic_if_unused(self);
        }
        true
    }

    /// With the channel goes what it had seen: that is said in the same breath, or a restart
    /// without any channel would begin at the oldest message.
    fn record_deletion(&self, journal: &mut Journal, core: &Core, channel: &Channel) {
        let mut held = core.broker.checkpoint_whole();
        held.iter_mut().for_each(|held| shift(held, self.node.clock.offset_ns()));
        let deleted = Entry::Delete { channel: channel.number };
        let by_time = self.node.options.sync_every > 1;
        let deleted = journal
            .write(&[deleted, Entry::Held(held.as_ref())])
            .and_then(|()| if by_time { Ok(()) } else { journal.sync() });
        self.node.health.note(&deleted);
        if let Err(error) = deleted {
            let (topic, name) = (&self.name, &channel.name);
            self.node.log.error(format_args!(
                "TOPIC({topic}): cannot record the deletion of channel({name}), it may come back \
                 after a restart - {error}"
            ));
        }
    }

    /// An ephemeral channel goes with its last consumer; from here on nobody can join it.
    pub(crate) fn delete_if_unused(&self, channel: &Channel) {
        {
            let broker = channel.broker.lock();
            if broker.consumer_count() > 0 || channel.exiting.swap(true, Ordering::AcqRel) {
                return;
            }
        }
        self.delete_channel(&channel.name);
    }

    pub(crate) fn pause(&self) {
        let mut core = self.core.lock();
        core.broker.pause();
        self.paused.store(true, Ordering::Relaxed);
        drop(core);
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

    /// Holds messages back until [`Self::start`].
    pub(crate) fn hold_start(&self) {
        self.core.lock().broker.hold_start();
    }

    /// Its channels are there: messages may go out.
    pub(crate) fn start(&self) {
        let mut core = self.core.lock();
        core.broker.start();
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
            max_msg_timeout_ns: nanoseconds(options.max_msg_timeout),
            seed: self.node.clock.wall_ns() as u64,
        }
    }

    /// What a new channel begins to record latencies with, if percentiles of them are wanted.
    pub(crate) fn no_latencies(&self) -> Option<RecentLatencies> {
        let options = &self.node.options;
        let window = options.e2e_processing_latency_window_time;
        let wanted = !options.e2e_processing_latency_percentiles.is_empty();
        wanted.then(|| RecentLatencies::new(window, self.node.clock.wall_ns()))
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
        if !self.has_directory.load(Ordering::Relaxed) {
            self.node.disk.create_dir_all(&self.node.store.topic_path(&self.name))?;
            self.has_directory.store(true, Ordering::Relaxed);
        }
        Ok(())
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
        let proximity = match self.node.options.prefers_near_consumers() {
            true if delivery.is_zone_local => Proximity::ZoneLocal,
            true if delivery.is_region_local => Proximity::RegionLocal,
            _ => Proximity::Global,
        };
        let subscription = nsq_broker::Subscription {
            msg_timeout_ns: nanoseconds(delivery.msg_timeout),
            sample_rate: delivery.sample_rate,
            proximity,
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
