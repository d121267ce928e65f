//! `/stats`: everything the daemon counts, gathered once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use nsq_api::{ChannelStats, ClientStats, MemoryStats, PublishCount, Stats, TopicStats};
use nsq_app::http::{Answer, Failure, HandlerResult, Request, StatusCode};

use super::Endpoints;
use crate::channel::Channel;
use crate::client::Client;
use crate::node::{Node, VERSION};
use crate::topic::Topic;

/// What a request asks for.
struct Filter {
    topic: String,
    channel: String,
    clients: bool,
    memory: bool,
}

pub(super) async fn stats(endpoints: Arc<Endpoints>, request: Request) -> HandlerResult {
    let query = request.query()?;
    let text = |key| query.first(key).map(|value| value.into_owned()).unwrap_or_default();
    let wanted = |key| !matches!(query.first(key).as_deref(), Some("false" | "0"));
    let filter = Filter {
        topic: text("topic"),
        channel: text("channel"),
        clients: wanted("include_clients"),
        memory: wanted("include_mem"),
    };
    if text("format") != "json" {
        let what = "only format=json is available";
        return Err(Failure::new(StatusCode::NOT_IMPLEMENTED, what));
    }
    Answer::json(&gather(&endpoints.node, &filter))
}

fn gather(node: &Node, filter: &Filter) -> Stats {
    let unknown = !filter.topic.is_empty() && node.existing_topic(&filter.topic).is_none();
    let topics = node.topics();
    let wanted = topics.iter().filter(|t| is_wanted(&filter.topic, t.name.as_str()));
    let topics = wanted.filter_map(|topic| topic_stats(topic, filter)).collect();
    let producers = if filter.clients && !unknown { producers(node, filter) } else { Vec::new() };
    Stats {
        version: VERSION.to_owned(),
        health: node.health.text(),
        start_time: node.clock.start_time(),
        topics: (!unknown).then_some(topics),
        memory: filter.memory.then(memory),
        producers: (!producers.is_empty()).then_some(producers),
    }
}

/// A topic as it is now. Waits for no publisher: what a publisher may hold is kept in counters.
fn topic_stats(topic: &Topic, filter: &Filter) -> Option<TopicStats> {
    let memory_start = topic.backing.memory_start();
    let channels: Vec<_> = topic.channels.read().values().cloned().collect();
    let wanted = channels.iter().filter(|c| is_wanted(&filter.channel, c.name.as_str()));
    let channels: Vec<_> =
        wanted.map(|channel| channel_stats(&topic.node, channel, memory_start, filter)).collect();
    if !filter.channel.is_empty() && channels.is_empty() {
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
        e2e_processing_latency: Default::default(),
    })
}

fn channel_stats(
    node: &Node,
    channel: &Channel,
    memory_start: nsq_broker::Sequence,
    filter: &Filter,
) -> ChannelStats {
    let broker = channel.broker.lock();
    let (census, counters) = (broker.census(), broker.counters());
    // Without the experiment everybody counts as far away, which says nothing.
    let near = u64::from(node.options.prefers_near_consumers());
    let client = |(key, client): (nsq_broker::ConsumerKey, &Arc<Client>)| {
        let (ready_count, in_flight) = broker.consumer_load(key).unwrap_or_default();
        let client = client_stats(client, "");
        let (ready_count, in_flight_count) = (i64::from(ready_count), i64::from(in_flight));
        ClientStats { ready_count, in_flight_count, ..client }
    };
    ChannelStats {
        channel_name: channel.name.to_string(),
        depth: census.waiting as i64,
        backend_depth: broker.backend_depth(memory_start) as i64,
        in_flight_count: census.in_flight as i64,
        deferred_count: census.deferred as i64,
        message_count: counters.messages,
        zone_local_msg_count: counters.zone_local * near,
        region_local_msg_count: counters.region_local * near,
        global_msg_count: counters.global * near,
        requeue_count: counters.requeued,
        timeout_count: counters.timed_out,
        client_count: broker.consumer_count() as i64,
        clients: filter.clients.then(|| broker.keyed_consumers().map(client).collect()),
        paused: broker.is_paused(),
        e2e_processing_latency: Default::default(),
    }
}

fn producers(node: &Node, filter: &Filter) -> Vec<ClientStats> {
    let clients: Vec<_> = node.clients.lock().values().cloned().collect();
    let producers = clients.iter().filter(|client| client.is_producer());
    producers.map(|client| client_stats(client, &filter.topic)).collect()
}

/// A client by itself; what its channel knows of it is left at 0.
fn client_stats(client: &Client, topic: &str) -> ClientStats {
    let settings = client.settings.lock();
    let published = client.published.lock();
    // As in Go NSQ there is one at most.
    let counted = published.iter().find(|(name, _)| is_wanted(topic, name.as_str()));
    let counters = &client.counters;
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
        pub_counts: counted
            .map(|(name, count)| PublishCount { topic: name.to_string(), count: *count })
            .into_iter()
            .collect(),
        ..ClientStats::default()
    }
}

/// Whether a name passes a filter; an empty filter lets all pass.
fn is_wanted(filter: &str, name: &str) -> bool {
    filter.is_empty() || filter == name
}

/// What the process uses. There is no garbage collector, so its figures are 0.
fn memory() -> MemoryStats {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    let bytes = resident.unwrap_or(0) * rustix::param::page_size() as u64;
    MemoryStats { heap_in_use_bytes: bytes, ..MemoryStats::default() }
}
