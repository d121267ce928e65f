//! A consumer that knows only nsqlookupd.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command;
use crate::connection::{Connection, Received};
use crate::http;

/// How long to wait for what must come: only a defect takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it listens to one connection before it turns to the next.
const TURN: Duration = Duration::from_millis(20);
const READY_COUNT: u32 = 200;

/// A consumer of one channel, connected to every nsqd that an nsqlookupd names for its topic.
#[derive(Debug)]
pub struct LookupConsumer {
    lookupds: Vec<SocketAddr>,
    topic: String,
    channel: String,
    connections: BTreeMap<SocketAddr, Connection>,
    received: BTreeSet<Vec<u8>>,
}

impl LookupConsumer {
    /// One that asks the nsqlookupds at these HTTP addresses.
    #[must_use]
    pub fn new(lookupds: Vec<SocketAddr>, topic: &str, channel: &str) -> Self {
        let (topic, channel) = (topic.to_owned(), channel.to_owned());
        let (connections, received) = (BTreeMap::new(), BTreeSet::new());
        Self { lookupds, topic, channel, connections, received }
    }

    /// Receives and finishes until all of `wanted` have come, now or before.
    ///
    /// # Panics
    ///
    /// If one of them does not come.
    #[track_caller]
    pub fn receive(&mut self, wanted: &[impl AsRef<[u8]>]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all = wanted.iter().map(AsRef::as_ref);
            let missing: Vec<_> = all.filter(|&body| !self.received.contains(body)).collect();
            let Some(first) = missing.first() else { return };
            let (count, first) = (missing.len(), String::from_utf8_lossy(first));
            assert!(Instant::now() < deadline, "{count} did not come, such as {first}");
            self.discover();
            let Self { connections, received, .. } = self;
            // One that fails is connected again when it is there again.
            connections.retain(|_, connection| receive_some(connection, received).is_ok());
        }
    }

    /// The bodies that came so far.
    #[must_use]
    pub fn received(&self) -> &BTreeSet<Vec<u8>> {
        &self.received
    }

    fn discover(&mut self) {
        let named = self.lookupds.iter().flat_map(|&lookupd| producers(lookupd, &self.topic));
        for address in named.collect::<BTreeSet<_>>() {
            if self.connections.contains_key(&address) {
                continue;
            }
            // One that is just gone may still be listed.
            let Ok(mut connection) = Connection::open(address) else { continue };
            let joined = connection.ask(&command::subscribe(&self.topic, &self.channel));
            if joined.is_ok() && connection.send(&command::ready(READY_COUNT)).is_ok() {
                self.connections.insert(address, connection);
            }
        }
    }
}

/// The addresses at which `/lookup` says the topic lives; none where nsqlookupd is gone.
fn producers(lookupd: SocketAddr, topic: &str) -> Vec<SocketAddr> {
    let Ok(answer) = http::get(lookupd, &format!("/lookup?topic={topic}")) else {
        return Vec::new();
    };
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let producers = json["producers"].as_array().cloned().unwrap_or_default();
    let address = |producer: &Value| {
        let host = producer["broadcast_address"].as_str()?;
        format!("{host}:{}", producer["tcp_port"].as_u64()?).parse().ok()
    };
    producers.iter().filter_map(address).collect()
}

/// Finishes what comes soon and keeps the bodies.
fn receive_some(connection: &mut Connection, received: &mut BTreeSet<Vec<u8>>) -> io::Result<()> {
    let mut next = connection.receive(TURN)?;
    let mut answers = Vec::new();
    while let Some(frame) = next {
        match frame {
            Received::Message(message) => {
                answers.extend(command::finish(&message.id));
                received.insert(message.body);
            }
            Received::Error(error) => return Err(io::Error::other(error)),
            Received::Response(_) => {}
        }
        next = connection.take_frame()?;
    }
    connection.send(&answers)
}
