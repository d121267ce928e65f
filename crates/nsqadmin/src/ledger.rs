//! Adding up what the nodes say in one look, and comparing it with what each said before.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use nsq_api::cluster::{Node, mark_out_of_date};
use nsq_api::{ChannelStats, Stats, TopicStats};

use crate::counters::{Counters, NodeCounters, Pace};
use crate::names::{Names, SUBJECTS_MAX};
use crate::overview::{ChannelOverview, GoneNode, NodeOverview, Overview, TopicOverview};

/// How many nodes are watched at most.
pub(crate) const NODES_MAX: usize = 1000;
/// How many counts of topics and channels on nodes are kept from one look to the next: 80 MB. What
/// is above has no rates.
const COUNTERS_MAX: usize = 2_000_000;
/// How much of a text of another daemon is kept, in bytes.
const TEXT_BYTES_MAX: usize = 400;
/// How many failures are told one by one.
const FAILURES_MAX: usize = 20;

/// The accounts of all nodes. An answer is reduced to them as it comes.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// How long what is seen no more is remembered.
    memory: Duration,
    names: Names,
    /// By the addresses where they are asked.
    nodes: HashMap<String, Account>,
    /// What is known of this look so far.
    seen: Vec<NodeOverview>,
    /// The number of this look.
    look: u64,
}

/// What is kept of a node between two looks.
#[derive(Debug)]
struct Account {
    /// As it was introduced last.
    node: Node,
    /// The look in which it was last told of, and when that was.
    look: u64,
    told_at: Duration,
    has_failed: bool,
    counters: NodeCounters,
}

/// What is to be said of a look besides what the nodes said.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) taken: SystemTime,
    pub(crate) took: Duration,
    /// On the steady clock on which answers came.
    pub(crate) at: Duration,
    /// Who did not answer, and why.
    pub(crate) lookupd_failures: Vec<(String, String)>,
}

impl Ledger {
    /// One that forgets what it has not seen for so long.
    pub(crate) fn new(memory: Duration) -> Self {
        Self { memory, names: Names::default(), nodes: HashMap::new(), seen: Vec::new(), look: 0 }
    }

    /// Those that were told of in the last look, for when nobody tells.
    pub(crate) fn known_nodes(&self) -> Vec<Node> {
        let told = self.nodes.values().filter(|account| account.look + 1 == self.look);
        told.map(|account| account.node.clone()).collect()
    }

    /// Whether the node did not answer in the last look.
    pub(crate) fn has_failed(&self, node: &Node) -> bool {
        self.nodes.get(&node.address).is_some_and(|account| account.has_failed)
    }

    /// Adds an answer that came at `at`.
    pub(crate) fn take(&mut self, mut node: Node, at: Duration, stats: &Stats) {
        node.topics = Vec::new();
        let kept: usize = self.nodes.values().map(|account| account.counters.len()).sum();
        let old = self.nodes.remove(&node.address).map(|account| account.counters);
        let before = old.as_ref().filter(|counters| counters.start_time == stats.start_time);
        let topics = stats.topics.as_deref().unwrap_or_default();
        let count = topics.iter().map(|topic| topic.channels.len() + 1).sum();
        let mut taking = Taking {
            names: &mut self.names,
            at,
            before,
            counters: NodeCounters::new(stats.start_time, at, count),
            sums: NodeOverview { has_rates: before.is_some(), ..NodeOverview::default() },
        };
        for topic in topics {
            taking.topic(topic);
        }
        let Taking { mut counters, sums, .. } = taking;
        counters.sort();
        if kept - old.map_or(0, |old| old.len()) + counters.len() > COUNTERS_MAX {
            counters.forget();
        }
        let (node_now, look) = (node.clone(), self.look);
        let account = Account { node: node_now, look, told_at: at, has_failed: false, counters };
        self.nodes.insert(node.address.clone(), account);
        self.seen.push(NodeOverview {
            node,
            health: beginning(&stats.health),
            start_time: stats.start_time,
            ..sums
        });
    }

