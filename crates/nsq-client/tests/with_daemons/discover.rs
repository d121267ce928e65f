//! Finding nsqd through nsqlookupd.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nsq_client::{Config, Consumer, Producer};
use nsq_sim::Daemon;
use serde_json::json;
use tempfile::{TempDir, tempdir};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::http_server::HttpServer;
use crate::support::{config, numbered, producer, receive, soon, until};

struct Cluster {
    lookupds: Vec<Daemon>,
    nsqds: Vec<Daemon>,
    _data: Vec<TempDir>,
}

impl Cluster {
    fn start(lookupd_count: usize, nsqd_count: usize) -> Self {
        let lookupds: Vec<_> = (0..lookupd_count).map(|_| Daemon::lookupd(&[])).collect();
        let tcp: Vec<_> = lookupds.iter().map(|lookupd| lookupd.addresses().tcp).collect();
        let data: Vec<_> = (0..nsqd_count).map(|_| tempdir().expect("a directory")).collect();
        let nsqds = data.iter().map(|data| Daemon::nsqd(data.path(), &tcp)).collect();
        Self { lookupds, nsqds, _data: data }
    }

    fn http(&self) -> Vec<String> {
        self.lookupds.iter().map(|lookupd| lookupd.addresses().http.to_string()).collect()
    }
}

async fn found(lookupds: &[String], config: Config) -> Consumer {
    let mut consumer = Consumer::new("t", "channel", config).expect("a consumer");
    consumer.connect_to_lookupds(lookupds).await.expect("addresses");
    consumer
}

/// The consumer is there first: it hears of each nsqd without asking in intervals.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_nsqd_is_found_at_once() {
    let cluster = Cluster::start(2, 2);
    let mut consumer = found(&cluster.http(), config()).await;
    let handle = consumer.handle();
    for (index, nsqd) in cluster.nsqds.iter().enumerate() {
        let bodies = numbered(&format!("{index}-"), 10);
        let producer = producer(&[nsqd], config());
        producer.publish_multi("t", &bodies).await.expect("published");
        receive(&mut consumer, &bodies).await;
        assert_eq!(handle.connection_count(), index + 1);
    }
}

