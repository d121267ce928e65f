//! What the tests share.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use nsq_client::{Config, Consumer, Producer};
use nsq_sim::Daemon;

/// How long to wait for what must come: only a defect takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Must be over within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

/// Becomes true within [`PATIENCE`].
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let check = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(what, check).await;
}

pub(crate) fn tcp(daemon: &Daemon) -> String {
    daemon.addresses().tcp.to_string()
}

pub(crate) fn producer(daemons: &[&Daemon], config: Config) -> Producer {
    let addresses: Vec<_> = daemons.iter().map(|daemon| tcp(daemon)).collect();
    Producer::new(&addresses, config).expect("a producer")
}

pub(crate) async fn consumer(daemons: &[&Daemon], topic: &str, config: Config) -> Consumer {
    let addresses: Vec<_> = daemons.iter().map(|daemon| tcp(daemon)).collect();
    let mut consumer = Consumer::new(topic, "channel", config).expect("a consumer");
    consumer.connect_to_nsqds(&addresses).await.expect("nsqd is there");
    consumer
}

/// Many in flight, and retries that do not keep a test waiting.
pub(crate) fn config() -> Config {
    Config {
        max_in_flight: 200,
        default_requeue_delay: Duration::from_millis(10),
        backoff_multiplier: Duration::from_millis(1),
        ..Config::default()
    }
}

/// Takes and finishes messages until all of these have come, some of them perhaps twice.
pub(crate) async fn receive(consumer: &mut Consumer, wanted: &[String]) {
    let mut missing: BTreeSet<_> = wanted.iter().map(String::as_bytes).collect();
    let receiving = async {
        while !missing.is_empty() {
            let message = consumer.next().await.expect("a message");
            missing.remove(&message.body()[..]);
            message.finish();
        }
    };
    soon("receiving", receiving).await;
}

pub(crate) fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}
