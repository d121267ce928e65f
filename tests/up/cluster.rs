//! A cluster: consumers know only nsqlookupd, and daemons come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nsq_app::{LogLevel, Logger, Shutdown};
use nsq_sim::{Connection, Received, command, http};
use serde_json::Value;

use crate::up_process::Up;

const PATIENCE: Duration = Duration::from_secs(20);
/// How long a consumer listens to one connection before it turns to the next.
const TURN: Duration = Duration::from_millis(20);

/// A daemon in this process, on a thread and a runtime of its own. It stops when it is dropped.
struct Daemon {
    tcp: SocketAddr,
    http: SocketAddr,
    shutdown: Shutdown,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Daemon {
    fn lookupd() -> Self {
        Self::spawn(|listening, shutdown| async move {
            let options = nsqlookupd::Options {
                tcp_address: "127.0.0.1:0".to_owned(),
                http_address: "127.0.0.1:0".to_owned(),
                broadcast_address: "127.0.0.1".to_owned(),
                ..nsqlookupd::Options::default()
            };
            let server = nsqlookupd::Server::start(options, log("[nsqlookupd] ")).await?;
            listening.send((server.tcp_address()?, server.http_address()?))?;
            server.run(shutdown).await
        })
    }

    /// An nsqd that registers with `lookupds`, on `tcp` if it shall be where it was.
    fn nsqd(data_path: &Path, lookupds: &[&Self], tcp: Option<SocketAddr>) -> Self {
        let options = nsqd::Options {
            tcp_address: tcp.map_or_else(|| "127.0.0.1:0".to_owned(), |tcp| tcp.to_string()),
            http_address: "127.0.0.1:0".to_owned(),
            broadcast_address: "127.0.0.1".to_owned(),
            data_path: data_path.to_string_lossy().into_owned(),
            nsqlookupd_tcp_addresses: lookupds.iter().map(|peer| peer.tcp.to_string()).collect(),
            ..nsqd::Options::default()
        };
        Self::spawn(|listening, shutdown| async move {
            let server = nsqd::Server::start(options, log("[nsqd] ")).await?;
            let http = server.http_address()?.expect("the test asked for HTTP");
            listening.send((server.tcp_address()?, http))?;
            server.run(shutdown).await
        })
    }

    fn spawn<F: Future<Output = anyhow::Result<()>>>(
        serve: impl FnOnce(mpsc::Sender<(SocketAddr, SocketAddr)>, Shutdown) -> F + Send + 'static,
    ) -> Self {
        let (listening, listens) = mpsc::channel();
        let shutdown = Shutdown::new();
        let heard = shutdown.clone();
        let thread = std::thread::spawn(move || {
            nsqd::runtime()?.block_on(async move { serve(listening, heard).await })
        });
        let (tcp, http) = listens.recv_timeout(PATIENCE).expect("it starts");
        Self { tcp, http, shutdown, thread: Some(thread) }
    }

    fn publish(&self, body: &str) {
        let answer = http::post(self.http, "/pub?topic=orders", body.as_bytes());
        let answer = answer.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, "OK"));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.begin();
        let ended = self.thread.take().expect("it is taken only here").join();
        if !std::thread::panicking() {
            ended.expect("no panic in the daemon").expect("it stops in order");
        }
    }
}

fn log(prefix: &str) -> Logger {
    Logger::to_stderr(prefix, LogLevel::Fatal)
}

/// The addresses at which `/lookup` says the topic lives; none where nsqlookupd is gone.
fn producers(lookupd: SocketAddr) -> BTreeSet<SocketAddr> {
    let Ok(answer) = http::get(lookupd, "/lookup?topic=orders") else { return BTreeSet::new() };
    let json: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let producers = json["producers"].as_array().cloned().unwrap_or_default();
    let address = |producer: &Value| {
        let (host, port) =
            (producer["broadcast_address"].as_str()?, producer["tcp_port"].as_u64()?);
        format!("{host}:{port}").parse().ok()
    };
    producers.iter().filter_map(address).collect()
}

/// A consumer that knows only nsqlookupd.
struct Consumer {
    lookupds: Vec<SocketAddr>,
    connections: BTreeMap<SocketAddr, Connection>,
}

impl Consumer {
    fn new(lookupds: &[&Daemon]) -> Self {
        let lookupds = lookupds.iter().map(|lookupd| lookupd.http).collect();
        Self { lookupds, connections: BTreeMap::new() }
    }