/// Go NSQ's nsqlookupd does not know how to let a request wait.
#[tokio::test(flavor = "multi_thread")]
async fn asking_in_intervals_finds_it_too() {
    let cluster = Cluster::start(1, 1);
    let interval = Duration::from_millis(20);
    let config =
        Config { lookupd_long_polling: false, lookupd_poll_interval: interval, ..config() };
    let mut consumer = found(&cluster.http(), config.clone()).await;
    let producer = producer(&[&cluster.nsqds[0]], config);
    producer.publish("t", "x").await.expect("published");
    receive(&mut consumer, &["x".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_daemons_come_back() {
    let mut cluster = Cluster::start(2, 2);
    let mut consumer = found(&cluster.http(), config()).await;
    let producer = Producer::with_lookupds(&cluster.http(), config()).expect("a producer");
    for round in 0..4 {
        let bodies = numbered(&format!("{round}-"), 50);
        for body in &bodies {
            soon("publishing", producer.publish("t", body)).await.expect("one is always there");
        }
        tokio::task::block_in_place(|| {
            cluster.nsqds[round % 2].kill();
            cluster.lookupds[round % 2].kill();
            cluster.nsqds[round % 2].start_again();
            cluster.lookupds[round % 2].start_again();
        });
        receive(&mut consumer, &bodies).await;
    }
}

fn named(ports: &[u16]) -> String {
    let producers: Vec<_> = ports
        .iter()
        .map(|port| json!({ "broadcast_address": "127.0.0.1", "tcp_port": port }))
        .collect();
    json!({ "channels": [], "producers": producers }).to_string()
}

/// One says nothing, one names what is none, one names a place that hangs, one is not there, one
/// is broken: the good one is enough.
#[tokio::test(flavor = "multi_thread")]
async fn lookupds_that_lie_stall_or_are_gone_do_no_harm() {
    let cluster = Cluster::start(1, 1);
    let hung = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hung_port = hung.local_addr().expect("an address").port();
    let stalls = HttpServer::start(None).await;
    let hangs = HttpServer::start(Some(("200 OK", named(&[hung_port, 1, 2, 3])))).await;
    let broken = HttpServer::start(Some(("200 OK", "<html>".to_owned()))).await;
    let refuses = HttpServer::start(Some(("500 Oh", String::new()))).await;
    let nonsense = json!({ "producers": [
        { "broadcast_address": "a b", "tcp_port": 1 }, { "broadcast_address": "", "tcp_port": 1 },
        { "broadcast_address": "127.0.0.1", "tcp_port": -5 },
        { "broadcast_address": "no.such.host.invalid", "tcp_port": 4150 },
    ]});
    let lies = HttpServer::start(Some(("200 OK", nonsense.to_string()))).await;
    let mut lookupds: Vec<_> =
        [&stalls, &hangs, &broken, &refuses, &lies].map(|server| server.address.to_string()).into();
    lookupds.push("127.0.0.1:1".to_owned());
    lookupds.extend(cluster.http());
    let mut consumer = found(&lookupds, config()).await;
    let producer = producer(&[&cluster.nsqds[0]], config());
    let bodies = numbered("m", 100);
    producer.publish_multi("t", &bodies).await.expect("published");
    receive(&mut consumer, &bodies).await;
    let through_them = Producer::with_lookupds(&lookupds, config()).expect("a producer");
    soon("publishing", through_them.publish("t", "x")).await.expect("published");
}

/// Many addresses, each of which takes connections and closes them: the pace is bounded.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_paced() {
    let attempts = Arc::<AtomicUsize>::default();
    let closing = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = closing.local_addr().expect("an address").port();
    let counted = Arc::clone(&attempts);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = closing.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            // Some of what is said, so that the end is one and no reset.
            drop(stream.read(&mut [0; 1000]).await);
        }
    });
    let lookupd = HttpServer::start(Some(("200 OK", named(&[port])))).await;
    let interval = Duration::from_millis(10);
    let config = Config { lookupd_poll_interval: interval, ..config() };
    let consumer = found(&[lookupd.address.to_string()], config.clone()).await;
    let started = std::time::Instant::now();
    until("attempts", || attempts.load(Ordering::Relaxed) >= 10).await;
    // At least half of the interval between two.
    assert!(started.elapsed() >= interval / 2 * 9);
    until("requests", || lookupd.requests() >= 3).await;
    drop(consumer);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_connections_are_made() {
    let lookupd = HttpServer::start(Some(("200 OK", named(&(1..2000).collect::<Vec<_>>())))).await;
    let config = Config { max_connections: 10, ..config() };
    let consumer = found(&[lookupd.address.to_string()], config).await;
    until("the answer", || lookupd.requests() >= 1).await;
    assert!(consumer.handle().connection_count() <= 10);
}

/// nsqd that takes the connection, is identified, and then says nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn an_nsqd_that_falls_silent_is_given_up() {
    use tokio::io::AsyncWriteExt;
    let attempts = Arc::<AtomicUsize>::default();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let counted = Arc::clone(&attempts);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = silent.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                // As nsqd answers somebody who does not negotiate.
                stream.write_all(b"\0\0\0\x06\0\0\0\0OK").await.expect("a client");
                let mut said = Vec::new();
                stream.read_to_end(&mut said).await.expect("until it closes");
            });
        }
    });
    let config = Config {
        read_timeout: Duration::from_millis(100),
        heartbeat_interval: Some(Duration::from_millis(100)),
        ..config()
    };
    let mut consumer = Consumer::new("t", "channel", config).expect("a consumer");
    consumer.connect_to_nsqds(&[address]).await.expect("it accepts");
    until("another attempt", || attempts.load(Ordering::Relaxed) >= 3).await;
    soon("stopping", consumer.stop()).await;
}
