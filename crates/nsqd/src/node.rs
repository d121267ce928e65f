//! One nsqd: its topics and what they share.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use nsq_app::flags::TlsRequired;
use nsq_app::{Aside, Clock, Logger};
use nsq_broker::Topic as BrokerTopic;
use nsq_proto::{IdentifyLimits, Limits, NodeId, TopicName};
use nsq_store::disk::Disk;
use nsq_store::metadata::{ChannelMeta, Metadata, TopicMeta};
use nsq_store::{Store, StoreOptions};
use parking_lot::{Mutex, RwLock};
use tokio::sync::Semaphore;

use crate::backing::{Backing, MemoryLog};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::handles::Handles;
use crate::health::Health;
use crate::http::Ports;
use crate::keeper::{self, Keeper};
use crate::lookup::LookupPeers;
use crate::metadata::MetadataKeeper;
use crate::meters::Meters;
use crate::options::Options;
use crate::restore;
use crate::space::DiskSpace;
use crate::sweep::Sweep;
use crate::topic::{PublishError, Topic};

/// How many topics are written down at once when the daemon stops.
const FINISHERS: usize = 8;
/// The version of NSQ whose behaviour this is.
pub(crate) const VERSION: &str = "1.3.0";

/// The daemon's state. Lock order: `topics`, then a topic's own locks.
#[derive(Debug)]
pub struct Node {
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) identify_limits: IdentifyLimits,
    pub(crate) handles: Handles,
    pub(crate) credentials: Credentials,
    pub(crate) node_id: NodeId,
    pub(crate) clock: Clock,
    pub(crate) log: Logger,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: Store,
    pub(crate) health: Health,
    pub(crate) meters: Meters,
    pub(crate) aside: Aside,
    pub(crate) sweep: Sweep,
    pub(crate) keeper: Keeper,
    /// Leaves a worker thread free when the disk holds up all publishers.
    pub(crate) append_permits: Semaphore,
    pub(crate) clients: Mutex<HashMap<u64, Arc<Client>>>,
    /// Channels with a consumer: they share the memory for what was fetched.
    pub(crate) consuming_channels: AtomicUsize,
    topics: RwLock<HashMap<TopicName, Arc<Topic>>>,
    /// Topics are created and deleted one at a time.
    changing_topics: Mutex<()>,
    pub(crate) metadata: MetadataKeeper,
    pub(crate) lookup: LookupPeers,
    /// What was bound, once it is.
    ports: OnceLock<Ports>,
    /// Gives every topic a number of its own.
    next_life: AtomicU64,
    exiting: AtomicBool,
    pub(crate) data_path: PathBuf,
}

impl Node {
    /// A node on the data directory, which the caller has locked. Topics are not loaded yet.
    /// `append_permits` says how many publishers may wait for the page cache at once.
    pub(crate) fn new(
        options: Options,
        credentials: Credentials,
        disk: Arc<dyn Disk>,
        log: Logger,
        append_permits: usize,
    ) -> io::Result<Arc<Self>> {
        let node_id = u16::try_from(options.node_id).ok().and_then(NodeId::new);
        let node_id = node_id.ok_or(io::ErrorKind::InvalidInput)?;
        let data_path = data_path(&options);
        let limit = nsq_app::host::max_open_files();
        let handles = Handles::share(limit, options.max_connections);
        if let Some(warning) = Handles::warning(limit, options.max_connections) {
            log.warning(format_args!("{warning}"));
        }
        let store = Store::new(StoreOptions {
            data_path: data_path.clone(),
            disk: Arc::clone(&disk),
            node_id,
            max_bytes_per_file: options.max_bytes_per_file,
            mem_queue_size: options.mem_queue_size,
            memory_bytes: usize::try_from(options.mem_queue_bytes).unwrap_or(usize::MAX),
            max_open_files: handles.segments,
        })?;
        let space = DiskSpace::new(Arc::clone(&disk), data_path.clone(), options.min_free_disk);
        let health = Health::new(space);
        Ok(Arc::new(Self {
            limits: options.limits(),
            identify_limits: options.identify_limits(),
            handles,
            credentials,
            options,
            node_id,
            clock: Clock::start(),
            log,
            disk,
            store,
            health,
            meters: Meters::default(),
            aside: Aside::start("statistics")?,
            sweep: Sweep::default(),
            keeper: Keeper::default(),
            append_permits: Semaphore::new(append_permits),
            clients: Mutex::default(),
            consuming_channels: AtomicUsize::new(0),
            topics: RwLock::default(),
            changing_topics: Mutex::default(),
            metadata: MetadataKeeper::new(),
            lookup: LookupPeers::default(),
            ports: OnceLock::new(),
            next_life: AtomicU64::new(0),
            exiting: AtomicBool::new(false),
            data_path,
        }))
    }