    /// Receives and finishes until all of `wanted` have come; other messages may come, too.
    #[track_caller]
    fn receive(&mut self, wanted: &[&str]) {
        let mut wanted: BTreeSet<Vec<u8>> = wanted.iter().map(|w| w.as_bytes().to_vec()).collect();
        let deadline = Instant::now() + PATIENCE;
        while !wanted.is_empty() {
            assert!(Instant::now() < deadline, "{wanted:?} did not come");
            self.discover();
            let mut lost = Vec::new();
            for (address, connection) in &mut self.connections {
                match receive_one(connection) {
                    Ok(body) => {
                        wanted.remove(&body);
                    }
                    Err(_) => lost.push(*address),
                }
            }
            lost.iter().for_each(|address| drop(self.connections.remove(address)));
        }
    }

    fn discover(&mut self) {
        for address in self.lookupds.iter().flat_map(|&lookupd| producers(lookupd)) {
            if self.connections.contains_key(&address) {
                continue;
            }
            // One that is just gone may still be listed.
            let Ok(mut connection) = Connection::open(address) else { continue };
            let joined = connection.ask(&command::subscribe("orders", "archive"));
            if joined.is_ok() && connection.send(&command::ready(10)).is_ok() {
                self.connections.insert(address, connection);
            }
        }
    }
}

/// The body of the next message, which is finished; empty if none comes soon.
fn receive_one(connection: &mut Connection) -> std::io::Result<Vec<u8>> {
    let Some(Received::Message(message)) = connection.receive(TURN)? else {
        return Ok(Vec::new());
    };
    connection.send(&command::finish(&message.id))?;
    Ok(message.body)
}

#[track_caller]
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn consumers_find_what_comes_and_go_on_when_something_goes() {
    let homes: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a directory")).collect();
    let (one, other) = (Daemon::lookupd(), Daemon::lookupd());
    let both = [&one, &other];
    let first = Daemon::nsqd(homes[0].path(), &both, None);
    let second = Daemon::nsqd(homes[1].path(), &both, None);
    let third = Daemon::nsqd(homes[2].path(), &both, None);
    for (daemon, body) in [(&first, "1a"), (&second, "2a"), (&third, "3a")] {
        daemon.publish(body);
    }
    let mut consumer = Consumer::new(&both);
    consumer.receive(&["1a", "2a", "3a"]);

    // One nsqd goes and comes back where it was, with what it had.
    second.publish("2b");
    let address = second.tcp;
    drop(second);
    eventually("it is not listed any more", || !producers(one.http).contains(&address));
    first.publish("1b");
    consumer.receive(&["1b"]);
    let second = Daemon::nsqd(homes[1].path(), &both, Some(address));
    consumer.receive(&["2b"]);

    // One nsqlookupd goes: nobody notices.
    drop(other);
    for (daemon, body) in [(&first, "1c"), (&second, "2c"), (&third, "3c")] {
        daemon.publish(body);
    }
    consumer.receive(&["1c", "2c", "3c"]);

    // A new nsqd is found, and its channel was there before the consumer came.
    let fourth = Daemon::nsqd(homes[3].path(), &[&one], None);
    eventually("it is connected", || {
        http::get(one.http, "/nodes")
            .is_ok_and(|nodes| nodes.body.contains(&format!("\"tcp_port\":{}", fourth.tcp.port())))
    });
    fourth.publish("4a");
    eventually("the channel that nsqlookupd knows is made", || {
        http::get(fourth.http, "/stats?format=json")
            .is_ok_and(|stats| stats.body.contains("\"channel_name\":\"archive\""))
    });
    consumer.receive(&["4a"]);
}

#[test]
fn nsq_up_starts_several_nodes_that_find_each_other() {
    let data = tempfile::tempdir().expect("a directory");
    let up = Up::start_with(data.path(), &["--nodes=3"]);
    let words: Vec<_> = up.welcome().split_whitespace().collect();
    let behind = |name: &str| -> Vec<SocketAddr> {
        let places = words.windows(5).filter(|words| words[0] == name);
        places.flat_map(|words| [words[2].parse(), words[4].parse()]).flatten().collect()
    };
    let (nodes, lookupd) = (behind("nsqd"), behind("nsqlookupd"));
    assert_eq!((nodes.len(), lookupd.len()), (6, 2), "{}", up.welcome());
    for (index, node) in nodes.chunks(2).enumerate() {
        let body = index.to_string();
        let answer = http::post(node[1], "/pub?topic=orders", body.as_bytes());
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let mut consumer = Consumer { lookupds: vec![lookupd[1]], connections: BTreeMap::new() };
    consumer.receive(&["0", "1", "2"]);
    up.interrupt();
    assert!(data.path().join("node-3").join("nsqd.dat").exists());
}
