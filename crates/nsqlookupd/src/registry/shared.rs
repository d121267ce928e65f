//! The registry that connections and requests share.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nsq_proto::{ChannelName, TopicName};
use parking_lot::RwLock;
use tokio::sync::watch;

use super::{
    ConnectionId, DebugEntry, Deleted, Lifetimes, LookupView, Peer, Registered, Registration,
    Topics, Unregistered,
};

/// In how many parts the topics are kept.
const SHARDS: usize = 64;

/// All topics in parts, and the connected nsqd nodes. Every lock is held for a moment, alone, and
/// nothing is encoded meanwhile.
#[derive(Debug)]
pub struct SharedRegistry {
    shards: Vec<Shard>,
    hasher: RandomState,
    peers: RwLock<BTreeMap<ConnectionId, Arc<Peer>>>,
    /// Counts what changes the list of nodes.
    nodes_changed: watch::Sender<u64>,
    lifetimes: Lifetimes,
    registrations: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    topics: RwLock<Topics>,
    /// Wakes who waits for a change of one of these topics.
    changed: watch::Sender<()>,
}

/// A connected nsqd with its topics.
#[derive(Clone, Debug)]
pub struct Node {
    /// Who.
    pub peer: Arc<Peer>,
    /// What it serves, in order, and whether a tombstone hides it there.
    pub topics: Vec<(TopicName, bool)>,
}

/// All connected nsqd nodes.
#[derive(Clone, Debug, Default)]
pub struct NodesView {
    /// By address.
    pub nodes: Vec<Node>,
    /// When time alone changes this at the earliest.
    pub changes_at_ns: Option<i64>,
}