    /// Notes at `at` that a node did not answer. It is the node that it was when it last did.
    pub(crate) fn fail(&mut self, mut node: Node, at: Duration, reason: &str) {
        node.topics = Vec::new();
        let account = self.nodes.entry(node.address.clone()).or_insert_with(|| Account {
            node,
            look: self.look,
            told_at: at,
            has_failed: true,
            counters: NodeCounters::default(),
        });
        (account.look, account.told_at) = (self.look, at);
        account.has_failed = true;
        self.seen.push(NodeOverview {
            node: account.node.clone(),
            failure: Some(beginning(reason)),
            ..NodeOverview::default()
        });
    }

    /// Ends the look. There are no findings yet.
    pub(crate) fn finish(&mut self, circumstances: Circumstances) -> Overview {
        let Circumstances { taken, took, at, lookupd_failures } = circumstances;
        let mut nodes = std::mem::take(&mut self.seen);
        nodes.sort_by(|a, b| {
            (&a.node.hostname, &a.node.address).cmp(&(&b.node.hostname, &b.node.address))
        });
        mark_out_of_date(&mut nodes.iter_mut().map(|seen| &mut seen.node).collect::<Vec<_>>());
        // What this look has seen is compared with the next, however short the memory.
        let before = at.saturating_sub(self.memory.max(took));
        // Counts name topics by number: they have to go before the numbers are given to others.
        self.nodes.retain(|_, account| account.told_at >= before);
        let gone = self.gone(nodes.len(), at);
        self.look += 1;
        for account in self.nodes.values_mut().filter(|node| node.counters.seen_at < before) {
            account.counters.forget();
        }
        self.names.forget(before);
        let (topics, omitted) = self.names.take_sums();
        let lookupd_failures: Vec<_> = lookupd_failures
            .into_iter()
            .map(|(address, reason)| (address, beginning(&reason)))
            .collect();
        let failures = failures(&lookupd_failures, &nodes, omitted);
        Overview {
            taken,
            took,
            nodes,
            topics,
            lookupd_failures,
            gone,
            failures,
            findings: Vec::new(),
            other_findings: 0,
        }
    }

    /// Those that were there and are told of no more. Of too many, the longest unseen are
    /// forgotten.
    fn gone(&mut self, seen: usize, at: Duration) -> Vec<GoneNode> {
        let gone = self.nodes.iter().filter(|(_, account)| account.look < self.look);
        let mut gone: Vec<_> =
            gone.map(|(address, account)| (account.told_at, address.clone())).collect();
        gone.sort_unstable_by(|a, b| b.cmp(a));
        for (_, address) in gone.drain(NODES_MAX.saturating_sub(seen).min(gone.len())..) {
            self.nodes.remove(&address);
        }
        let of = |(told_at, address): (Duration, String)| {
            let node = self.nodes.get(&address)?.node.http_address();
            Some(GoneNode { node, unseen: at.saturating_sub(told_at) })
        };
        gone.into_iter().filter_map(of).collect()
    }
}

/// The answer of one node on its way into the ledger.
struct Taking<'a> {
    names: &'a mut Names,
    at: Duration,
    before: Option<&'a NodeCounters>,
    counters: NodeCounters,
    sums: NodeOverview,
}

