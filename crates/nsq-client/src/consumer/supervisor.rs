//! Keeps the connections of one consumer: makes them, makes them again, and ends them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::connection::Connection;
use super::shared::{Life, Shared};
use crate::dialer::Facts;
use crate::lookupd::{Lookupd, News};
use crate::retry::Retry;
use crate::wire::Wire;

/// What a consumer asks its supervisor for.
#[derive(Debug)]
pub(super) enum Request {
    /// Use this connection, and make it again when it is lost.
    Adopt { address: String, wire: Box<Wire>, facts: Facts },
    /// Connect to what this nsqlookupd names.
    Watch(Box<Lookupd>),
}

/// The task behind a consumer.
#[derive(Debug)]
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    nodes: BTreeMap<String, Node>,
    connections: JoinSet<Ended>,
    lookups: JoinSet<()>,
    /// What each nsqlookupd said last.
    named: Vec<BTreeSet<String>>,
    news: mpsc::Sender<News>,
    ask_again: Arc<Notify>,
}

/// One nsqd.
#[derive(Debug)]
struct Node {
    /// It was given by its address, so it is kept whatever nsqlookupd says.
    is_direct: bool,
    is_up: bool,
    retry: Retry,
}

/// A connection is over, or was never made.
#[derive(Debug)]
struct Ended {
    address: String,
    lasted: Duration,
}

impl Supervisor {
    pub(super) fn spawn(shared: Arc<Shared>) -> mpsc::Sender<Request> {
        let (requests, asked) = mpsc::channel(16);
        let (news, heard) = mpsc::channel(16);
        let supervisor = Self {
            shared,
            nodes: BTreeMap::new(),
            connections: JoinSet::new(),
            lookups: JoinSet::new(),
            named: Vec::new(),
            news,
            ask_again: Arc::new(Notify::new()),
        };
        tokio::spawn(supervisor.run(asked, heard));
        requests
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Request>, mut heard: mpsc::Receiver<News>) {
        let shared = Arc::clone(&self.shared);
        let mut life = shared.life.subscribe();
        loop {
            let next = self.next_deadline();
            tokio::select! {
                _ = life.wait_for(|life| *life != Life::Running) => break,
                Some(request) = asked.recv() => self.on_request(request),
                Some(news) = heard.recv() => self.on_news(news),
                Some(ended) = self.connections.join_next() => {
                    // One that panicked would be a defect; its node is lost until it is named anew.
                    if let Ok(ended) = ended {
                        self.on_ended(&ended);
                    }
                    if self.is_over() {
                        break;
                    }
                }
                () = shared.rescheduled.notified() => {}
                () = sleep_until_or_for_ever(next) => {
                    shared.expire();
                    self.reconnect();
                }
            }
        }
        // What was asked for and not begun is refused from here on.
        drop(asked);
        self.drain(life).await;
    }

    /// Waits for the connections to end, then tells whoever waits for messages.
    async fn drain(mut self, mut life: watch::Receiver<Life>) {
        self.lookups.shutdown().await;
        let deadline = Instant::now() + self.shared.dialer.config.stop_timeout;
        loop {
            let ended = tokio::select! {
                ended = timeout_at(deadline, self.connections.join_next()) => ended,
                _ = life.wait_for(|life| *life == Life::Over) => break,
            };
            match ended {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => {
                    log::warn!("{} messages are still in flight", self.shared.label());
                    break;
                }
            }
        }
        self.connections.shutdown().await;
        self.shared.life.send_replace(Life::Over);
        self.shared.inbox.give_back();
        self.shared.inbox.close();
        log::info!("{} stopped", self.shared.label());
    }

    fn on_request(&mut self, request: Request) {
        match request {
            Request::Adopt { address, wire, facts } => {
                let retry = self.retry();
                let new = || Node { is_direct: true, is_up: false, retry };
                let node = self.nodes.entry(address.clone()).or_insert_with(new);
                node.is_direct = true;
                if node.is_up {
                    // It was given twice, or nsqlookupd named it, too: one connection is enough.
                    return;
                }
                node.is_up = true;
                let shared = Arc::clone(&self.shared);
                self.connections.spawn(async move {
                    let started = Instant::now();
                    consume(&shared, &address, *wire, &facts).await;
                    Ended { address, lasted: started.elapsed() }
                });
            }
            Request::Watch(lookupd) => {
                let number = self.named.len();
                self.named.push(BTreeSet::new());
                let (news, again) = (self.news.clone(), Arc::clone(&self.ask_again));
                self.lookups.spawn(lookupd.watch(number, news, again));
            }
        }
    }