impl SharedRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new(lifetimes: Lifetimes) -> Self {
        Self {
            shards: std::iter::repeat_with(Shard::default).take(SHARDS).collect(),
            hasher: RandomState::new(),
            peers: RwLock::default(),
            nodes_changed: watch::Sender::new(0),
            lifetimes,
            registrations: AtomicU64::new(0),
        }
    }

    /// Adds an nsqd that has identified.
    ///
    /// If it was connected before, that connection is most likely dead, as behind a partition of
    /// the network: it counts as inactive until it pings. It would otherwise go on naming topics
    /// that the nsqd has deleted meanwhile, and consumers who come for one create it again.
    pub fn connect(&self, peer: &Arc<Peer>) {
        let older: Vec<Arc<Peer>> = {
            let mut peers = self.peers.write();
            peers.insert(peer.connection, Arc::clone(peer));
            let same = |other: &&Arc<Peer>| other.identity.key() == peer.identity.key();
            let others = peers.values().filter(|other| other.connection != peer.connection);
            others.filter(same).cloned().collect()
        };
        let long_ago_ns = self.lifetimes.inactive_before(peer.last_update_ns());
        for other in older {
            other.expire(long_ago_ns);
            self.note_activity(other.connection);
        }
        self.note_nodes();
    }

    /// Removes an nsqd whose connection has ended from everything.
    pub fn disconnect(&self, connection: ConnectionId) -> Vec<Registration> {
        let mut left = Vec::new();
        for shard in &self.shards {
            let of_shard = shard.topics.write().disconnect(connection);
            if !of_shard.is_empty() {
                shard.changed.send_replace(());
            }
            left.extend(of_shard);
        }
        self.peers.write().remove(&connection);
        self.note_nodes();
        left
    }

    /// Notes that the nsqd is alive; tells when it was heard of before.
    pub fn ping(&self, peer: &Peer, now_ns: i64) -> i64 {
        let before_ns = peer.ping(now_ns);
        if !self.lifetimes.is_active(before_ns, now_ns) {
            // It is back.
            self.note_activity(peer.connection);
            self.note_nodes();
        }
        before_ns
    }

    /// See [`Topics::register`].
    pub fn register(
        &self,
        peer: &Arc<Peer>,
        topic: &TopicName,
        channel: Option<&ChannelName>,
    ) -> Registered {
        self.registrations.fetch_add(1, Ordering::Relaxed);
        self.change(topic, |topics| topics.register(peer, topic, channel))
    }

    /// See [`Topics::unregister_channel`].
    pub fn unregister_channel(
        &self,
        connection: ConnectionId,
        topic: &TopicName,
        channel: &ChannelName,
    ) -> Unregistered {
        self.change(topic, |topics| topics.unregister_channel(connection, topic, channel))
    }

    /// See [`Topics::unregister_topic`].
    pub fn unregister_topic(&self, connection: ConnectionId, topic: &TopicName) -> Unregistered {
        self.change(topic, |topics| topics.unregister_topic(connection, topic))
    }

    /// See [`Topics::create_topic`].
    pub fn create_topic(&self, topic: &TopicName) -> bool {
        self.change(topic, |topics| topics.create_topic(topic))
    }

    /// See [`Topics::create_channel`].
    pub fn create_channel(&self, topic: &TopicName, channel: &ChannelName) -> Registered {
        self.change(topic, |topics| topics.create_channel(topic, channel))
    }

    /// See [`Topics::delete_topic`].
    pub fn delete_topic(&self, topic: &TopicName) -> Deleted {
        self.change(topic, |topics| topics.delete_topic(topic))
    }

    /// See [`Topics::delete_channel`].
    pub fn delete_channel(&self, topic: &TopicName, channel: &ChannelName) -> bool {
        self.change(topic, |topics| topics.delete_channel(topic, channel))
    }

    /// See [`Topics::tombstone`].
    pub fn tombstone(&self, topic: &TopicName, node: &str, now_ns: i64) -> usize {
        self.change(topic, |topics| topics.tombstone(topic, node, now_ns))
    }

    /// See [`Topics::lookup`].
    pub fn lookup(&self, topic: &str, now_ns: i64) -> Option<LookupView> {
        self.shard(topic).topics.read().lookup(topic, now_ns, self.lifetimes)
    }

    /// See [`Topics::version`].
    pub fn version(&self, topic: &str) -> u64 {
        self.shard(topic).topics.read().version(topic)
    }

    /// Hears of changes of the topic, and of some others.
    pub fn changes_of(&self, topic: &str) -> watch::Receiver<()> {
        self.shard(topic).changed.subscribe()
    }

    /// Hears of changes of the list of nodes; the value is their count.
    pub fn changes_of_nodes(&self) -> watch::Receiver<u64> {
        self.nodes_changed.subscribe()
    }

    /// The names of a topic's channels, in order.
    pub fn channels(&self, topic: &str) -> Vec<ChannelName> {
        self.shard(topic).topics.read().channels(topic).cloned().collect()
    }

    /// The names of all topics, in order.
    pub fn topics(&self) -> Vec<TopicName> {
        let mut names = Vec::new();
        for shard in &self.shards {
            names.extend(shard.topics.read().topics().cloned());
        }
        names.sort_unstable();
        names
    }

    /// How many topics and channels there are.
    pub fn counts(&self) -> (usize, usize) {
        let mut counts = (0, 0);
        for shard in &self.shards {
            let topics = shard.topics.read();
            counts = (counts.0 + topics.topics().count(), counts.1 + topics.channel_count());
        }
        counts
    }

    /// How many `REGISTER` commands there were.
    pub fn registrations(&self) -> u64 {
        self.registrations.load(Ordering::Relaxed)
    }

    /// The connected nsqd nodes, whether active or not, in the order in which they came.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.read().values().cloned().collect()
    }

    /// The connected nsqd nodes that are active, with their topics; of several connections of one
    /// nsqd the newest.
    pub fn nodes(&self, now_ns: i64) -> NodesView {
        let mut peers = self.peers();
        let mut seen = HashSet::new();
        peers.reverse();
        peers.retain(|peer| {
            let (address, tcp, http) = peer.identity.key();
            seen.insert((address.to_owned(), tcp, http))
        });
        let is_active = |peer: &Peer| self.lifetimes.is_active(peer.last_update_ns(), now_ns);
        peers.retain(|peer| is_active(peer));
        peers.sort_by(|a, b| a.identity.key().cmp(&b.identity.key()));
        let ends = peers.iter().map(|peer| self.lifetimes.inactive_at(peer.last_update_ns()));
        let mut changes_at_ns = ends.min();
        let nodes = peers.into_iter().map(|peer| Node { peer, topics: Vec::new() });
        let mut nodes: Vec<_> = nodes.collect();
        for shard in &self.shards {
            let topics = shard.topics.read();
            for node in &mut nodes {
                let connection = node.peer.connection;
                for (name, ends_ns) in topics.topics_of(connection, now_ns, self.lifetimes) {
                    node.topics.push((name.clone(), ends_ns.is_some()));
                    changes_at_ns = changes_at_ns.into_iter().chain(ends_ns).min();
                }
            }
        }
        nodes.iter_mut().for_each(|node| node.topics.sort_unstable());
        NodesView { nodes, changes_at_ns }
    }

    /// Every producer of every registration of topics and channels.
    pub fn debug(&self) -> Vec<DebugEntry> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            entries.extend(shard.topics.read().debug());
        }
        entries
    }

    fn shard(&self, topic: &str) -> &Shard {
        &self.shards[self.hasher.hash_one(topic) as usize % SHARDS]
    }

    /// Changes a topic and wakes those who wait for it if it is another then.
    fn change<T>(&self, topic: &TopicName, change: impl FnOnce(&mut Topics) -> T) -> T {
        let shard = self.shard(topic.as_str());
        let (done, is_other) = {
            let mut topics = shard.topics.write();
            let before = topics.version(topic.as_str());
            let done = change(&mut topics);
            (done, topics.version(topic.as_str()) != before)
        };
        if is_other {
            shard.changed.send_replace(());
            self.note_nodes();
        }
        done
    }

    /// The connection became active or inactive: those who wait for its topics want to know.
    fn note_activity(&self, connection: ConnectionId) {
        for shard in &self.shards {
            if shard.topics.write().touch(connection) {
                shard.changed.send_replace(());
            }
        }
    }

    fn note_nodes(&self) {
        self.nodes_changed.send_modify(|count| *count += 1);
    }
}
