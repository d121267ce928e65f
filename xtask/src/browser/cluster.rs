//! The cluster that nsqadmin shows: small, but with everything that a page has to show.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::publisher::Publisher;
use crate::daemon::{Daemon, Process};
use crate::http;
use crate::workspace::Programs;

const NSQDS: usize = 3;
/// Who may change things at the nsqadmin that does not let everybody.
const ADMIN_USER: &str = "alice";
const BASE_PATH: &str = "/nsq";
/// How long the cluster may take to come together.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The topics, the number of nsqd that have them (the first ones), and their channels. `unread` has
/// no channel, so its messages wait in the topic.
const TOPICS: [(&str, usize, &[&str]); 4] = [
    ("orders", 3, &["archive", "audit", "billing"]),
    ("clicks", 2, &["idle", "web"]),
    ("events#ephemeral", 1, &["live#ephemeral"]),
    ("unread", 1, &[]),
];
/// A channel that nobody consumes, so it grows, and one that is paused.
const PAUSED: (&str, &str) = ("orders", "audit");
/// A topic that only the nsqlookupds know, and its channel.
const INACTIVE: (&str, &str) = ("forgotten", "old");
/// Consumers: program, topic, channel.
const CONSUMERS: [(&str, &str, &str); 7] = [
    ("nsq_tail", "orders", "archive"),
    ("nsq_to_file", "orders", "archive"),
    ("nsq_tail", "orders", "billing"),
    ("nsq_tail", "orders", "audit"),
    ("nsq_tail", "clicks", "web"),
    ("nsq_tail", "clicks", "web"),
    ("nsq_tail", "events#ephemeral", "live#ephemeral"),
];
/// What a hostile consumer says of itself: markup that leaves a mark if it is taken as such.
const HOSTILE_ID: &str = "client_id,\"><b id=injected>x</b>";
const HOSTILE_AGENT: &str =
    "user_agent,</script><script>window.injected=1</script><img src=x onerror=window.injected=1>";

/// So that charts have something to show soon.
const HISTORY: &str = "--history-interval=1s";

/// Two nsqlookupd, three nsqd, three nsqadmin, consumers and traffic. All of it ends with this.
#[derive(Debug)]
pub(super) struct Cluster {
    publisher: Publisher,
    // In the order in which they go.
    _consumers: Vec<Process>,
    /// Everybody is an admin.
    admin: Daemon,
    /// Only one user is, and all paths are below a base path.
    restricted: Daemon,
    /// An nsqlookupd of the latter that never answers.
    silent: String,
    /// Shows graphs of `graphite`, which the tests answer for.
    graphs: Daemon,
    graphite: String,
    nsqds: Vec<Daemon>,
    lookupds: Vec<Daemon>,
    _files: TempDir,
}

impl Cluster {
    /// Starts everything, and waits until the nodes and the consumers are known.
    pub(super) fn start(programs: &Programs) -> Result<Self> {
        let lookupds = [(); 2].map(|()| Daemon::nsqlookupd(programs.path("nsqlookupd")?));
        let lookupds = lookupds.into_iter().collect::<Result<Vec<_>>>()?;
        let nsqd = || Daemon::nsqd_with(programs.path("nsqd")?, &nsqd_flags(&lookupds));
        let nsqds = (0..NSQDS).map(|_| nsqd()).collect::<Result<Vec<_>>>()?;
        let nsqadmin = programs.path("nsqadmin")?;
        let flags = lookupd_http_flags(&lookupds);
        let with = |more: String| flags.iter().cloned().chain([more]).collect::<Vec<_>>();
        let admin = Daemon::nsqadmin(nsqadmin, &with(HISTORY.to_owned()))?;
        let graphite = nobody()?;
        let url = format!("--graphite-url=http://{graphite}");
        let graphs = Daemon::nsqadmin(nsqadmin, &with(url))?;
        let more = [format!("--admin-user={ADMIN_USER}"), format!("--base-path={BASE_PATH}")];
        let silent = nobody()?;
        let more = more.into_iter().chain([format!("--lookupd-http-address={silent}")]);
        let more = flags.iter().cloned().chain(more).collect::<Vec<_>>();
        let restricted = Daemon::nsqadmin(nsqadmin, &more)?;
        create_topics(&lookupds, &nsqds)?;
        let files = tempfile::tempdir()?;
        let consumers = start_consumers(programs, &flags, files.path())?;
        let publisher = Publisher::start(targets(&nsqds));
        let cluster = Self {
            publisher,
            _consumers: consumers,
            admin,
            restricted,
            silent,
            graphs,
            graphite,
            nsqds,
            lookupds,
            _files: files,
        };
        cluster.await_consumers()?;
        Ok(cluster)
    }

    /// What the tests must know.
    pub(super) fn description(&self) -> Value {
        let addresses = |daemons: &[Daemon]| -> Vec<Value> {
            let each = daemons.iter();
            each.map(|daemon| json!({ "tcp": daemon.tcp, "http": daemon.http })).collect()
        };
        json!({
            "admin": self.admin.http,
            "restricted": {
                "http": self.restricted.http,
                "base": BASE_PATH,
                "user": ADMIN_USER,
                "silent": self.silent,
            },
            "graphs": { "http": self.graphs.http, "graphite": self.graphite },
            "nsqds": addresses(&self.nsqds),
            "lookupds": addresses(&self.lookupds),
        })
    }

