//! The registrations of topics and channels.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use nsq_proto::{ChannelName, TopicName};

use super::{ConnectionId, Peer};

/// How long something holds.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// A producer is hidden when its last ping is older.
    pub inactive_ns: i64,
    /// How long a tombstone hides a producer of a topic.
    pub tombstone_ns: i64,
}

impl Lifetimes {
    /// Whether the peer was heard of lately.
    pub(crate) fn is_active(self, last_update_ns: i64, now_ns: i64) -> bool {
        now_ns.saturating_sub(last_update_ns) <= self.inactive_ns
    }

    /// When a peer that is active now becomes inactive.
    pub(crate) fn inactive_at(self, last_update_ns: i64) -> i64 {
        last_update_ns.saturating_add(self.inactive_ns).saturating_add(1)
    }

    /// The latest time whose peers are inactive at `now_ns`.
    pub(crate) fn inactive_before(self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(self.inactive_ns).saturating_sub(1)
    }

    fn is_buried(self, tombstoned_at_ns: Option<i64>, now_ns: i64) -> bool {
        tombstoned_at_ns.is_some_and(|at| now_ns.saturating_sub(at) < self.tombstone_ns)
    }
}

/// What a connection can be registered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// The topic.
    pub topic: TopicName,
    /// Its channel, unless it is for the topic itself.
    pub channel: Option<ChannelName>,
}

/// What REGISTER, or a creation, has added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// The topic's registration is new.
    pub topic: bool,
    /// The channel's registration is new.
    pub channel: bool,
}

/// What UNREGISTER has taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unregistered {
    /// The topic's registration.
    pub topic: bool,
    /// The registrations for channels.
    pub channels: Vec<ChannelName>,
}

/// What was there of a deleted topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// The topic itself.
    pub topic: bool,
    /// Its channels.
    pub channels: Vec<ChannelName>,
}

/// What a consumer gets to know of a topic.
#[derive(Clone, Debug, Default)]
pub struct LookupView {
    /// All channels, with and without producers.
    pub channels: Vec<ChannelName>,
    /// Those that are neither inactive nor hidden, by address.
    pub producers: Vec<Arc<Peer>>,
    /// When time alone changes this at the earliest.
    pub changes_at_ns: Option<i64>,
}

/// A producer of a registration, as `/debug` shows it.
#[derive(Clone, Debug)]
pub struct DebugEntry {
    /// What it is registered for.
    pub registration: Registration,
    /// Who.
    pub peer: Arc<Peer>,
    /// When it was hidden.
    pub tombstoned_at_ns: Option<i64>,
}

/// Topics, their channels and who has them.
#[derive(Debug, Default)]
pub struct Topics {
    topics: BTreeMap<TopicName, Topic>,
    /// The topics in which, or in a channel of which, a connection is a producer.
    by_connection: HashMap<ConnectionId, BTreeSet<TopicName>>,
    /// Counts the changes.
    version: u64,
}

#[derive(Debug, Default)]
struct Topic {
    /// None when only registrations of its channels are left.
    producers: Option<BTreeMap<ConnectionId, Producer>>,
    channels: BTreeMap<ChannelName, BTreeMap<ConnectionId, Arc<Peer>>>,
    /// What [`Topics::version`] was after the last change of this topic.
    version: u64,
}

#[derive(Debug)]
struct Producer {
    peer: Arc<Peer>,
    tombstoned_at_ns: Option<i64>,
}

impl Topics {
    /// Adds the peer to the topic, and to the channel if there is one. What is there already stays
    /// as it is; a tombstone, too.
    pub fn register(
        &mut self,
        peer: &Arc<Peer>,
        name: &TopicName,
        channel: Option<&ChannelName>,
    ) -> Registered {
        let connection = peer.connection;
        let entry = self.topics.entry(name.clone());
        // All registrations share one text.
        let name = &entry.key().clone();
        let topic = entry.or_default();
        let mut registered = Registered::default();
        if let Some(channel) = channel {
            let peers = topic.channels.entry(channel.clone()).or_default();
            registered.channel = peers.insert(connection, Arc::clone(peer)).is_none();
        }
        topic.producers.get_or_insert_default().entry(connection).or_insert_with(|| {
            registered.topic = true;
            Producer { peer: Arc::clone(peer), tombstoned_at_ns: None }
        });
        self.by_connection.entry(connection).or_default().insert(name.clone());
        if registered != Registered::default() {
            self.changed(name);
        }
        registered
    }

    /// Takes the connection out of the channel. An ephemeral channel goes with its last producer.
    pub fn unregister_channel(
        &mut self,
        connection: ConnectionId,
        name: &TopicName,
        channel: &ChannelName,
    ) -> Unregistered {
        let mut unregistered = Unregistered::default();
        let Some(topic) = self.topics.get_mut(name) else { return unregistered };
        let Some(peers) = topic.channels.get_mut(channel) else { return unregistered };
        if peers.remove(&connection).is_some() {
            unregistered.channels.push(channel.clone());
        }
        if peers.is_empty() && channel.is_ephemeral() {
            topic.channels.remove(channel);
        }
        self.settle(connection, name);
        self.changed(name);
        unregistered
    }