    /// Loads `nsqd.dat` and every log there is, then writes `nsqd.dat`.
    pub(crate) fn load(self: &Arc<Self>) -> anyhow::Result<()> {
        let (metadata, warnings) = Metadata::load(&*self.disk, &self.data_path)
            .map_err(|error| anyhow::anyhow!("failed to load metadata - {error}"))?;
        for warning in warnings {
            self.log.warning(format_args!("{warning}"));
        }
        for meta in &metadata.topics {
            self.load_topic(&meta.name, Some(meta))?;
        }
        // A topic that was created just before a crash is not in nsqd.dat.
        for name in self.store.topics()? {
            if !self.topics.read().contains_key(&name) {
                self.load_topic(&name, None)?;
            }
        }
        self.begin_metadata()
            .map_err(|error| anyhow::anyhow!("failed to persist metadata - {error}"))
    }

    fn load_topic(
        self: &Arc<Self>,
        name: &TopicName,
        meta: Option<&TopicMeta>,
    ) -> anyhow::Result<()> {
        let topic = if name.is_ephemeral() {
            self.memory_topic(name)
        } else {
            let channels = meta.map_or(&[][..], |meta| &meta.channels);
            restore::topic(self, name, channels).map_err(|error| {
                let path = self.store.topic_path(name);
                let path = path.display();
                anyhow::anyhow!(
                    "cannot open the log of topic {name} in {path} - {error}; \
                     make the directory readable and writable, or move it away to start without it"
                )
            })?
        };
        self.topics.write().insert(name.clone(), Arc::clone(&topic));
        match meta {
            Some(meta) if meta.paused => topic.pause(),
            _ => topic.unpause(),
        }
        let Some(meta) = meta else { return Ok(()) };
        for ChannelMeta { name, paused } in &meta.channels {
            let channel = topic.channel(name).map_err(|error| anyhow::anyhow!("{error}"))?;
            if *paused {
                channel.broker.lock().pause();
            }
        }
        Ok(())
    }

    fn memory_topic(self: &Arc<Self>, name: &TopicName) -> Arc<Topic> {
        let backing = Backing::Memory(MemoryLog::new(self.clock.wall_ns(), self.node_id));
        Topic::new(name.clone(), Arc::clone(self), backing, BrokerTopic::default(), None)
    }

    /// The topic of this name; created when there is none.
    pub(crate) fn topic(self: &Arc<Self>, name: &TopicName) -> Result<Arc<Topic>, PublishError> {
        if let Some(topic) = self.topics.read().get(name) {
            return Ok(Arc::clone(topic));
        }
        let _one_at_a_time = self.changing_topics.lock();
        if let Some(topic) = self.topics.read().get(name) {
            return Ok(Arc::clone(topic));
        }
        if self.exiting.load(Ordering::Acquire) {
            return Err(PublishError::Exiting);
        }
        let topic = if name.is_ephemeral() {
            self.memory_topic(name)
        } else {
            restore::topic(self, name, &[])?
        };
        let asks = self.asks_for_channels();
        if asks {
            topic.hold_start();
        }
        self.topics.write().insert(name.clone(), Arc::clone(&topic));
        self.log.info(format_args!("TOPIC({name}): created"));
        if asks {
            tokio::spawn(Arc::clone(self).start_topic(Arc::clone(&topic)));
        }
        self.metadata_changed(name);
        Ok(topic)
    }

    /// The same for a task: what must wait for the disk waits on a thread that may.
    pub(crate) async fn topic_soon(
        self: &Arc<Self>,
        name: &TopicName,
    ) -> Result<Arc<Topic>, PublishError> {
        if let Some(topic) = self.existing_topic(name.as_str()) {
            return Ok(topic);
        }
        let (node, name) = (Arc::clone(self), name.clone());
        let created = tokio::task::spawn_blocking(move || node.topic(&name)).await;
        created.unwrap_or(Err(PublishError::Exiting))
    }

