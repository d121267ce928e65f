//! An nsqd or an nsqlookupd, and what it tells of its channels.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use nsq_sim::{Connection, Received, command, http};
use serde_json::Value;
use tempfile::TempDir;

use crate::patience::{PATIENCE, wait_until};

/// Killed when it is dropped.
pub(crate) struct Daemon {
    daemon: nsq_sim::Daemon,
    _data: Option<TempDir>,
}

/// What an nsqd says of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) messages: u64,
    /// Waiting, in flight or deferred.
    pub(crate) left: u64,
    pub(crate) in_flight: u64,
    pub(crate) requeued: u64,
}

impl Daemon {
    #[track_caller]
    pub(crate) fn nsqd(lookupds: &[&Self]) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let lookupds: Vec<_> = lookupds.iter().map(|lookupd| lookupd.tcp()).collect();
        Self { daemon: nsq_sim::Daemon::nsqd(data.path(), &lookupds), _data: Some(data) }
    }

    #[track_caller]
    pub(crate) fn lookupd() -> Self {
        Self { daemon: nsq_sim::Daemon::lookupd(&[]), _data: None }
    }

    /// Kill -9.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill();
    }

    /// Starts it where it was.
    pub(crate) fn start_again(&mut self) {
        self.daemon.start_again();
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.daemon.addresses().tcp
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.daemon.addresses().http
    }

    /// Creates a topic and a channel.
    #[track_caller]
    pub(crate) fn create(&self, topic: &str, channel: &str) {
        self.daemon.create(topic, channel);
    }

    #[track_caller]
    pub(crate) fn publish(&self, topic: &str, bodies: &[impl AsRef<[u8]>]) {
        let mut connection = Connection::open(self.tcp()).expect("nsqd is there");
        let bodies: Vec<_> = bodies.iter().map(|body| body.as_ref().to_vec()).collect();
        let answer = connection.ask(&command::publish_many(topic, &bodies));
        assert_eq!(answer.expect("an answer"), Received::Response(b"OK".to_vec()));
    }

    /// Zero everywhere if there is no such channel.
    #[track_caller]
    pub(crate) fn counts(&self, topic: &str, channel: &str) -> Counts {
        let target = format!("/stats?format=json&topic={topic}&channel={channel}");
        let answer = http::get(self.http(), &target).expect("an answer");
        let stats: Value = serde_json::from_str(&answer.body).expect("JSON");
        let channel = &stats["topics"][0]["channels"][0];
        let count = |key: &str| channel[key].as_u64().unwrap_or_default();
        Counts {
            messages: count("message_count"),
            left: count("depth") + count("in_flight_count") + count("deferred_count"),
            in_flight: count("in_flight_count"),
            requeued: count("requeue_count"),
        }
    }

    /// Waits until so many messages came through the channel, and all are finished.
    #[track_caller]
    pub(crate) fn wait_finished(&self, topic: &str, channel: &str, messages: u64) {
        wait_until(&format!("{messages} finished in {topic}/{channel}"), || {
            let counts = self.counts(topic, channel);
            counts.messages >= messages && counts.left == 0
        });
    }

    /// Consumes from a topic until each of `expected` has come, in any order and however often.
    /// Returns the others.
    #[track_caller]
    pub(crate) fn take(&self, topic: &str, expected: &[impl AsRef<[u8]>]) -> Vec<Vec<u8>> {
        let mut missing: BTreeSet<&[u8]> = expected.iter().map(AsRef::as_ref).collect();
        let mut others = Vec::new();
        let mut connection = Connection::open(self.tcp()).expect("nsqd is there");
        let answer = connection.ask(&command::subscribe(topic, "test")).expect("an answer");
        assert_eq!(answer, Received::Response(b"OK".to_vec()));
        connection.send(&command::ready(1000)).expect("nsqd is there");
        while !missing.is_empty() {
            match connection.receive(PATIENCE).expect("nsqd is there") {
                Some(Received::Message(message)) => {
                    connection.send(&command::finish(&message.id)).expect("nsqd is there");
                    if !missing.remove(message.body.as_slice()) {
                        others.push(message.body);
                    }
                }
                Some(other) => panic!("{other:?}"),
                None => panic!("{} never came, such as {:?}", missing.len(), missing.first()),
            }
        }
        others
    }
}
