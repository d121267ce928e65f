//! The bodies of the simulated daemons, in the shapes of NSQ's.

use std::net::SocketAddr;

use super::cluster::Size;

const VERSION: &str = "1.3.0";
/// Consumers of a channel on each node.
const CLIENTS: usize = 3;
/// Of how many channels one has no consumers, and grows.
const GROWING_EACH: usize = 40;
/// Of how many topics one is paused.
const PAUSED_EACH: usize = 100;
/// What was published before anybody looked.
const MESSAGES: u64 = 1_000_000;

/// The name of a topic.
pub(super) fn topic_name(topic: usize) -> String {
    format!("team-{:02}.topic-{topic:04}", topic % 20)
}

/// The name of a channel.
pub(super) fn channel_name(channel: usize) -> String {
    format!("channel-{channel}")
}

/// The name of a topic that no node has.
pub(super) fn inactive_name(number: usize) -> String {
    format!("inactive-{number:02}")
}

/// What `/stats` is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) topic: Option<&'a str>,
    pub(super) channel: Option<&'a str>,
    pub(super) clients: bool,
}

/// `/stats` so many seconds after the start: all counters have grown by then.
pub(super) fn stats(size: Size, wanted: Wanted<'_>, seconds: u64, start_time: u64) -> String {
    let mut out = format!(
        "{{\"version\":\"{VERSION}\",\"health\":\"OK\",\"start_time\":{start_time},\"topics\":["
    );
    for topic in 0..size.topics {
        let name = topic_name(topic);
        if wanted.topic.is_none_or(|wanted| wanted == name) {
            write_topic(&mut out, size, wanted, (topic, &name), seconds);
        }
    }
    end_list(&mut out);
    out.push_str(",\"producers\":null}");
    out
}

fn write_topic(
    out: &mut String,
    size: Size,
    wanted: Wanted<'_>,
    (topic, name): (usize, &str),
    seconds: u64,
) {
    let rate = (topic % 50) as u64 + 1;
    let count = MESSAGES + rate * seconds;
    *out += &format!("{{\"topic_name\":\"{name}\",\"channels\":[");
    for channel in 0..size.channels {
        let name = channel_name(channel);
        if wanted.channel.is_none_or(|wanted| wanted == name) {
            let number = topic * size.channels + channel;
            write_channel(out, &name, number, rate, seconds);
            write_clients(out, wanted, number, rate, seconds);
        }
    }
    end_list(out);
    let (bytes, paused) = (count * 200, topic % PAUSED_EACH == PAUSED_EACH - 1);
    *out += &format!(
        ",\"depth\":0,\"backend_depth\":0,\"message_count\":{count},\"message_bytes\":{bytes},\
         \"paused\":{paused},{LATENCY}}},"
    );
}

fn is_growing(channel: usize) -> bool {
    channel % GROWING_EACH == GROWING_EACH - 1
}

fn write_channel(out: &mut String, name: &str, number: usize, rate: u64, seconds: u64) {
    let grows = is_growing(number);
    let depth = if grows { 1000 + rate * seconds } else { number as u64 % 7 };
    let (clients, in_flight) = if grows { (0, 0) } else { (CLIENTS, number % 30) };
    *out += &format!(
        "{{\"channel_name\":\"{name}\",\"depth\":{depth},\"backend_depth\":{depth},\
         \"in_flight_count\":{in_flight},\"deferred_count\":{},\"message_count\":{},\
         \"requeue_count\":{},\"timeout_count\":{},\"client_count\":{clients},",
        number % 3,
        MESSAGES + rate * seconds,
        number as u64 % 11 + seconds,
        seconds / 10,
    );
}

fn write_clients(out: &mut String, wanted: Wanted<'_>, number: usize, rate: u64, seconds: u64) {
    out.push_str("\"clients\":");
    match (wanted.clients, is_growing(number)) {
        (false, _) => out.push_str("null"),
        (true, true) => out.push_str("[]"),
        (true, false) => {
            out.push('[');
            for client in 0..CLIENTS {
                write_client(out, number * CLIENTS + client, rate, seconds);
            }
            end_list(out);
        }
    }
    *out += &format!(",\"paused\":false,{LATENCY}}},");
}

