//! One nsqd of the cluster.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use super::survey::mark_out_of_date;
use super::version::Version;
use crate::{Info, LookupNode, Producer, Stats, host_port};

/// An nsqd, as the nsqlookupds tell of it or as it introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Where it is asked over HTTP: as it was given, or else its broadcast address.
    pub address: String,
    /// Address under which others reach it.
    pub broadcast_address: String,
    /// Host name from its operating system.
    pub hostname: String,
    /// Port for the TCP protocol.
    pub tcp_port: i64,
    /// Port for HTTP.
    pub http_port: i64,
    /// NSQ version it is compatible with.
    pub version: String,
    /// Zone it is in; empty if it says none.
    pub topology_zone: String,
    /// Region it is in; empty if it says none.
    pub topology_region: String,
    /// Where its connection comes from, of the nsqlookupd that is first to know it; else empty.
    pub remote_address: String,
    /// `<nsqlookupd>/<where its connection comes from>` for each that knows it.
    pub remote_addresses: Vec<String>,
    /// Its topics, sorted; of a topic's nodes only that one.
    pub topics: Vec<NodeTopic>,
    /// Whether another node has a higher version.
    pub is_out_of_date: bool,
}

/// A topic of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeTopic {
    /// Its name.
    pub name: String,
    /// Whether the node is hidden from the topic's consumers.
    pub is_tombstoned: bool,
}

impl Node {
    /// From `/nodes` of an nsqlookupd.
    pub(super) fn of_lookupd(lookupd: &str, node: LookupNode) -> Self {
        let LookupNode { producer, tombstones, topics } = node;
        let tombstones = tombstones.into_iter().chain(std::iter::repeat(false));
        let topics = topics.into_iter().zip(tombstones);
        let topics = topics.map(|(name, is_tombstoned)| NodeTopic { name, is_tombstoned });
        Self { topics: topics.collect(), ..Self::of_producer(lookupd, producer) }
    }

    /// From `/lookup` of an nsqlookupd.
    pub(super) fn of_topic(lookupd: &str, producer: Producer, topic: &str) -> Self {
        let topic = NodeTopic { name: topic.to_owned(), is_tombstoned: false };
        Self { topics: vec![topic], ..Self::of_producer(lookupd, producer) }
    }

    fn of_producer(lookupd: &str, producer: Producer) -> Self {
        let remote = match &*producer.remote_address {
            "" => "N/A",
            address => address,
        };
        Self {
            address: host_port::join(&producer.broadcast_address, producer.http_port),
            remote_addresses: vec![format!("{lookupd}/{remote}")],
            remote_address: producer.remote_address,
            broadcast_address: producer.broadcast_address,
            hostname: producer.hostname,
            tcp_port: producer.tcp_port,
            http_port: producer.http_port,
            version: producer.version,
            topology_zone: producer.topology_zone,
            topology_region: producer.topology_region,
            ..Self::default()
        }
    }

    /// From `/info` and `/stats` of the nsqd at `address`. It is asked there again: that address
    /// worked, and the one for others may mean nothing here. An old nsqd does not say all.
    pub(super) fn of_nsqd(address: String, info: Info, stats: Stats) -> Self {
        let (host, port) = host_port::split(&address);
        let or_host = |text: String| if text.is_empty() { host.to_owned() } else { text };
        let names = stats.topics.into_iter().flatten().map(|topic| topic.topic_name);
        let topics = names.map(|name| NodeTopic { name, is_tombstoned: false }).collect();
        let http_port = match &*info.broadcast_address {
            "" => port.parse().unwrap_or_default(),
            _ => i64::from(info.http_port),
        };
        Self {
            broadcast_address: or_host(info.broadcast_address),
            hostname: or_host(info.hostname),
            tcp_port: i64::from(info.tcp_port),
            http_port,
            version: info.version,
            topology_zone: info.topology_zone,
            topology_region: info.topology_region,
            topics,
            address,
            ..Self::default()
        }
    }

    /// Where it takes the TCP protocol, on the host where it is asked over HTTP: that one can be
    /// reached from here.
    #[must_use]
    pub fn near_tcp_address(&self) -> String {
        let (host, _) = host_port::split(&self.address);
        host_port::join(host, self.tcp_port)
    }

    /// Whether it has the topic.
    #[must_use]
    pub fn has(&self, topic: &str) -> bool {
        self.topics.iter().any(|found| found.name == topic)
    }

    /// `host:port` by which others know its HTTP; also its name in nsqadmin.
    #[must_use]
    pub fn http_address(&self) -> String {
        host_port::join(&self.broadcast_address, self.http_port)
    }

    /// `host:port` for clients.
    #[must_use]
    pub fn tcp_address(&self) -> String {
        host_port::join(&self.broadcast_address, self.tcp_port)
    }

    pub(super) fn parsed_version(&self) -> Version {
        Version::parse(&self.version)
    }

    /// Adds what another nsqlookupd says of the same node. What both say differently stays.
    fn absorb(&mut self, other: Self) {
        self.remote_addresses.extend(other.remote_addresses);
        self.topics.extend(other.topics);
    }
}

