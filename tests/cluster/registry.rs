//! What an nsqlookupd tells.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use nsq_sim::http;
use serde_json::Value;

/// The answers of one nsqlookupd, all lists in order. An nsqd is named by its TCP port; one that is
/// listed twice is here twice.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Registry {
    /// The topics of each nsqd, as `/nodes` has them.
    pub(crate) nodes: Vec<(u16, Vec<String>)>,
    /// Channels and producers of each name in `/topics`, as `/lookup` has them.
    pub(crate) topics: BTreeMap<String, (Vec<String>, Vec<u16>)>,
}

impl Registry {
    /// Asks for everything; what is not answered is empty.
    pub(crate) fn of(lookupd: SocketAddr) -> Self {
        let mut registry = Self::default();
        for node in list(&get(lookupd, "/nodes"), "producers") {
            registry.nodes.extend(port(node).map(|port| (port, names(node, "topics"))));
        }
        registry.nodes.sort();
        for topic in names(&get(lookupd, "/topics"), "topics") {
            let found = get(lookupd, &format!("/lookup?topic={topic}"));
            let mut producers: Vec<_> = list(&found, "producers").iter().filter_map(port).collect();
            producers.sort_unstable();
            registry.topics.insert(topic, (names(&found, "channels"), producers));
        }
        registry
    }

    /// What is true of a single nsqd with these topics and channels.
    pub(crate) fn of_one(port: u16, topics: &[(&str, &[&str])]) -> Self {
        let mut registry = Self { nodes: vec![(port, Vec::new())], topics: BTreeMap::new() };
        for (topic, channels) in topics {
            registry.nodes[0].1.push((*topic).to_owned());
            registry.insert(topic, channels, vec![port]);
        }
        registry.nodes[0].1.sort();
        registry
    }

    /// The same with topics that are known and that nobody has.
    pub(crate) fn with_empty(mut self, topics: &[(&str, &[&str])]) -> Self {
        topics.iter().for_each(|(topic, channels)| self.insert(topic, channels, Vec::new()));
        self
    }

    fn insert(&mut self, topic: &str, channels: &[&str], producers: Vec<u16>) {
        let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
        self.topics.insert(topic.to_owned(), (channels, producers));
    }
}

fn get(lookupd: SocketAddr, target: &str) -> Value {
    let answer = http::get(lookupd, target).ok().filter(|answer| answer.status == 200);
    answer.and_then(|answer| serde_json::from_str(&answer.body).ok()).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn names(value: &Value, key: &str) -> Vec<String> {
    let names = list(value, key).iter().filter_map(Value::as_str);
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names
}

fn port(producer: &Value) -> Option<u16> {
    producer["tcp_port"].as_u64()?.try_into().ok()
}
