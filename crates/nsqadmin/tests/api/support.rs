//! An nsqadmin in this process, a cluster for it, and a client.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nsq_app::{LogLevel, Logger, Shutdown};
use nsq_sim::{Connection, Daemon, Received, binary, command};
use nsqadmin::{Options, Server};
use tempfile::TempDir;

/// How long to wait for something that must happen. Only a defect makes a test wait so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits until `look` sees something, which is returned.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What `look` says when it says what is expected, or last when that does not happen.
pub(crate) fn settled(expected: &str, mut look: impl FnMut() -> String) -> String {
    let began = Instant::now();
    loop {
        let seen = look();
        if seen == expected || began.elapsed() >= PATIENCE {
            return seen;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Sends a request; status and body in one line.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, request: &str, headers: &[&str], body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let mut head = format!("{request} HTTP/1.0\r\nHost: admin:1\r\n");
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    let length = body.len();
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("a whole answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).expect("a status line");
    format!("{status} {body}")
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A file with a token, below this directory; its path.
#[track_caller]
pub(crate) fn token_file(home: &TempDir, token: &str) -> String {
    let path = home.path().join("tokens");
    std::fs::write(&path, format!("{token}\n")).expect("room for a file");
    path.display().to_string()
}

/// An nsqadmin. It stops in order when it is dropped.
pub(crate) struct Admin {
    pub(crate) address: SocketAddr,
    shutdown: Shutdown,
    served: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Admin {
    #[track_caller]
    pub(crate) fn start(flags: &[String]) -> Self {
        // Unless a test is about it, nobody else asks the daemons.
        let own = ["--http-address=127.0.0.1:0", "--history-interval=0"].map(ToOwned::to_owned);
        let line = nsq_app::flags::parse::<Options>(own.iter().chain(flags).map(OsString::from));
        let options = line.expect("correct flags").options;
        let shutdown = Shutdown::new();
        let (started, wait) = mpsc::channel();
        let until = shutdown.clone();
        let served = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = { runtime }.worker_threads(2).enable_all().build()?;
            runtime.block_on(async {
                let log = Logger::to_stderr(&options.log_prefix, LogLevel::Fatal);
                let server = Server::start(options, log).await?;
                started.send(server.http_address().parse()?).expect("the test waits");
                server.run(until).await
            })
        });
        let address = wait.recv().expect("it starts");
        Self { address, shutdown, served: Some(served) }
    }

    /// One that asks these nsqlookupds.
    #[track_caller]
    pub(crate) fn of_lookupds(lookupds: &[SocketAddr], flags: &[&str]) -> Self {
        let lookupds = lookupds.iter().map(|address| format!("--lookupd-http-address={address}"));
        Self::start(&lookupds.chain(flags.iter().map(|&flag| flag.to_owned())).collect::<Vec<_>>())
    }

    /// One that asks these nsqds.
    #[track_caller]
    pub(crate) fn of_nsqds(nsqds: &[SocketAddr], flags: &[&str]) -> Self {
        let nsqds = nsqds.iter().map(|address| format!("--nsqd-http-address={address}"));
        Self::start(&nsqds.chain(flags.iter().map(|&flag| flag.to_owned())).collect::<Vec<_>>())
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> String {
        ask(self.address, &format!("GET {target}"), &[], "")
    }

    /// `POST /api/topics {…}`: method, path and perhaps a body.
    #[track_caller]
    pub(crate) fn act(&self, action: &str) -> String {
        let (request, body) = match action.find(" {") {
            Some(at) => (&action[..at], &action[at + 1..]),
            None => (action, ""),
        };
        ask(self.address, request, &[], body)
    }

    #[track_caller]
    pub(crate) fn check(&self, action: &str, expected: &str) {
        assert_eq!(self.act(action), expected, "{action}");
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.shutdown.begin();
        let served = self.served.take().expect("it is taken only here").join();
        if !std::thread::panicking() {
            served.expect("no panic in the daemon").expect("it stops in order");
        }
    }
}

/// An nsqlookupd and two nsqd, the first of which has the smaller address.
pub(crate) struct Cluster {
    pub(crate) lookupd: Daemon,
    pub(crate) nsqds: [Daemon; 2],
    _data: [TempDir; 2],
}

impl Cluster {
    #[track_caller]
    pub(crate) fn start() -> Self {
        let lookupd = Daemon::lookupd(&[]);
        let data = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let mut nsqds = [&data[0], &data[1]].map(|data| {
            let nsqd = binary("nsqd").display().to_string();
            let path = format!("--data-path={}", data.path().display());
            let lookupd = format!("--lookupd-tcp-address={}", lookupd.addresses().tcp);
            let own = ["--broadcast-address=127.0.0.1".to_owned(), path, lookupd];
            let latency = "--e2e-processing-latency-percentile=0.99,0.5".to_owned();
            let words = [nsqd].into_iter().chain(own).chain([latency]).collect();
            Daemon::run(words, IpAddr::V4(Ipv4Addr::LOCALHOST))
        });
        nsqds.sort_by_key(|nsqd| nsqd.addresses().http.to_string());
        let cluster = Self { lookupd, nsqds, _data: data };
        let target = "/nodes";
        eventually("both nsqd register", || {
            let nodes = ask(cluster.lookupd.addresses().http, &format!("GET {target}"), &[], "");
            (nodes.matches("tcp_port").count() == 2).then_some(())
        });
        cluster
    }

    /// Topic `clicks` with channel `archive` on both nsqd.
    #[track_caller]
    pub(crate) fn with_clicks() -> Self {
        let cluster = Self::start();
        for nsqd in &cluster.nsqds {
            nsqd.create("clicks", "archive");
        }
        cluster.wait_for("clicks", 2);
        cluster
    }

    /// Waits until nsqlookupd tells so many nodes of the topic.
    #[track_caller]
    pub(crate) fn wait_for(&self, topic: &str, nodes: usize) {
        let request = format!("GET /lookup?topic={topic}");
        eventually(&format!("{nodes} nodes of {topic}"), || {
            let found = ask(self.lookupd.addresses().http, &request, &[], "");
            (found.matches("tcp_port").count() == nodes).then_some(())
        });
    }

    pub(crate) fn lookupd(&self) -> SocketAddr {
        self.lookupd.addresses().http
    }

    pub(crate) fn nsqd(&self, number: usize) -> SocketAddr {
        self.nsqds[number].addresses().http
    }

    /// What an nsqd says of its topics.
    #[track_caller]
    pub(crate) fn stats(&self, number: usize) -> String {
        ask(self.nsqd(number), "GET /stats?format=json&include_clients=false", &[], "")
    }

    #[track_caller]
    pub(crate) fn registered(&self, target: &str) -> String {
        ask(self.lookupd(), &format!("GET {target}"), &[], "")
    }
}

/// A consumer of the channel `archive` that has finished so many messages, as its nsqd has noticed.
#[track_caller]
pub(crate) fn consumer(nsqd: &Daemon, messages: usize) -> Connection {
    let mut consumer = Connection::open(nsqd.addresses().tcp).expect("it listens");
    let subscribed = consumer.ask(&command::subscribe("clicks", "archive")).expect("an answer");
    assert_eq!(subscribed, Received::Response(b"OK".to_vec()));
    consumer.send(&command::ready(200)).expect("it reads");
    for _ in 0..messages {
        let Received::Message(message) = consumer.answer().expect("a message") else {
            panic!("no message")
        };
        consumer.send(&command::finish(&message.id)).expect("it reads");
    }
    let finished = format!("\"finish_count\":{messages}");
    eventually("messages are finished", || {
        let stats = ask(nsqd.addresses().http, "GET /stats?format=json", &[], "");
        stats.contains(&finished).then_some(())
    });
    consumer
}