/// Each node once, sorted by host name and address. Nodes are the same if they are asked at the
/// same address and have the same port for clients.
pub(super) fn merge_nodes(told: impl IntoIterator<Item = Node>) -> Vec<Node> {
    merge_by(told, |node| (node.address.clone(), node.tcp_port))
}

/// The same for those that serve a topic: one that is asked at the same address is the same, so
/// that nothing is counted twice while an nsqlookupd knows an old port.
pub(super) fn merge_topic_nodes(told: impl IntoIterator<Item = Node>) -> Vec<Node> {
    merge_by(told, |node| node.address.clone())
}

fn merge_by<K: Hash + Eq>(
    told: impl IntoIterator<Item = Node>,
    key: impl Fn(&Node) -> K,
) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    let mut places: HashMap<K, usize> = HashMap::new();
    for node in told {
        match places.entry(key(&node)) {
            Entry::Occupied(place) => {
                if let Some(known) = nodes.get_mut(*place.get()) {
                    known.absorb(node);
                }
            }
            Entry::Vacant(place) => {
                place.insert(nodes.len());
                nodes.push(node);
            }
        }
    }
    for node in &mut nodes {
        // Stable, and the first of a name stays: what was told first.
        node.topics.sort_by(|a, b| a.name.cmp(&b.name));
        node.topics.dedup_by(|later, first| later.name == first.name);
    }
    mark_out_of_date(&mut nodes.iter_mut().collect::<Vec<_>>());
    nodes.sort_by(|a, b| (&a.hostname, &a.address).cmp(&(&b.hostname, &b.address)));
    nodes
}

/// Those that are asked at an address that none before them is asked at.
pub(super) fn of_distinct_addresses(nodes: impl IntoIterator<Item = Node>) -> Vec<Node> {
    let mut seen = HashSet::new();
    nodes.into_iter().filter(|node| seen.insert(node.address.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopicStats;

    fn producer(hostname: &str, port: i64, version: &str) -> Producer {
        Producer {
            hostname: hostname.to_owned(),
            broadcast_address: "10.0.0.1".to_owned(),
            tcp_port: port,
            http_port: port + 1,
            version: version.to_owned(),
            ..Producer::default()
        }
    }

    fn of_lookupd(lookupd: &str, producer: Producer, topics: &[(&str, bool)]) -> Node {
        let node = LookupNode {
            producer,
            tombstones: topics.iter().map(|(_, is_tombstoned)| *is_tombstoned).collect(),
            topics: topics.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        Node::of_lookupd(lookupd, node)
    }

    #[test]
    fn a_node_of_a_topic_is_one_whatever_its_port_for_clients_was() {
        let producer = |port| Producer { http_port: 9, ..producer("a", port, "1.3.0") };
        let told = [1, 2].map(|port| Node::of_topic("l", producer(port), "t"));
        assert_eq!(merge_nodes(told.clone()).len(), 2);
        assert_eq!(of_distinct_addresses(told.clone()), told[..1]);
        let [node] = &*merge_topic_nodes(told) else { panic!("one node") };
        assert_eq!((node.tcp_port, node.remote_addresses.len()), (1, 2));
    }

    #[test]
    fn what_several_lookupds_say_of_a_node_is_one_node() {
        let from = Producer { remote_address: "1.1.1.1:9".to_owned(), ..producer("b", 1, "1.3.0") };
        let nodes = merge_nodes([
            of_lookupd("l1", from, &[("y", true), ("x", false)]),
            of_lookupd("l1", producer("a", 5, "1.2.1"), &[]),
            of_lookupd("l2", producer("b", 1, "1.3.0"), &[("y", false), ("z", false)]),
        ]);
        let [old, node] = &*nodes else { panic!("{nodes:?}") };
        assert_eq!((&*old.hostname, old.is_out_of_date), ("a", true));
        assert_eq!((&*node.hostname, node.is_out_of_date), ("b", false));
        assert_eq!(node.remote_addresses, ["l1/1.1.1.1:9", "l2/N/A"]);
        let topics: Vec<_> = node.topics.iter().map(|t| (&*t.name, t.is_tombstoned)).collect();
        assert_eq!(topics, [("x", false), ("y", true), ("z", false)]);
        assert_eq!((node.tcp_address(), &*node.address), ("10.0.0.1:1".to_owned(), "10.0.0.1:2"));
    }

    #[test]
    fn an_nsqd_is_asked_where_it_was_found() {
        let topic = TopicStats { topic_name: "t".to_owned(), ..TopicStats::default() };
        let stats = Stats { topics: Some(vec![topic]), ..Stats::default() };
        let info = Info {
            broadcast_address: "inside".to_owned(),
            hostname: "h".to_owned(),
            http_port: 4151,
            tcp_port: 4150,
            ..Info::default()
        };
        let node = Node::of_nsqd("[::1]:81".to_owned(), info, stats);
        assert_eq!((&*node.address, &*node.http_address()), ("[::1]:81", "inside:4151"));
        assert_eq!(node.near_tcp_address(), "[::1]:4150");
        assert!(node.has("t") && !node.has("x"));
        // As very old ones answer.
        let node = Node::of_nsqd("[::1]:81".to_owned(), Info::default(), Stats::default());
        assert_eq!((&*node.http_address(), &*node.hostname), ("[::1]:81", "::1"));
    }
}
