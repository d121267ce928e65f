//! Keeps the connections of one producer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::pipe::{Lost, Pipe, PipeRules};
use super::queue::Queue;
use crate::dialer::Dialer;
use crate::lookupd::{Lookupd, News};
use crate::retry::Retry;

/// A node that nsqlookupd named and that cannot be reached so many times in a row is forgotten: it
/// comes back when it is named anew.
const NAMED_FAILURES_MAX: u32 = 20;

/// What a producer and its tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dialer: Dialer,
    pub(crate) queue: Arc<Queue>,
    /// A number for log lines.
    pub(crate) instance: u32,
    pub(crate) life: watch::Sender<Life>,
    /// How many nodes are in which state, for those who wait for the first.
    pub(crate) reach: watch::Sender<Reach>,
    nodes: Mutex<BTreeMap<String, NodeState>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// What was taken in is published; nothing more comes.
    Closing,
    Over,
}

/// Whether publishing is possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The first attempts are under way.
    Unknown,
    /// At least one node is connected.
    Some,
    /// None is, for this reason.
    None(Arc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NodeState {
    Trying,
    Up,
    Down(Arc<str>),
}

impl Shared {
    pub(crate) fn new(dialer: Dialer, instance: u32) -> Self {
        let queue = Arc::new(Queue::new(&dialer.config));
        Self {
            dialer,
            queue,
            instance,
            life: watch::Sender::new(Life::Running),
            reach: watch::Sender::new(Reach::Unknown),
            nodes: Mutex::default(),
        }
    }

    /// Notes how a node is, or that it is no more.
    fn note(&self, address: &str, state: Option<NodeState>) {
        let mut nodes = self.nodes.lock();
        match state {
            Some(state) => nodes.insert(address.to_owned(), state),
            None => nodes.remove(address),
        };
        let mut reach = Reach::None("no nsqd is known".into());
        for state in nodes.values() {
            match state {
                NodeState::Up => {
                    reach = Reach::Some;
                    break;
                }
                NodeState::Trying => reach = Reach::Unknown,
                NodeState::Down(error) if reach != Reach::Unknown => {
                    reach = Reach::None(Arc::clone(error));
                }
                NodeState::Down(_) => {}
            }
        }
        match &reach {
            Reach::None(error) => self.queue.unreachable(error),
            Reach::Unknown | Reach::Some => self.queue.reachable(),
        }
        self.reach.send_replace(reach);
    }
}

/// The task behind a producer.
#[derive(Debug)]
struct Supervisor {
    shared: Arc<Shared>,
    /// A task for each node.
    nodes: JoinSet<String>,
    known: BTreeSet<String>,
    lookups: JoinSet<()>,
    named: Vec<BTreeSet<String>>,
}

/// Starts the tasks: one for each address, and those that ask nsqlookupds.
pub(crate) fn spawn(shared: Arc<Shared>, addresses: BTreeSet<String>, lookupds: Vec<Lookupd>) {
    let (news, heard) = mpsc::channel(16);
    let mut supervisor = Supervisor {
        shared,
        nodes: JoinSet::new(),
        known: BTreeSet::new(),
        lookups: JoinSet::new(),
        named: vec![BTreeSet::new(); lookupds.len()],
    };
    // All are noted before any can have failed.
    for address in &addresses {
        supervisor.shared.note(address, Some(NodeState::Trying));
    }
    let has_siblings = addresses.len() > 1 || !lookupds.is_empty();
    for address in addresses {
        supervisor.known.insert(address.clone());
        supervisor.start(address, has_siblings, false);
    }
    for (number, lookupd) in lookupds.into_iter().enumerate() {
        let watching = lookupd.watch(number, news.clone(), Arc::new(Notify::new()));
        supervisor.lookups.spawn(watching);
    }
    tokio::spawn(supervisor.run(heard));
}

impl Supervisor {
    async fn run(mut self, mut heard: mpsc::Receiver<News>) {
        let shared = Arc::clone(&self.shared);
        let mut life = shared.life.subscribe();
        loop {
            let next = shared.queue.expire(Instant::now());
            tokio::select! {
                _ = life.wait_for(|life| *life == Life::Over) => break,
                () = until(next) => {}
                () = shared.queue.watched.notified() => {}
                Some(news) = heard.recv() => self.on_news(news),
                Some(ended) = self.nodes.join_next() => {
                    if let Ok(address) = ended {
                        self.known.remove(&address);
                        shared.note(&address, None);
                    }
                }
                () = shared.queue.settled(), if *shared.life.borrow() == Life::Closing => break,
            }
        }
        self.lookups.shutdown().await;
        shared.life.send_replace(Life::Over);
        while self.nodes.join_next().await.is_some() {}
        shared.queue.abandon();
    }

    fn on_news(&mut self, news: News) {
        if let Some(named) = self.named.get_mut(news.lookupd) {
            *named = news.nodes;
        }
        let most = self.shared.dialer.config.max_connections as usize;
        let unknown: Vec<_> =
            self.named.iter().flatten().filter(|it| !self.known.contains(*it)).cloned().collect();
        for address in unknown {
            if self.known.len() >= most {
                log::warn!(
                    "{:3} not connecting to {address}: {most} nsqd are enough",
                    self.shared.instance
                );
                break;
            }
            if self.known.insert(address.clone()) {
                self.shared.note(&address, Some(NodeState::Trying));
                self.start(address, true, true);
            }
        }
    }

    fn start(&mut self, address: String, has_siblings: bool, is_named: bool) {
        let node = Node { shared: Arc::clone(&self.shared), address, has_siblings, is_named };
        self.nodes.spawn(node.run());
    }
}

/// One nsqd.
#[derive(Debug)]
struct Node {
    shared: Arc<Shared>,
    address: String,
    has_siblings: bool,
    /// An nsqlookupd named it, and will name it again if it comes back.
    is_named: bool,
}

impl Node {
    /// Connects, again and again. Returns the address when the node is of no more use.
    async fn run(self) -> String {
        let config = &self.shared.dialer.config;
        let mut life = self.shared.life.subscribe();
        let mut retry = Retry::new(config.lookupd_poll_interval);
        let mut failures = 0;
        loop {
            let lasted = tokio::select! {
                lasted = self.connect_and_publish() => lasted,
                _ = life.wait_for(|life| *life == Life::Over) => Duration::ZERO,
            };
            if *self.shared.life.borrow() == Life::Over {
                return self.address;
            }
            failures = if lasted > Duration::ZERO { 0 } else { failures + 1 };
            if self.is_named && failures >= NAMED_FAILURES_MAX {
                return self.address;
            }
            retry.on_ended(lasted, Instant::now());
            tokio::select! {
                () = sleep_until(retry.at()) => {}
                _ = life.wait_for(|life| *life == Life::Over) => return self.address,
            }
        }
    }

    /// Returns how long the connection lasted, zero if there was none; for ever, if it was in
    /// order.
    async fn connect_and_publish(&self) -> Duration {
        let Self { shared, address, .. } = self;
        let (config, instance) = (&shared.dialer.config, shared.instance);
        log::info!("{instance:3} ({address}) connecting to nsqd");
        let (wire, _) = match shared.dialer.connect(address).await {
            Ok(connected) => connected,
            Err(error) => {
                log::error!("{instance:3} ({address}) error connecting to nsqd - {error}");
                self.down(error.to_string());
                return Duration::ZERO;
            }
        };
        shared.note(address, Some(NodeState::Up));
        let started = Instant::now();
        let rules =
            PipeRules { retries: config.publish_retry, answer_timeout: config.publish_timeout / 2 };
        let pipe = Pipe::new(wire, Arc::clone(&shared.queue), rules, self.has_siblings);
        let Lost { error, was_refused } = pipe.run().await;
        if error.kind() == io::ErrorKind::UnexpectedEof {
            log::info!("{instance:3} ({address}) nsqd closed the connection");
        } else {
            log::error!("{instance:3} ({address}) IO error - {error}");
        }
        if was_refused {
            shared.note(address, Some(NodeState::Trying));
            return Duration::MAX;
        }
        self.down(error.to_string());
        started.elapsed().max(Duration::from_nanos(1))
    }

    fn down(&self, error: String) {
        let error: Arc<str> = error.into();
        self.shared.queue.note_error(&error);
        self.shared.note(&self.address, Some(NodeState::Down(error)));
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
