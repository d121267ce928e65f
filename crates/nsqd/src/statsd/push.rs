//! Sending statistics to statsd, one collection per interval.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nsq_api::Stats;
use tokio::net::UdpSocket;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Form, pack, spread};
use crate::node::Node;
use crate::stats::{Selection, gather_aside};

/// The shortest interval.
const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// Pushes for as long as the daemon runs, if there is an address. `http_port` is the bound one.
pub(crate) async fn push_all(node: Arc<Node>, http_port: i32) {
    let address = node.options.statsd_address.clone();
    if address.is_empty() {
        return;
    }
    let form = Arc::new(Form::new(&node.options, http_port));
    let interval = node.options.statsd_interval.max(INTERVAL_MIN);
    // A flag beyond the calendar means never.
    let Some(first) = Instant::now().checked_add(interval) else { return };
    let mut ticks = tokio::time::interval_at(first, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = Stats::default();
    loop {
        ticks.tick().await;
        // The name may point elsewhere by now.
        let socket = match connect(&address).await {
            Ok(socket) => socket,
            Err(error) => {
                let what = "failed to create UDP socket to statsd";
                node.log.error(format_args!("{what}({address}) - {error}"));
                continue;
            }
        };
        node.log.info(format_args!("STATSD: pushing stats to {address}"));
        let memory = node.options.statsd_mem_stats;
        let selection = Selection { memory, ..Selection::default() };
        let form = Arc::clone(&form);
        let collected = gather_aside(&node, selection, move |node, now| {
            let size_bytes = usize::try_from(node.options.statsd_udp_packet_size);
            let lines = form.lines(&now, &before);
            (pack(&lines, size_bytes.unwrap_or(usize::MAX)), now)
        });
        let Some((datagrams, now)) = collected.await else { return };
        before = now;
        let sent = send(&socket, &datagrams, spread(interval)).await;
        if let Err(error) = sent {
            node.log.error(format_args!("failed to push to statsd({address}) - {error}"));
        }
    }
}

async fn connect(address: &str) -> io::Result<UdpSocket> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    // Go takes an address without a host as this one.
    let full = match address.strip_prefix(':') {
        Some(port) => format!("localhost:{port}"),
        None => address.to_owned(),
    };
    for peer in tokio::net::lookup_host(full).await? {
        match connect_to(peer).await {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn connect_to(peer: SocketAddr) -> io::Result<UdpSocket> {
    let any = match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(peer).await?;
    Ok(socket)
}

/// Sends all datagrams, spread evenly, also after one could not be sent: that the last one found
/// nobody says nothing about the next. Returns the last error.
async fn send(socket: &UdpSocket, datagrams: &[String], spread: Duration) -> io::Result<()> {
    let mut result = Ok(());
    let pause = spread / u32::try_from(datagrams.len()).unwrap_or(u32::MAX).max(1);
    for datagram in datagrams {
        if let Err(error) = socket.send(datagram.as_bytes()).await {
            result = Err(error);
        }
        tokio::time::sleep(pause).await;
    }
    result
}
