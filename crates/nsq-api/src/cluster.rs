//! Many nodes seen as one: which there are, which topics they have, their statistics, and orders
//! to all of them.
//!
//! [`Cluster`] asks all addresses at once and merges what they say. That some did not answer is
//! part of every answer ([`Gathered`]); what to make of it is left to the caller.

mod ask;
mod gathered;
mod node;
mod node_stats;
mod publish;
mod rates;
mod survey;
mod tell;
mod totals;
mod version;

use std::collections::HashMap;
use std::sync::Arc;

use crate::{
    HttpClient, Info, Lookup, LookupChannels, LookupNodes, LookupTopics, Stats, TopicStats,
};

pub use ask::query_value;
pub use gathered::{Daemons, Failure, Gathered, NoneAnswered};
pub use node::{Node, NodeTopic};
pub use node_stats::{NodeStats, StatsQuery};
pub use rates::{ChannelRates, Rates, TopicRates};
pub use survey::mark_out_of_date;
pub use tell::Order;
pub use totals::{ChannelTotals, TopicTotals, Totals};

use ask::get;
use gathered::gather;
use node::{merge_nodes, merge_topic_nodes, of_distinct_addresses};

/// How to find the nodes, and how to ask.
#[derive(Clone, Debug)]
pub struct Cluster {
    entry: Daemons,
    /// Each once, in the order given.
    addresses: Vec<String>,
    client: HttpClient,
}

impl Cluster {
    /// The nodes that these nsqlookupd know, `host:port` of their HTTP.
    #[must_use]
    pub fn by_lookupds(addresses: &[String], client: HttpClient) -> Self {
        Self { entry: Daemons::Lookupds, addresses: distinct(addresses), client }
    }

    /// These nsqd, `host:port` of their HTTP.
    #[must_use]
    pub fn by_nsqds(addresses: &[String], client: HttpClient) -> Self {
        Self { entry: Daemons::Nsqds, addresses: distinct(addresses), client }
    }

    /// The names of all topics, sorted.
    pub async fn topics(&self) -> Gathered<Vec<String>> {
        let names = match self.entry {
            Daemons::Lookupds => {
                let lists = self.ask::<LookupTopics>("/topics").await;
                lists.map(|lists| lists.into_iter().flat_map(|(_, list)| list.topics).collect())
            }
            Daemons::Nsqds => {
                let lists = self.ask::<Stats>("/stats?format=json&include_clients=false").await;
                let topics = lists.map(|lists| lists.into_iter().flat_map(|(_, s)| topics_of(s)));
                topics.map(|topics| topics.map(|topic| topic.topic_name).collect())
            }
        };
        names.map(sorted)
    }

    /// The names of a topic's channels, sorted.
    pub async fn channels(&self, topic: &str) -> Gathered<Vec<String>> {
        let name = query_value(topic);
        let names = match self.entry {
            Daemons::Lookupds => {
                let lists = self.ask::<LookupChannels>(&format!("/channels?topic={name}")).await;
                lists.map(|lists| lists.into_iter().flat_map(|(_, list)| list.channels).collect())
            }
            Daemons::Nsqds => {
                let target = format!("/stats?format=json&topic={name}&include_clients=false");
                let lists = self.ask::<Stats>(&target).await;
                let topics = lists.map(|lists| lists.into_iter().flat_map(|(_, s)| topics_of(s)));
                let channels = topics.map(|topics| {
                    topics.filter(|found| found.topic_name == topic).flat_map(|t| t.channels)
                });
                channels.map(|channels| channels.map(|channel| channel.channel_name).collect())
            }
        };
        names.map(sorted)
    }

    /// All nodes, sorted by host name.
    pub async fn nodes(&self) -> Gathered<Vec<Node>> {
        match self.entry {
            Daemons::Lookupds => {
                let lists = self.ask::<LookupNodes>("/nodes").await;
                lists.map(|lists| {
                    merge_nodes(lists.into_iter().flat_map(|(lookupd, list)| {
                        let nodes = list.producers.into_iter();
                        nodes.map(move |node| Node::of_lookupd(&lookupd, node))
                    }))
                })
            }
            Daemons::Nsqds => self.introduced(None).await.map(merge_nodes),
        }
    }

