//! Everything the daemon counts, gathered once; text, JSON, statsd and metrics are renderings.

pub(crate) mod text;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nsq_api::{ChannelStats, ClientStats, Latency, MemoryStats, Stats, TopicStats};
use nsq_broker::Sequence;

use crate::channel::Channel;
use crate::client::{Client, Compression};
use crate::latency::LatencySummary;
use crate::node::{Node, VERSION};
use crate::process;
use crate::topic::Topic;

/// What somebody wants to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Only this topic; all if empty.
    pub(crate) topic: String,
    /// Only channels of this name; all if empty.
    pub(crate) channel: String,
    /// Whether to list consumers and producers.
    pub(crate) clients: bool,
    /// Whether to ask for the memory of the process.
    pub(crate) memory: bool,
}

impl Selection {
    fn has_topic(&self, name: &str) -> bool {
        self.topic.is_empty() || self.topic == name
    }

    fn has_channel(&self, name: &str) -> bool {
        self.channel.is_empty() || self.channel == name
    }
}

/// The same on a thread that may take its time: 10,000 channels must not hold up other tasks.
/// `render` runs there too. Nothing if that failed, which is a defect.
pub(crate) async fn gather_aside<T: Send + 'static>(
    node: &Arc<Node>,
    selection: Selection,
    render: impl FnOnce(&Node, Stats) -> T + Send + 'static,
) -> Option<T> {
    let of = Arc::clone(node);
    let rendered = node.aside.run(move || {
        let stats = gather(&of, &selection);
        render(&of, stats)
    });
    rendered.await
}

/// What is selected, as it is now: each topic and channel by itself, no two at the same moment.
pub(crate) fn gather(node: &Node, selection: &Selection) -> Stats {
    let unknown = !selection.topic.is_empty() && node.existing_topic(&selection.topic).is_none();
    let topics = node.topics();
    let selected = topics.iter().filter(|topic| selection.has_topic(topic.name.as_str()));
    let topics = selected.filter_map(|topic| topic_stats(topic, selection)).collect();
    let with_producers = selection.clients && !unknown;
    let producers = if with_producers { producers(node, selection) } else { Vec::new() };
    Stats {
        version: VERSION.to_owned(),
        health: node.health.text(),
        start_time: node.clock.start_time(),
        topics: (!unknown).then_some(topics),
        memory: selection.memory.then(memory),
        producers: (!producers.is_empty()).then_some(producers),
    }
}

/// A topic as it is now. Waits for no publisher: what a publisher may hold is kept in counters.
fn topic_stats(topic: &Topic, selection: &Selection) -> Option<TopicStats> {
    let memory_start = topic.backing.memory_start();
    let all: Vec<_> = topic.channels.read().values().cloned().collect();
    let selected = all.iter().filter(|channel| selection.has_channel(channel.name.as_str()));
    let channels: Vec<_> = selected
        .map(|channel| channel_stats(&topic.node, channel, memory_start, selection))
        .collect();
    if !selection.channel.is_empty() && channels.is_empty() {
        return None;
    }
    let depth = topic.counters.depth.load(Ordering::Relaxed);
    let in_memory = memory_start.until(topic.backing.end());
    Some(TopicStats {
        topic_name: topic.name.to_string(),
        channels,
        depth: depth as i64,
        backend_depth: depth.saturating_sub(in_memory) as i64,
        message_count: topic.counters.messages.load(Ordering::Relaxed),
        message_bytes: topic.counters.bytes.load(Ordering::Relaxed),
        paused: topic.paused.load(Ordering::Relaxed),
        // Of all its channels, also of those that are not selected.
        e2e_processing_latency: latency(&topic.node, &all),
    })
}

fn channel_stats(
    node: &Node,
    channel: &Arc<Channel>,
    memory_start: Sequence,
    selection: &Selection,
) -> ChannelStats {
    let broker = channel.broker.lock();
    let (census, counters) = (broker.census(), broker.counters());
    let load = |(key, client): (nsq_broker::ConsumerKey, &Arc<Client>)| {
        (Arc::clone(client), broker.consumer_load(key).unwrap_or_default())
    };
    let consumers: Option<Vec<_>> =
        selection.clients.then(|| broker.keyed_consumers().map(load).collect());
    let backend_depth = broker.backend_depth(memory_start);
    let (client_count, paused) = (broker.consumer_count(), broker.is_paused());
    drop(broker);
    let consumer = |(client, (ready_count, in_flight)): (Arc<Client>, (u32, u32))| {
        let (ready_count, in_flight_count) = (i64::from(ready_count), i64::from(in_flight));
        ClientStats { ready_count, in_flight_count, ..client_stats(&client, selection) }
    };
    // Without the experiment everybody counts as far away, which says nothing.
    let near = u64::from(node.options.prefers_near_consumers());
    ChannelStats {
        channel_name: channel.name.to_string(),
        depth: census.waiting as i64,
        backend_depth: backend_depth as i64,
        in_flight_count: census.in_flight as i64,
        deferred_count: census.deferred as i64,
        message_count: counters.messages,
        zone_local_msg_count: counters.zone_local * near,
        region_local_msg_count: counters.region_local * near,
        global_msg_count: counters.global * near,
        requeue_count: counters.requeued,
        timeout_count: counters.timed_out,
        client_count: client_count as i64,
        clients: consumers.map(|consumers| consumers.into_iter().map(consumer).collect()),
        paused,
        e2e_processing_latency: latency(node, std::slice::from_ref(channel)),
    }
}