    /// Takes the connection out of the topic and its channels. An ephemeral topic goes with its
    /// last producer; channels stay, as in Go NSQ: nsqd unregisters each of them.
    pub fn unregister_topic(&mut self, connection: ConnectionId, name: &TopicName) -> Unregistered {
        let mut unregistered = Unregistered::default();
        let Some(topic) = self.topics.get_mut(name) else { return unregistered };
        for (channel, peers) in &mut topic.channels {
            if peers.remove(&connection).is_some() {
                unregistered.channels.push(channel.clone());
            }
        }
        if let Some(producers) = &mut topic.producers {
            unregistered.topic = producers.remove(&connection).is_some();
            if producers.is_empty() && name.is_ephemeral() {
                topic.producers = None;
            }
        }
        self.settle(connection, name);
        self.changed(name);
        unregistered
    }

    /// Takes a connection that has ended out of everything, with what is ephemeral and was only
    /// its own. Tells what it was registered for.
    pub fn disconnect(&mut self, connection: ConnectionId) -> Vec<Registration> {
        let mut left = Vec::new();
        for name in self.by_connection.remove(&connection).unwrap_or_default() {
            let topic = self.topics.get_mut(&name).expect("the index names what is there");
            topic.channels.retain(|channel, peers| {
                let was_in = peers.remove(&connection).is_some();
                if was_in {
                    let channel = Some(channel.clone());
                    left.push(Registration { topic: name.clone(), channel });
                }
                !(was_in && peers.is_empty() && channel.is_ephemeral())
            });
            if let Some(producers) = &mut topic.producers
                && producers.remove(&connection).is_some()
            {
                left.push(Registration { topic: name.clone(), channel: None });
                if producers.is_empty() && name.is_ephemeral() {
                    topic.producers = None;
                }
            }
            self.drop_if_gone(&name);
            self.changed(&name);
        }
        left
    }

    /// Adds a topic without producers. Whether it is new.
    pub fn create_topic(&mut self, name: &TopicName) -> bool {
        let topic = self.topics.entry(name.clone()).or_default();
        let is_new = topic.producers.is_none();
        topic.producers.get_or_insert_default();
        if is_new {
            self.changed(name);
        }
        is_new
    }

    /// Adds a channel without producers, and its topic.
    pub fn create_channel(&mut self, name: &TopicName, channel: &ChannelName) -> Registered {
        let is_new = self.create_topic(name);
        let topic = self.topics.get_mut(name).expect("it was created");
        let is_new_channel = !topic.channels.contains_key(channel);
        topic.channels.entry(channel.clone()).or_default();
        if is_new_channel {
            self.changed(name);
        }
        Registered { topic: is_new, channel: is_new_channel }
    }

    /// Removes a topic with its channels. Connected nsqd nodes are not told.
    pub fn delete_topic(&mut self, name: &TopicName) -> Deleted {
        let Some(topic) = self.topics.remove(name) else { return Deleted::default() };
        let producers = topic.producers.iter().flat_map(BTreeMap::keys);
        let connections = producers.chain(topic.channels.values().flat_map(BTreeMap::keys));
        for connection in connections {
            self.forget(*connection, name);
        }
        self.changed(name);
        let is_topic = topic.producers.is_some();
        Deleted { topic: is_topic, channels: topic.channels.into_keys().collect() }
    }

    /// Removes a channel. Whether it was there.
    pub fn delete_channel(&mut self, name: &TopicName, channel: &ChannelName) -> bool {
        let Some(topic) = self.topics.get_mut(name) else { return false };
        let Some(peers) = topic.channels.remove(channel) else { return false };
        for connection in peers.into_keys() {
            self.settle(connection, name);
        }
        self.drop_if_gone(name);
        self.changed(name);
        true
    }

    /// Hides the producers of the topic that `node` names. How many there are.
    pub fn tombstone(&mut self, name: &TopicName, node: &str, now_ns: i64) -> usize {
        let topic = self.topics.get_mut(name);
        let producers = topic.and_then(|topic| topic.producers.as_mut());
        let producers = producers.into_iter().flat_map(BTreeMap::values_mut);
        let mut count = 0;
        for producer in producers.filter(|producer| producer.peer.identity.is_node(node)) {
            producer.tombstoned_at_ns = Some(now_ns);
            count += 1;
        }
        if count > 0 {
            self.changed(name);
        }
        count
    }

    /// Counts that a connection became active or inactive as a change of its topics. Whether it has
    /// any.
    pub fn touch(&mut self, connection: ConnectionId) -> bool {
        let Some(names) = self.by_connection.get(&connection) else { return false };
        self.version += 1;
        for name in names {
            if let Some(topic) = self.topics.get_mut(name) {
                topic.version = self.version;
            }
        }
        true
    }