impl Taking<'_> {
    fn topic(&mut self, stats: &TopicStats) {
        let Some(entry) = self.names.topic(&stats.topic_name, self.at) else { return };
        let counters = Counters::of_topic(stats);
        let pace = pace(self.before, self.at, entry.number, counters);
        entry.sums.add(stats, pace);
        self.counters.push(entry.number, counters);
        let sums = &mut self.sums;
        sums.topic_count += 1;
        sums.rate += pace.unwrap_or_default().messages;
        sums.depth = sums.depth.saturating_add(stats.depth);
        sums.message_count = sums.message_count.saturating_add(stats.message_count);
        for channel in &stats.channels {
            self.channel(&stats.topic_name, channel);
        }
    }

    fn channel(&mut self, topic: &str, stats: &ChannelStats) {
        let Some(entry) = self.names.channel(topic, &stats.channel_name, self.at) else { return };
        let counters = Counters::of_channel(stats);
        let pace = pace(self.before, self.at, entry.number, counters);
        entry.sums.add(stats, pace);
        self.counters.push(entry.number, counters);
        let (sums, pace) = (&mut self.sums, pace.unwrap_or_default());
        sums.channel_count += 1;
        sums.requeue_rate += pace.requeues;
        sums.timeout_rate += pace.timeouts;
        sums.depth = sums.depth.saturating_add(stats.depth);
        sums.client_count = sums.client_count.saturating_add(stats.client_count);
        sums.in_flight_count = sums.in_flight_count.saturating_add(stats.in_flight_count);
        sums.deferred_count = sums.deferred_count.saturating_add(stats.deferred_count);
    }
}

/// None if there is nothing to compare with.
fn pace(before: Option<&NodeCounters>, at: Duration, number: u32, now: Counters) -> Option<Pace> {
    let before = before?;
    Some(before.pace(number, now, at.saturating_sub(before.seen_at)))
}

impl TopicOverview {
    /// Adds what a node says; what other daemons claim may be anything.
    fn add(&mut self, stats: &TopicStats, pace: Option<Pace>) {
        self.node_count += 1;
        self.depth = self.depth.saturating_add(stats.depth);
        self.backend_depth = self.backend_depth.saturating_add(stats.backend_depth);
        self.message_count = self.message_count.saturating_add(stats.message_count);
        self.paused |= stats.paused;
        self.has_rates |= pace.is_some();
        self.rate += pace.unwrap_or_default().messages;
    }
}

impl ChannelOverview {
    /// Likewise.
    fn add(&mut self, stats: &ChannelStats, pace: Option<Pace>) {
        self.node_count += 1;
        self.depth = self.depth.saturating_add(stats.depth);
        self.backend_depth = self.backend_depth.saturating_add(stats.backend_depth);
        self.in_flight_count = self.in_flight_count.saturating_add(stats.in_flight_count);
        self.deferred_count = self.deferred_count.saturating_add(stats.deferred_count);
        self.requeue_count = self.requeue_count.saturating_add(stats.requeue_count);
        self.timeout_count = self.timeout_count.saturating_add(stats.timeout_count);
        self.message_count = self.message_count.saturating_add(stats.message_count);
        self.client_count = self.client_count.saturating_add(stats.client_count);
        self.paused |= stats.paused;
        self.has_rates |= pace.is_some();
        let pace = pace.unwrap_or_default();
        self.rate += pace.messages;
        self.finish_rate += pace.left;
        self.requeue_rate += pace.requeues;
        self.timeout_rate += pace.timeouts;
    }
}

/// A few sentences.
fn failures(lookupds: &[(String, String)], nodes: &[NodeOverview], omitted: usize) -> Vec<String> {
    let of_node = |seen: &NodeOverview| seen.failure.clone();
    let all = lookupds.iter().map(|(_, reason)| reason.clone());
    let all = all.chain(nodes.iter().filter_map(of_node));
    let count = all.clone().count();
    let mut failures: Vec<_> = all.take(FAILURES_MAX).collect();
    if let Some(others) = count.checked_sub(FAILURES_MAX).filter(|others| *others > 0) {
        failures.push(format!("{others} more do not answer"));
    }
    if omitted > 0 {
        failures.push(format!(
            "{omitted} topics and channels of nodes are left out: no valid names, or more than \
             {SUBJECTS_MAX}"
        ));
    }
    failures
}

/// Not more than an operator reads.
fn beginning(text: &str) -> String {
    let mut end = TEXT_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