/// Of these channels together. Nothing without any, or when no percentiles are asked for.
fn latency(node: &Node, channels: &[Arc<Channel>]) -> Latency {
    let now_ns = node.clock.wall_ns();
    let mut together: Option<LatencySummary> = None;
    for latencies in channels.iter().filter_map(|channel| channel.latencies.as_ref()) {
        let summary = latencies.lock().summary(now_ns);
        match &mut together {
            Some(together) => together.add(&summary),
            None => together = Some(summary),
        }
    }
    let quantiles = &node.options.e2e_processing_latency_percentiles;
    together.map(|together| together.percentiles(quantiles)).unwrap_or_default()
}

/// Clients that have published, in the order of their connections.
fn producers(node: &Node, selection: &Selection) -> Vec<ClientStats> {
    let mut clients: Vec<_> =
        node.clients.lock().iter().map(|(number, client)| (*number, Arc::clone(client))).collect();
    clients.sort_unstable_by_key(|(number, _)| *number);
    let producers = clients.iter().filter(|(_, client)| !client.published.lock().is_empty());
    producers.map(|(_, client)| client_stats(client, selection)).collect()
}

/// A client by itself; what its channel knows of it is left at 0.
fn client_stats(client: &Client, selection: &Selection) -> ClientStats {
    let settings = client.settings.lock();
    let counters = &client.counters;
    let published = client.published.lock();
    ClientStats {
        client_id: settings.client_id.clone(),
        hostname: settings.hostname.clone(),
        version: "V2".to_owned(),
        remote_address: client.address.to_string(),
        state: i32::from(client.state.load(Ordering::Relaxed)),
        message_count: counters.delivered.load(Ordering::Relaxed),
        finish_count: counters.finished.load(Ordering::Relaxed),
        requeue_count: counters.requeued.load(Ordering::Relaxed),
        connect_ts: client.connected_at,
        sample_rate: i32::from(settings.sample_rate),
        user_agent: settings.user_agent.clone(),
        topology_zone: settings.topology.zone.clone(),
        topology_region: settings.topology.region.clone(),
        pub_counts: match selection.topic.as_str() {
            "" => published.all(),
            topic => published.of(topic).into_iter().collect(),
        },
        ..security(client)
    }
}

/// What its connection is wrapped in, and who an auth server says it is.
fn security(client: &Client) -> ClientStats {
    let compression = client.compression.get();
    let mut stats = ClientStats {
        snappy: compression == Some(&Compression::Snappy),
        deflate: compression == Some(&Compression::Deflate),
        ..ClientStats::default()
    };
    if let Some(identity) = &*client.identity.lock() {
        stats.authed = true;
        stats.auth_identity.clone_from(&identity.name);
        stats.auth_identity_url.clone_from(&identity.url);
    }
    if let Some(facts) = client.tls.get() {
        stats.tls = true;
        stats.tls_version = tls_version(facts.version);
        stats.tls_cipher_suite = cipher_suite(facts.cipher_suite);
        // Said of every connection since Go 1.12.
        stats.tls_negotiated_protocol_is_mutual = true;
    }
    stats
}

/// As Go NSQ writes it.
fn tls_version(number: u16) -> String {
    match number {
        0x0303 => "TLS1.2".to_owned(),
        0x0304 => "TLS1.3".to_owned(),
        other => format!("Unknown {other}"),
    }
}

/// Go NSQ knows those of 2014 by name.
fn cipher_suite(number: u16) -> String {
    match number {
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned(),
        0xc02f => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned(),
        other => format!("Unknown {other}"),
    }
}

/// What the process uses. There is no garbage collector, so its figures are 0.
fn memory() -> MemoryStats {
    let heap_in_use_bytes = process::memory().anonymous_bytes;
    MemoryStats { heap_in_use_bytes, ..MemoryStats::default() }
}