    /// A number that changes whenever a command changes something of the topic; 0 when there is
    /// nothing of it. Time passes without changing it.
    #[must_use]
    pub fn version(&self, name: &str) -> u64 {
        self.topics.get(name).map_or(0, |topic| topic.version)
    }

    /// What consumers of the topic get to know; `None` without the topic.
    #[must_use]
    pub fn lookup(&self, name: &str, now_ns: i64, lifetimes: Lifetimes) -> Option<LookupView> {
        let topic = self.topics.get(name)?;
        let mut view = LookupView::default();
        let (mut seen, mut changes) = (HashSet::new(), Vec::new());
        // From the newest connection on: it counts when an nsqd has several.
        for producer in topic.producers.as_ref()?.values().rev() {
            if !seen.insert(producer.peer.identity.key()) {
                continue;
            }
            let last_update_ns = producer.peer.last_update_ns();
            let is_active = lifetimes.is_active(last_update_ns, now_ns);
            let is_buried = lifetimes.is_buried(producer.tombstoned_at_ns, now_ns);
            if is_active {
                changes.push(lifetimes.inactive_at(last_update_ns));
            }
            if let Some(at) = producer.tombstoned_at_ns.filter(|_| is_buried) {
                changes.push(at.saturating_add(lifetimes.tombstone_ns));
            }
            if is_active && !is_buried {
                view.producers.push(Arc::clone(&producer.peer));
            }
        }
        view.producers.sort_by(|a, b| a.identity.key().cmp(&b.identity.key()));
        view.channels.extend(topic.channels.keys().cloned());
        view.changes_at_ns = changes.into_iter().min();
        Some(view)
    }

    /// The names of the topics that are registered, in order.
    pub fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.iter().filter(|(_, topic)| topic.producers.is_some()).map(|(name, _)| name)
    }

    /// The names of the channels of a topic, in order, whether or not it is registered itself.
    pub fn channels(&self, name: &str) -> impl Iterator<Item = &ChannelName> {
        self.topics.get(name).into_iter().flat_map(|topic| topic.channels.keys())
    }

    /// How many channels there are in all topics.
    #[must_use]
    pub fn channel_count(&self) -> usize {
        self.topics.values().map(|topic| topic.channels.len()).sum()
    }

    /// The topics that a connection serves, in order, with the time at which its tombstone ends
    /// where it has one.
    pub fn topics_of(
        &self,
        connection: ConnectionId,
        now_ns: i64,
        lifetimes: Lifetimes,
    ) -> impl Iterator<Item = (&TopicName, Option<i64>)> {
        let names = self.by_connection.get(&connection).into_iter().flatten();
        names.filter_map(move |name| {
            let producer = self.topics.get(name)?.producers.as_ref()?.get(&connection)?;
            let at = producer.tombstoned_at_ns;
            let at = at.filter(|_| lifetimes.is_buried(at, now_ns));
            Some((name, at.map(|at| at.saturating_add(lifetimes.tombstone_ns))))
        })
    }

    /// Every producer of every registration.
    pub fn debug(&self) -> impl Iterator<Item = DebugEntry> {
        self.topics.iter().flat_map(|(name, topic)| {
            let of = move |channel| Registration { topic: name.clone(), channel };
            let producers = topic.producers.iter().flat_map(BTreeMap::values);
            let producers = producers.map(move |producer| DebugEntry {
                registration: of(None),
                peer: Arc::clone(&producer.peer),
                tombstoned_at_ns: producer.tombstoned_at_ns,
            });
            let channels = topic.channels.iter().flat_map(move |(channel, peers)| {
                peers.values().map(move |peer| DebugEntry {
                    registration: of(Some(channel.clone())),
                    peer: Arc::clone(peer),
                    tombstoned_at_ns: None,
                })
            });
            producers.chain(channels)
        })
    }

    /// Notes a change of the topic, which may be gone by it.
    fn changed(&mut self, name: &TopicName) {
        self.version += 1;
        if let Some(topic) = self.topics.get_mut(name) {
            topic.version = self.version;
        }
    }

    /// Forgets that the connection has to do with the topic, if it has not, and the topic itself
    /// if nothing is left of it.
    fn settle(&mut self, connection: ConnectionId, name: &TopicName) {
        let Some(topic) = self.topics.get(name) else { return self.forget(connection, name) };
        let is_producer = topic.producers.iter().any(|all| all.contains_key(&connection));
        let has_channel = topic.channels.values().any(|peers| peers.contains_key(&connection));
        if !is_producer && !has_channel {
            self.forget(connection, name);
        }
        self.drop_if_gone(name);
    }

    fn forget(&mut self, connection: ConnectionId, name: &TopicName) {
        if let Some(names) = self.by_connection.get_mut(&connection) {
            names.remove(name);
            if names.is_empty() {
                self.by_connection.remove(&connection);
            }
        }
    }

    fn drop_if_gone(&mut self, name: &TopicName) {
        let topic = self.topics.get(name);
        if topic.is_some_and(|topic| topic.producers.is_none() && topic.channels.is_empty()) {
            self.topics.remove(name);
        }
    }
}