    /// Ends everything; the nsqadmins and the publisher must be content.
    pub(super) fn stop(self) -> Result<()> {
        self.publisher.stop()?;
        self.admin.stop()?;
        self.graphs.stop()?;
        self.restricted.stop()
    }

    /// Waits until every nsqd with a consumed topic has all consumers of its channels.
    fn await_consumers(&self) -> Result<()> {
        for (topic, nodes, channels) in TOPICS {
            for channel in channels {
                let consumes = |&(_, t, c): &(&str, &str, &str)| (t, c) == (topic, *channel);
                let expected = CONSUMERS.into_iter().filter(consumes).count();
                for nsqd in self.nsqds.iter().take(nodes) {
                    let what = format!("{expected} consumers of {topic}/{channel}");
                    eventually(&what, || Ok(clients(nsqd, topic, channel)? == Some(expected)))?;
                }
            }
        }
        Ok(())
    }
}

/// An address where nobody listens.
fn nobody() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn nsqd_flags(lookupds: &[Daemon]) -> Vec<String> {
    let lookupds = lookupds.iter().map(|lookupd| format!("--lookupd-tcp-address={}", lookupd.tcp));
    let more = ["--broadcast-address=127.0.0.1", "--e2e-processing-latency-percentile=0.99,0.95"];
    lookupds.chain(more.map(str::to_owned)).collect()
}

fn lookupd_http_flags(lookupds: &[Daemon]) -> Vec<String> {
    lookupds.iter().map(|lookupd| format!("--lookupd-http-address={}", lookupd.http)).collect()
}

/// Creates topics and channels, and waits until every nsqlookupd knows where they are.
fn create_topics(lookupds: &[Daemon], nsqds: &[Daemon]) -> Result<()> {
    for (topic, nodes, channels) in TOPICS {
        let topic = topic.replace('#', "%23");
        for nsqd in nsqds.iter().take(nodes) {
            http::order(&nsqd.http, &format!("/topic/create?topic={topic}"), &[])?;
            for channel in channels {
                let channel = channel.replace('#', "%23");
                let target = format!("/channel/create?topic={topic}&channel={channel}");
                http::order(&nsqd.http, &target, &[])?;
            }
        }
        for lookupd in lookupds {
            eventually(&format!("{nodes} nodes of {topic}"), || {
                let found =
                    http::ask(&lookupd.http, &format!("GET /lookup?topic={topic}"), &[], &[])?;
                let found = String::from_utf8_lossy(&found.body).matches("tcp_port").count();
                Ok(found == nodes)
            })?;
        }
    }
    let (topic, channel) = INACTIVE;
    for lookupd in lookupds {
        let target = format!("/channel/create?topic={topic}&channel={channel}");
        http::order(&lookupd.http, &target, &[])?;
    }
    let (topic, channel) = PAUSED;
    for nsqd in nsqds {
        let target = format!("/channel/pause?topic={topic}&channel={channel}");
        http::order(&nsqd.http, &target, &[])?;
    }
    Ok(())
}

fn start_consumers(programs: &Programs, flags: &[String], files: &Path) -> Result<Vec<Process>> {
    let mut consumers = Vec::with_capacity(CONSUMERS.len());
    for (number, (program, topic, channel)) in CONSUMERS.into_iter().enumerate() {
        let mut command = Command::new(programs.path(program)?);
        command.args(flags).args(["--topic", topic, "--channel", channel]);
        if program == "nsq_to_file" {
            command.arg("--output-dir").arg(files);
        }
        // The last but one shares its channel with a harmless one.
        if number + 2 == CONSUMERS.len() {
            command.args(["--consumer-opt", HOSTILE_ID, "--consumer-opt", HOSTILE_AGENT]);
        }
        consumers.push(Process::start(command)?);
    }
    Ok(consumers)
}

/// Where the traffic goes.
fn targets(nsqds: &[Daemon]) -> Vec<(String, &'static str)> {
    let of = |(topic, nodes, _): (&'static str, usize, _)| {
        nsqds.iter().take(nodes).map(move |nsqd| (nsqd.http.clone(), topic))
    };
    TOPICS.into_iter().flat_map(of).collect()
}

/// How many clients a channel of an nsqd has, if it has the channel.
fn clients(nsqd: &Daemon, topic: &str, channel: &str) -> Result<Option<usize>> {
    let (topic, channel) = (topic.replace('#', "%23"), channel.replace('#', "%23"));
    let target = format!("GET /stats?format=json&topic={topic}&channel={channel}");
    let answer = http::ask(&nsqd.http, &target, &[], &[])?;
    let stats: Value = serde_json::from_slice(&answer.body)?;
    let clients = stats.pointer("/topics/0/channels/0/clients");
    Ok(clients.and_then(Value::as_array).map(Vec::len))
}

/// Waits until it is so.
fn eventually(what: &str, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !look()? {
        ensure!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