fn write_client(out: &mut String, client: usize, rate: u64, seconds: u64) {
    let (host, port) = (client % 500, 20_000 + client % 40_000);
    let count = (MESSAGES + rate * seconds) / CLIENTS as u64;
    *out += &format!(
        "{{\"client_id\":\"worker-{host:03}\",\"hostname\":\"worker-{host:03}.example.org\",\
         \"version\":\"V2\",\"remote_address\":\"127.0.0.1:{port}\",\"state\":3,\
         \"ready_count\":200,\"in_flight_count\":1,\"message_count\":{count},\
         \"finish_count\":{count},\"requeue_count\":0,\"connect_ts\":1795425564,\
         \"sample_rate\":0,\"deflate\":false,\"snappy\":true,\"user_agent\":\"go-nsq/1.1.0\",\
         \"tls\":true,\"tls_cipher_suite\":\"TLS_AES_128_GCM_SHA256\",\
         \"tls_version\":\"TLS1.3\",\"tls_negotiated_protocol\":\"\",\
         \"tls_negotiated_protocol_is_mutual\":false}},"
    );
}

const LATENCY: &str = "\"e2e_processing_latency\":{\"count\":0,\"percentiles\":null}";

/// `/info` of an nsqd.
pub(super) fn info(node: usize, address: SocketAddr, start_time: u64) -> String {
    let (place, version) = (place(node, address), VERSION);
    format!(
        "{{\"version\":\"{version}\",{place},\"start_time\":{start_time},\
         \"max_heartbeat_interval\":60000000000,\"max_output_buffer_size\":65536,\
         \"max_output_buffer_timeout\":30000000000,\"max_deflate_level\":6}}"
    )
}

/// `/topics` of an nsqlookupd.
pub(super) fn topics(size: Size, inactive: usize) -> String {
    let names = (0..size.topics).map(topic_name).chain((0..inactive).map(inactive_name));
    format!("{{\"topics\":[{}]}}", quoted(names))
}

/// `/channels` of an nsqlookupd, about any topic.
pub(super) fn channels(size: Size) -> String {
    format!("{{\"channels\":[{}]}}", quoted((0..size.channels).map(channel_name)))
}

/// `/lookup` of an nsqlookupd, about any topic that these nodes have.
pub(super) fn lookup(size: Size, nodes: &[SocketAddr]) -> String {
    let producers = nodes.iter().enumerate().map(|(node, address)| {
        let (remote, place) = (remote(node), place(node, *address));
        format!("{{{remote},{place},\"version\":\"{VERSION}\"}}")
    });
    let producers = producers.collect::<Vec<_>>().join(",");
    let channels = quoted((0..size.channels).map(channel_name));
    format!("{{\"channels\":[{channels}],\"producers\":[{producers}]}}")
}

/// `/nodes` of an nsqlookupd.
pub(super) fn nodes(size: Size, nodes: &[SocketAddr]) -> String {
    let topics = quoted((0..size.topics).map(topic_name));
    let tombstones = vec!["false"; size.topics].join(",");
    let mut out = String::from("{\"producers\":[");
    for (node, address) in nodes.iter().enumerate() {
        let (remote, place) = (remote(node), place(node, *address));
        out += &format!(
            "{{{remote},{place},\"version\":\"{VERSION}\",\"tombstones\":[{tombstones}],\
             \"topics\":[{topics}]}},"
        );
    }
    end_list(&mut out);
    out.push('}');
    out
}

fn remote(node: usize) -> String {
    format!("\"remote_address\":\"127.0.0.1:{}\"", 60_000 + node)
}

/// Where a node is. Nobody connects to its TCP port, but nodes are told apart by it.
fn place(node: usize, address: SocketAddr) -> String {
    let (host, port, tcp_port) = (address.ip(), address.port(), 10_000 + node);
    format!(
        "\"hostname\":\"node-{node:03}.example.org\",\"broadcast_address\":\"{host}\",\
         \"tcp_port\":{tcp_port},\"http_port\":{port}"
    )
}

fn quoted(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
}

/// Replaces the comma behind the last one, if there is one.
fn end_list(out: &mut String) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push(']');
}
