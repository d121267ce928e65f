//! The law of the registry: it shows what a plain map of registrations would, as the original keeps
//! one; whatever changes an answer changes the topic's version, or was announced as a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nsq_proto::{ChannelName, TopicName};
use nsqlookupd::registry::{ConnectionId, Identity, Lifetimes, Peer, Registration, Topics};
use proptest::prelude::*;

const LIFETIMES: Lifetimes = Lifetimes { inactive_ns: 10, tombstone_ns: 6 };
const TOPICS: [&str; 3] = ["a", "b", "c#ephemeral"];
const CHANNELS: [&str; 3] = ["x", "y", "z#ephemeral"];
/// Connections of fewer nsqd nodes: some are connected several times.
const CONNECTIONS: u64 = 5;
const NODES: u64 = 3;

#[derive(Clone, Debug)]
enum Step {
    Register(u64, usize, Option<usize>),
    UnregisterTopic(u64, usize),
    UnregisterChannel(u64, usize, usize),
    Disconnect(u64),
    CreateTopic(usize),
    CreateChannel(usize, usize),
    DeleteTopic(usize),
    DeleteChannel(usize, usize),
    Tombstone(usize, u64),
    Ping(u64),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let (connection, topic, channel) = (0..CONNECTIONS, 0..TOPICS.len(), 0..CHANNELS.len());
    let maybe = proptest::option::of(channel.clone());
    prop_oneof![
        6 => (connection.clone(), topic.clone(), maybe)
            .prop_map(|(n, t, c)| Step::Register(n, t, c)),
        1 => (connection.clone(), topic.clone()).prop_map(|(n, t)| Step::UnregisterTopic(n, t)),
        2 => (connection.clone(), topic.clone(), channel.clone())
            .prop_map(|(n, t, c)| Step::UnregisterChannel(n, t, c)),
        1 => connection.clone().prop_map(Step::Disconnect),
        1 => topic.clone().prop_map(Step::CreateTopic),
        1 => (topic.clone(), channel.clone()).prop_map(|(t, c)| Step::CreateChannel(t, c)),
        1 => topic.clone().prop_map(Step::DeleteTopic),
        1 => (topic.clone(), channel).prop_map(|(t, c)| Step::DeleteChannel(t, c)),
        2 => (topic, 0..NODES).prop_map(|(t, n)| Step::Tombstone(t, n)),
        3 => connection.prop_map(Step::Ping),
        2 => (1..8_i64).prop_map(Step::Pass),
    ]
}

fn topic(number: usize) -> TopicName {
    TOPICS[number].parse().expect("a name")
}

fn channel(number: usize) -> ChannelName {
    CHANNELS[number].parse().expect("a name")
}

/// Every registration with its connections, and when each was hidden.
#[derive(Debug, Default)]
struct Model {
    registrations: BTreeMap<Registration, BTreeMap<u64, Option<i64>>>,
    pinged_ns: [i64; CONNECTIONS as usize],
}

impl Model {
    fn add(&mut self, topic: TopicName, channel: Option<ChannelName>, connection: u64) {
        let registration = Registration { topic, channel };
        self.registrations.entry(registration).or_default().entry(connection).or_insert(None);
    }

    /// What is empty and ephemeral goes if the connection was in it, or if it may go anyway.
    fn remove(&mut self, connection: u64, goes: impl Fn(&Registration, bool) -> Removal) {
        self.registrations.retain(|registration, connections| {
            let is_in = connections.contains_key(&connection);
            let removal = goes(registration, is_in);
            if removal != Removal::None {
                connections.remove(&connection);
            }
            let is_ephemeral = match &registration.channel {
                Some(channel) => channel.is_ephemeral(),
                None => registration.topic.is_ephemeral(),
            };
            !(removal == Removal::WithEphemeral && connections.is_empty() && is_ephemeral)
        });
    }

    fn of_topic(&self, name: &str) -> Option<&BTreeMap<u64, Option<i64>>> {
        let mut found = self.registrations.iter();
        let is_it = |of: &Registration| of.topic.as_str() == name && of.channel.is_none();
        found.find(|(registration, _)| is_it(registration)).map(|(_, connections)| connections)
    }

