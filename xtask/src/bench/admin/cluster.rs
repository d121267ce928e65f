//! Many nsqd and a few nsqlookupd that only answer HTTP, on threads of this process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::json::{self, Wanted};
use super::responder::{Reply, serve};

/// How long `/stats` of everything is kept. All nodes say the same, so that the simulation costs
/// little beside what is measured.
const STATS_AGE: Duration = Duration::from_secs(1);
/// Topics that only the nsqlookupds know.
const INACTIVE: usize = 10;

/// How large the cluster is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) lookupds: usize,
    /// Of each node.
    pub(super) topics: usize,
    /// Of each topic.
    pub(super) channels: usize,
}

/// The simulated daemons. They end with this process.
#[derive(Debug)]
pub(super) struct Cluster {
    size: Size,
    nodes: Vec<SocketAddr>,
    pub(super) lookupds: Vec<SocketAddr>,
}

impl Cluster {
    /// Starts to listen.
    pub(super) fn start(size: Size) -> Result<Self> {
        let start_time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let statistics = Arc::new(Statistics::new(size, start_time));
        let mut nodes = Vec::with_capacity(size.nodes);
        for node in 0..size.nodes {
            let (statistics, own) = (Arc::clone(&statistics), Arc::new(OnceLock::new()));
            let known = Arc::clone(&own);
            let address = serve(Arc::new(move |target: &str| match path(target) {
                "/ping" => Reply::ok(*b"OK"),
                "/info" => match known.get() {
                    Some(address) => Reply::ok(json::info(node, *address, start_time).into_bytes()),
                    None => Reply::not_found("NOT_FOUND"),
                },
                "/stats" => Reply::ok(statistics.page(&Query::of(target))),
                _ => Reply::not_found("NOT_FOUND"),
            }))?;
            own.set(address).ok().context("each address is set once")?;
            nodes.push(address);
        }
        let registry = Arc::new(Registry::new(size, &nodes));
        let lookupds = (0..size.lookupds).map(|_| {
            let registry = Arc::clone(&registry);
            serve(Arc::new(move |target: &str| registry.answer(target)))
        });
        let lookupds = lookupds.collect::<Result<Vec<_>>>()?;
        Ok(Self { size, nodes, lookupds })
    }

    /// A topic of all nodes.
    pub(super) fn a_topic(&self) -> String {
        json::topic_name(self.size.topics / 2)
    }

    /// A channel of all topics.
    pub(super) fn a_channel(&self) -> String {
        json::channel_name(self.size.channels / 2)
    }

    /// An nsqd.
    pub(super) fn a_node(&self) -> String {
        self.nodes.get(self.size.nodes / 2).map(ToString::to_string).unwrap_or_default()
    }
}

/// What all nodes say in `/stats`.
struct Statistics {
    size: Size,
    start_time: u64,
    started: Instant,
    /// All topics, without clients and with them.
    kept: [Mutex<Option<Kept>>; 2],
}

/// A page and when it was made.
struct Kept(Instant, Arc<[u8]>);

impl Statistics {
    fn new(size: Size, start_time: u64) -> Self {
        Self {
            size,
            start_time,
            started: Instant::now(),
            kept: [Mutex::new(None), Mutex::new(None)],
        }
    }

    fn page(&self, query: &Query<'_>) -> Arc<[u8]> {
        let wanted = Wanted {
            topic: query.value("topic"),
            channel: query.value("channel"),
            clients: query.value("include_clients") != Some("false"),
        };
        if wanted.topic.is_some() || wanted.channel.is_some() {
            return self.render(wanted);
        }
        let kept = &self.kept[usize::from(wanted.clients)];
        let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &*kept {
            Some(Kept(made, page)) if made.elapsed() < STATS_AGE => Arc::clone(page),
            _ => {
                let page = self.render(wanted);
                *kept = Some(Kept(Instant::now(), Arc::clone(&page)));
                page
            }
        }
    }

    fn render(&self, wanted: Wanted<'_>) -> Arc<[u8]> {
        let seconds = self.started.elapsed().as_secs();
        json::stats(self.size, wanted, seconds, self.start_time).into_bytes().into()
    }
}

/// What all nsqlookupd say, made once.
struct Registry {
    topics: Arc<[u8]>,
    channels: Arc<[u8]>,
    lookup: Arc<[u8]>,
    inactive: Arc<[u8]>,
    nodes: Arc<[u8]>,
    names: Vec<String>,
    inactive_names: Vec<String>,
}

impl Registry {
    fn new(size: Size, nodes: &[SocketAddr]) -> Self {
        let body = |text: String| -> Arc<[u8]> { text.into_bytes().into() };
        Self {
            topics: body(json::topics(size, INACTIVE)),
            channels: body(json::channels(size)),
            lookup: body(json::lookup(size, nodes)),
            inactive: body(json::lookup(size, &[])),
            nodes: body(json::nodes(size, nodes)),
            names: (0..size.topics).map(json::topic_name).collect(),
            inactive_names: (0..INACTIVE).map(json::inactive_name).collect(),
        }
    }

    fn answer(&self, target: &str) -> Reply {
        let topic = Query::of(target).value("topic").unwrap_or_default();
        let has = |names: &[String]| names.iter().any(|name| name == topic);
        let body = match path(target) {
            "/ping" => Arc::from(*b"OK"),
            "/topics" => Arc::clone(&self.topics),
            "/channels" => Arc::clone(&self.channels),
            "/nodes" => Arc::clone(&self.nodes),
            "/lookup" if has(&self.names) => Arc::clone(&self.lookup),
            "/lookup" if has(&self.inactive_names) => Arc::clone(&self.inactive),
            "/lookup" => return Reply::not_found("TOPIC_NOT_FOUND"),
            _ => return Reply::not_found("NOT_FOUND"),
        };
        Reply::ok(body)
    }
}

/// The part of a target before the question mark.
fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

/// The part behind it. The names of this cluster need no escapes.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    fn of(target: &'a str) -> Self {
        Self(target.split_once('?').map_or("", |(_, query)| query))
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        self.0.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
    }
}