    /// The nodes that serve a topic: neither inactive nor tombstoned ones. It is a failure of an
    /// nsqlookupd not to know the topic.
    pub async fn topic_nodes(&self, topic: &str) -> Gathered<Vec<Node>> {
        match self.entry {
            Daemons::Lookupds => {
                let target = format!("/lookup?topic={}", query_value(topic));
                let lists = self.ask::<Lookup>(&target).await;
                lists.map(|lists| {
                    merge_topic_nodes(lists.into_iter().flat_map(|(lookupd, list)| {
                        let producers = list.producers.into_iter();
                        producers.map(move |producer| Node::of_topic(&lookupd, producer, topic))
                    }))
                })
            }
            Daemons::Nsqds => {
                let found = self.introduced(Some(topic)).await;
                found.map(|nodes| merge_nodes(nodes.into_iter().filter(|node| node.has(topic))))
            }
        }
    }

    /// The statistics of these nodes, in their order; each address is asked once. Whether any of
    /// them has the topic or channel that was asked for is not checked.
    pub async fn stats(&self, nodes: &[Node], query: &StatsQuery) -> Gathered<Vec<NodeStats>> {
        self.stats_as(nodes, query, |stats| stats).await
    }

    /// The same, but of each node only what `convert` makes of it, as soon as it has answered.
    pub async fn stats_as<T: Send + 'static>(
        &self,
        nodes: &[Node],
        query: &StatsQuery,
        convert: fn(NodeStats) -> T,
    ) -> Gathered<Vec<T>> {
        let (target, query) = (query.target(), Arc::new(query.clone()));
        let nodes = of_distinct_addresses(nodes.iter().cloned());
        let addresses: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
        let nodes: HashMap<_, _> = addresses.iter().zip(nodes).collect();
        let asked = gather(Daemons::Nsqds, &addresses, |address| {
            let (client, target, query) = (self.client.clone(), target.clone(), Arc::clone(&query));
            let node = nodes.get(&address).cloned().unwrap_or_default();
            async move {
                let stats = get::<Stats>(&client, &address, &target).await?;
                Ok(convert(query.select(node, stats)))
            }
        });
        asked.await.map(|answers| answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// The value of an option of each of these nodes, by their [`Node::address`].
    pub async fn option<T>(&self, nodes: &[Node], key: &str) -> Gathered<Vec<(String, T)>>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        let addresses: Vec<_> = nodes.iter().map(|node| node.address.clone()).collect();
        let target = format!("/config/{key}");
        let asked = gather(Daemons::Nsqds, &addresses, |address| {
            let (client, target) = (self.client.clone(), target.clone());
            async move { get(&client, &address, &target).await }
        });
        asked.await
    }

    /// What each nsqd says of itself and of its topics, or of one topic.
    async fn introduced(&self, topic: Option<&str>) -> Gathered<Vec<Node>> {
        let filter = topic.map(|topic| format!("&topic={}", query_value(topic)));
        let filter = filter.unwrap_or_default();
        let target = format!("/stats?format=json{filter}&include_clients=false");
        let asked = gather(self.entry, &self.addresses, |address| {
            let (client, target) = (self.client.clone(), target.clone());
            async move {
                let stats = get::<Stats>(&client, &address, &target).await?;
                Ok((get::<Info>(&client, &address, "/info").await?, stats))
            }
        });
        asked.await.map(|answers| {
            let answers = answers.into_iter();
            answers.map(|(address, (info, stats))| Node::of_nsqd(address, info, stats)).collect()
        })
    }

    async fn ask<T>(&self, target: &str) -> Gathered<Vec<(String, T)>>
    where
        T: serde::de::DeserializeOwned + Send + 'static,
    {
        let asked = gather(self.entry, &self.addresses, |address| {
            let (client, target) = (self.client.clone(), target.to_owned());
            async move { get(&client, &address, &target).await }
        });
        asked.await
    }
}

fn topics_of(stats: Stats) -> impl Iterator<Item = TopicStats> {
    stats.topics.into_iter().flatten()
}

/// Each once, in order: an address that is given twice would count twice.
fn distinct(addresses: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !distinct.contains(address) {
            distinct.push(address.clone());
        }
    }
    distinct
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}