    fn channels(&self, name: &str) -> Vec<String> {
        let of_topic = self.registrations.keys().filter(|of| of.topic.as_str() == name);
        of_topic.filter_map(|of| of.channel.as_ref().map(ToString::to_string)).collect()
    }

    /// The connections that `/lookup` shows: of each nsqd the newest, unless that is hidden.
    fn shown(&self, name: &str, now_ns: i64) -> Option<BTreeSet<u64>> {
        let connections = self.of_topic(name)?;
        let newest: BTreeMap<u64, u64> = connections.keys().map(|n| (n % NODES, *n)).collect();
        let is_shown = |connection: &u64| {
            let is_active = now_ns - self.pinged_ns[*connection as usize] <= 10;
            is_active && !is_hidden(connections[connection], now_ns)
        };
        Some(newest.into_values().filter(is_shown).collect())
    }
}

fn is_hidden(at_ns: Option<i64>, now_ns: i64) -> bool {
    at_ns.is_some_and(|at| now_ns - at < 6)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    None,
    Plain,
    WithEphemeral,
}

/// Channels and connections.
type Shown = (Vec<String>, BTreeSet<u64>);

struct Both {
    topics: Topics,
    model: Model,
    peers: Vec<Arc<Peer>>,
    now_ns: i64,
}

impl Both {
    fn new() -> Self {
        let peer = |number: u64| {
            let broadcast_address = format!("node{}", number % NODES);
            let identity = Identity { broadcast_address, http_port: 1, ..Identity::default() };
            Arc::new(Peer::new(ConnectionId(number), String::new(), identity, 0))
        };
        let peers = (0..CONNECTIONS).map(peer).collect();
        Self { topics: Topics::default(), model: Model::default(), peers, now_ns: 0 }
    }

    fn apply(&mut self, step: &Step) {
        let Self { topics, model, peers, now_ns } = self;
        match *step {
            Step::Register(number, name, of) => {
                let (name, of) = (topic(name), of.map(channel));
                topics.register(&peers[number as usize], &name, of.as_ref());
                if of.is_some() {
                    model.add(name.clone(), of, number);
                }
                model.add(name, None, number);
            }
            Step::UnregisterTopic(number, name) => {
                let name = topic(name);
                topics.unregister_topic(ConnectionId(number), &name);
                model.remove(number, |of, _| match (of.topic == name, &of.channel) {
                    (true, None) => Removal::WithEphemeral,
                    (true, Some(_)) => Removal::Plain,
                    (false, _) => Removal::None,
                });
            }
            Step::UnregisterChannel(number, name, of) => {
                let registration = Registration { topic: topic(name), channel: Some(channel(of)) };
                topics.unregister_channel(ConnectionId(number), &topic(name), &channel(of));
                model.remove(number, |of, _| match *of == registration {
                    true => Removal::WithEphemeral,
                    false => Removal::None,
                });
            }
            Step::Disconnect(number) => {
                let left: BTreeSet<_> =
                    topics.disconnect(ConnectionId(number)).into_iter().collect();
                let mut expected = BTreeSet::new();
                for (registration, connections) in &model.registrations {
                    if connections.contains_key(&number) {
                        expected.insert(registration.clone());
                    }
                }
                assert_eq!(left, expected);
                model.remove(number, |_, is_in| match is_in {
                    true => Removal::WithEphemeral,
                    false => Removal::None,
                });
            }
            Step::Ping(number) => {
                let before_ns = peers[number as usize].ping(*now_ns);
                if *now_ns - before_ns > LIFETIMES.inactive_ns {
                    topics.touch(ConnectionId(number));
                }
                model.pinged_ns[number as usize] = *now_ns;
            }
            Step::Pass(time_ns) => *now_ns += time_ns,
            _ => self.administer(step),
        }
    }