    fn on_news(&mut self, news: News) {
        if let Some(named) = self.named.get_mut(news.lookupd) {
            *named = news.nodes;
        }
        let most = self.shared.dialer.config.max_connections as usize;
        let unknown: Vec<String> = self
            .named
            .iter()
            .flatten()
            .filter(|address| !self.nodes.contains_key(*address))
            .cloned()
            .collect();
        for address in unknown {
            if self.nodes.contains_key(&address) {
                continue;
            }
            if self.nodes.len() >= most {
                let label = self.shared.label();
                log::warn!("{label} not connecting to {address}: {most} nsqd are enough");
                break;
            }
            self.connect(&address);
            let node = Node { is_direct: false, is_up: true, retry: self.retry() };
            self.nodes.insert(address, node);
        }
        self.forget();
    }

    fn on_ended(&mut self, ended: &Ended) {
        let Some(node) = self.nodes.get_mut(&ended.address) else { return };
        if node.is_direct && !self.shared.dialer.config.reconnect {
            self.nodes.remove(&ended.address);
            return;
        }
        node.is_up = false;
        node.retry.on_ended(ended.lasted, Instant::now());
        // It may have moved.
        self.ask_again.notify_waiters();
        self.forget();
    }

    /// Whether nothing will ever come again.
    fn is_over(&self) -> bool {
        let waits = self.shared.dialer.config.reconnect || !self.lookups.is_empty();
        !waits && self.connections.is_empty()
    }

    /// Drops nodes that are lost and that nobody names any more.
    fn forget(&mut self) {
        let named = &self.named;
        self.nodes.retain(|address, node| {
            node.is_up || node.is_direct || named.iter().any(|named| named.contains(address))
        });
    }

    fn reconnect(&mut self) {
        let now = Instant::now();
        let is_due = |node: &Node| !node.is_up && node.retry.at() <= now;
        let due: Vec<_> = self.nodes.iter().filter(|(_, node)| is_due(node)).collect();
        let due: Vec<_> = due.into_iter().map(|(address, _)| address.clone()).collect();
        for address in due {
            self.connect(&address);
            if let Some(node) = self.nodes.get_mut(&address) {
                node.is_up = true;
            }
        }
    }

    fn connect(&mut self, address: &str) {
        let (shared, address) = (Arc::clone(&self.shared), address.to_owned());
        let mut life = self.shared.life.subscribe();
        self.connections.spawn(async move {
            let connected = tokio::select! {
                connected = shared.connect(&address) => connected,
                _ = life.wait_for(|life| *life != Life::Running) => {
                    return Ended { address, lasted: Duration::ZERO };
                }
            };
            let started = Instant::now();
            match connected {
                Ok((wire, facts)) => consume(&shared, &address, wire, &facts).await,
                Err(error) => {
                    let label = shared.label();
                    log::error!("{label} ({address}) error connecting to nsqd - {error}");
                }
            }
            Ended { lasted: started.elapsed(), address }
        });
    }

    fn retry(&self) -> Retry {
        Retry::new(self.shared.dialer.config.lookupd_poll_interval)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let down = self.nodes.values().filter(|node| !node.is_up);
        let reconnect = down.map(|node| node.retry.at()).min();
        [reconnect, self.shared.next_deadline()].into_iter().flatten().min()
    }
}

/// Uses a connection until it is lost or closed.
async fn consume(shared: &Arc<Shared>, address: &str, wire: Wire, facts: &Facts) {
    let Some(registration) = shared.connected(address, facts) else { return };
    let connection = Connection::new(wire, facts, Arc::clone(&registration.outbox));
    let label = shared.label();
    match connection.run().await {
        Ok(()) => log::info!("{label} ({address}) closed"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            log::info!("{label} ({address}) nsqd closed the connection");
        }
        Err(error) => log::error!("{label} ({address}) IO error - {error}"),
    }
}

async fn sleep_until_or_for_ever(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