    /// The topic of this name, if there is one.
    pub(crate) fn existing_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().get(name).cloned()
    }

    /// Notes what was bound.
    /// Who must speak TLS.
    pub(crate) fn tls_required(&self) -> TlsRequired {
        self.options.tls().required()
    }

    pub(crate) fn set_ports(&self, ports: Ports) {
        // Said once, before anybody asks.
        if self.ports.set(ports).is_err() {}
    }

    /// The ports that were bound.
    pub(crate) fn ports(&self) -> Ports {
        self.ports.get().copied().unwrap_or_default()
    }

    /// A number that no other topic of this process has.
    pub(crate) fn next_life(&self) -> u64 {
        self.next_life.fetch_add(1, Ordering::Relaxed)
    }

    /// All topics, by name.
    pub(crate) fn topics(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.topics.read().values().cloned().collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        topics
    }

    /// Removes a topic with everything in it. False when there is none. Waits for the disk.
    pub(crate) fn delete_topic(&self, name: &TopicName) -> bool {
        let _one_at_a_time = self.changing_topics.lock();
        let Some(topic) = self.existing_topic(name.as_str()) else { return false };
        topic.core.lock().exiting = true;
        self.remove_topic(&topic);
        true
    }

    /// Waits until a topic that is just being deleted is gone.
    pub(crate) fn await_changes_of_topics(&self) {
        drop(self.changing_topics.lock());
    }

    /// An ephemeral topic goes with its last channel, unless somebody has just made a new one.
    pub(crate) fn delete_topic_if_unused(&self, topic: &Topic) {
        let _one_at_a_time = self.changing_topics.lock();
        {
            let mut core = topic.core.lock();
            if core.exiting || !topic.channels.read().is_empty() {
                return;
            }
            core.exiting = true;
        }
        self.remove_topic(topic);
    }

    /// Nothing is accepted any more; a topic of the same name can be created when this returns.
    fn remove_topic(&self, topic: &Topic) {
        let name = &topic.name;
        self.log.info(format_args!("TOPIC({name}): deleting"));
        self.topics.write().remove(name);
        for channel in topic.channels.read().values() {
            channel.exiting.store(true, Ordering::Release);
            channel.close_consumers();
        }
        let removed = topic.remove_files();
        if let Err(error) = removed {
            let path = self.store.topic_path(name);
            let path = path.display();
            self.log.error(format_args!(
                "TOPIC({name}): cannot remove {path}, it will come back after a restart - {error}"
            ));
        }
        self.metadata_changed(name);
    }

    /// Refuses what comes from now on and writes everything down. Connections are closed already.
    pub(crate) fn finish(&self) {
        self.exiting.store(true, Ordering::Release);
        self.log.info(format_args!("NSQ: persisting topic/channel metadata"));
        if let Err(error) = self.store_metadata() {
            self.log.error(format_args!("failed to persist metadata - {error}"));
        }
        self.metadata.set_quiet(true);
        self.log.info(format_args!("NSQ: closing topics"));
        let topics = self.topics();
        let next = AtomicUsize::new(0);
        // Each topic waits for the disk, which serves many at once better than one by one.
        std::thread::scope(|scope| {
            for _ in 0..FINISHERS.min(topics.len()) {
                scope.spawn(|| self.finish_topics(&topics, &next));
            }
        });
    }

    fn finish_topics(&self, topics: &[Arc<Topic>], next: &AtomicUsize) {
        while let Some(topic) = topics.get(next.fetch_add(1, Ordering::Relaxed)) {
            self.finish_topic(topic);
        }
    }

    fn finish_topic(&self, topic: &Topic) {
        topic.core.lock().exiting = true;
        if let Err(error) = keeper::finish(topic) {
            let name = &topic.name;
            self.log.error(format_args!(
                "TOPIC({name}): cannot write everything down, what was finished last will be \
                 delivered again - {error}"
            ));
        }
    }
}

/// The data directory; the working directory when none is given.
pub(crate) fn data_path(options: &Options) -> PathBuf {
    match options.data_path.as_str() {
        "" => PathBuf::from("."),
        path => PathBuf::from(path),
    }
}