    fn administer(&mut self, step: &Step) {
        let Self { topics, model, now_ns, .. } = self;
        let all = &mut model.registrations;
        match *step {
            Step::CreateTopic(name) => {
                let registration = Registration { topic: topic(name), channel: None };
                let is_new = !all.contains_key(&registration);
                assert_eq!(topics.create_topic(&topic(name)), is_new);
                all.entry(registration).or_default();
            }
            Step::CreateChannel(name, of) => {
                topics.create_channel(&topic(name), &channel(of));
                for channel in [None, Some(channel(of))] {
                    all.entry(Registration { topic: topic(name), channel }).or_default();
                }
            }
            Step::DeleteTopic(name) => {
                topics.delete_topic(&topic(name));
                all.retain(|of, _| of.topic != topic(name));
            }
            Step::DeleteChannel(name, of) => {
                let registration = Registration { topic: topic(name), channel: Some(channel(of)) };
                let is_deleted = topics.delete_channel(&topic(name), &channel(of));
                assert_eq!(is_deleted, all.remove(&registration).is_some());
            }
            Step::Tombstone(name, node) => {
                topics.tombstone(&topic(name), &format!("node{node}:1"), *now_ns);
                let registration = Registration { topic: topic(name), channel: None };
                let connections = all.get_mut(&registration).into_iter().flatten();
                for (_, at_ns) in connections.filter(|(number, _)| *number % NODES == node) {
                    *at_ns = Some(*now_ns);
                }
            }
            _ => unreachable!("the others are applied above"),
        }
    }

    /// What `/lookup` shows, and when time changes it.
    fn shown(&self, name: &str, now_ns: i64) -> (Option<Shown>, Option<i64>) {
        let Some(view) = self.topics.lookup(name, now_ns, LIFETIMES) else { return (None, None) };
        let channels = view.channels.iter().map(ToString::to_string).collect();
        let producers = view.producers.iter().map(|peer| peer.connection.0).collect();
        (Some((channels, producers)), view.changes_at_ns)
    }

    fn check(&self) {
        let names: Vec<_> = self.topics.topics().map(TopicName::as_str).collect();
        let expected = TOPICS.iter().filter(|name| self.model.of_topic(name).is_some());
        assert_eq!(names, expected.copied().collect::<Vec<_>>());
        for name in TOPICS {
            let channels: Vec<_> = self.topics.channels(name).map(ToString::to_string).collect();
            assert_eq!(channels, self.model.channels(name), "{name}");
            for now_ns in self.now_ns..self.now_ns + 12 {
                let expected = self.model.shown(name, now_ns);
                let expected = expected.map(|shown| (self.model.channels(name), shown));
                assert_eq!(self.shown(name, now_ns).0, expected, "{name} at {now_ns}");
            }
            self.check_announced(name);
        }
        for number in 0..CONNECTIONS {
            let of = self.topics.topics_of(ConnectionId(number), self.now_ns, LIFETIMES);
            let of: Vec<_> = of.map(|(name, end)| (name.as_str(), end.is_some())).collect();
            let expected = TOPICS.iter().filter_map(|name| {
                let at_ns = self.model.of_topic(name)?.get(&number)?;
                Some((*name, is_hidden(*at_ns, self.now_ns)))
            });
            assert_eq!(of, expected.collect::<Vec<_>>(), "connection {number}");
        }
        let count: usize = self.model.registrations.values().map(BTreeMap::len).sum();
        assert_eq!(self.topics.debug().count(), count);
    }

    /// Until the time that is announced the answer stays.
    fn check_announced(&self, name: &str) {
        let (now, changes_at_ns) = self.shown(name, self.now_ns);
        for later_ns in self.now_ns..changes_at_ns.unwrap_or(self.now_ns + 12) {
            assert_eq!(self.shown(name, later_ns).0, now, "{name} at {later_ns}");
        }
    }
}

proptest! {
    #[test]
    fn it_is_a_map_of_registrations(steps in proptest::collection::vec(step(), 1..60)) {
        let mut both = Both::new();
        for step in &steps {
            let now_ns = both.now_ns;
            let before = TOPICS.map(|name| (both.shown(name, now_ns).0, both.topics.version(name)));
            both.apply(step);
            both.check();
            for (name, (shown, version)) in TOPICS.into_iter().zip(before) {
                let is_other = both.shown(name, now_ns).0 != shown;
                // A ping of the present shows nothing of the past.
                let is_told = both.topics.version(name) != version;
                prop_assert!(!is_other || is_told, "{name} after {step:?}");
            }
        }
    }
}
