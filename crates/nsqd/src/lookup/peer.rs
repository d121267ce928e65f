//! The task that keeps one nsqlookupd informed.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nsq_api::{LookupIdentify, LookupIdentity};
use nsq_proto::TopicName;
use nsq_store::disk::system_text;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::announced::{Announced, Command, Present};
use super::connection::Connection;
use crate::http::announced;
use crate::node::Node;

/// How often a peer hears from a daemon in which nothing changes.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How often everything is registered again, for an nsqlookupd that forgot some of it.
const REPEAT_EVERY: Duration = Duration::from_secs(5 * 60);
/// How long after a failure the next try comes, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long a peer that did not answer over HTTP is not asked again.
const SILENCE: Duration = Duration::from_secs(30);
/// How many commands are under way at once: their lines fit into the buffers of any kernel.
const UNDER_WAY: usize = 64;

/// One nsqlookupd.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: String,
    /// Topics to look at; kept only while connected, because connecting looks at all.
    changed: Mutex<BTreeSet<TopicName>>,
    more: Notify,
    status: watch::Sender<Status>,
    history: Mutex<History>,
    stop: Notify,
}

/// What came of talking to a peer.
#[derive(Debug, Default)]
struct History {
    /// When it did not answer a question over HTTP.
    silent_at: Option<Instant>,
    /// When it last answered over its connection: wall time in seconds.
    answered_at: Option<u64>,
    /// Attempts to connect that failed, and connections that were lost.
    failures: u64,
    last_error: Option<String>,
}

/// A peer as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookupPeer {
    pub(crate) address: String,
    pub(crate) is_connected: bool,
    /// When it last answered over its connection: wall time in seconds.
    pub(crate) answered_at: Option<u64>,
    /// Attempts to connect that failed, and connections that were lost.
    pub(crate) failures: u64,
    /// Why the last of them failed or was lost.
    pub(crate) last_error: Option<String>,
}

/// What is known of a peer.
#[derive(Clone, Debug)]
pub(super) enum Status {
    /// The first attempt to connect is not over.
    Unknown,
    Connected(LookupIdentity),
    /// It could not be reached, or was lost.
    Lost,
}

impl Peer {
    pub(super) fn new(address: String) -> Arc<Self> {
        Arc::new(Self {
            address,
            changed: Mutex::default(),
            more: Notify::new(),
            status: watch::Sender::new(Status::Unknown),
            history: Mutex::default(),
            stop: Notify::new(),
        })
    }

    /// Something changed in this topic.
    pub(super) fn topic_changed(&self, name: &TopicName) {
        if matches!(*self.status.borrow(), Status::Lost) {
            return;
        }
        self.changed.lock().insert(name.clone());
        self.more.notify_one();
    }

    /// Closes the connection for good.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// What is known of it, once the first attempt to connect is over.
    pub(super) async fn settled(&self) -> Status {
        let mut status = self.status.subscribe();
        let settled = status.wait_for(|status| !matches!(status, Status::Unknown)).await;
        settled.map_or(Status::Lost, |status| status.clone())
    }

    /// It did not answer a question over HTTP, or did again.
    pub(super) fn note_answer(&self, answered: bool) {
        self.history.lock().silent_at = (!answered).then(Instant::now);
    }

    /// Whether it is not worth asking: every new topic would wait for it in vain.
    pub(super) fn is_silent(&self) -> bool {
        self.history.lock().silent_at.is_some_and(|since| since.elapsed() < SILENCE)
    }

    /// How it stands now.
    pub(super) fn report(&self) -> LookupPeer {
        let is_connected = matches!(*self.status.borrow(), Status::Connected(_));
        let history = self.history.lock();
        LookupPeer {
            address: self.address.clone(),
            is_connected,
            answered_at: history.answered_at,
            failures: history.failures,
            last_error: history.last_error.clone(),
        }
    }

    /// Keeps it informed until it is stopped.
    pub(super) async fn run(&self, node: &Arc<Node>) {
        tokio::select! {
            never = self.keep_informed(node) => never,
            () = self.stop.notified() => {}
        }
    }

    async fn keep_informed(&self, node: &Arc<Node>) {
        let mut pause = PAUSE_MIN;
        loop {
            let address = &self.address;
            node.log.info(format_args!("LOOKUP connecting to {address}"));
            let error = self.session(node).await;
            let was_connected = matches!(*self.status.borrow(), Status::Connected(_));
            self.status.send_replace(Status::Lost);
            self.changed.lock().clear();
            let error = text_of(&error);
            node.log.error(format_args!("LOOKUPD({address}): {error}"));
            self.note_failure(error);
            pause = if was_connected { PAUSE_MIN } else { PAUSE_MAX.min(pause * 2) };
            // Not all daemons of a cluster at the same moment.
            sleep(pause.mul_f64(0.5 + jitter(node))).await;
        }
    }

    fn note_failure(&self, error: String) {
        let mut history = self.history.lock();
        history.failures += 1;
        history.last_error = Some(error);
    }

    fn note_time(&self, node: &Node) {
        let seconds = u64::try_from(node.clock.wall_ns() / 1_000_000_000).ok();
        self.history.lock().answered_at = seconds;
    }

    /// One connection, to its end.
    async fn session(&self, node: &Arc<Node>) -> io::Error {
        match self.serve(node).await {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    async fn serve(&self, node: &Arc<Node>) -> io::Result<std::convert::Infallible> {
        let max_answer_bytes = usize::try_from(node.options.max_body_size).unwrap_or(usize::MAX);
        let tls = node.credentials.lookup.tls();
        let mut connection = Connection::open(&self.address, tls, max_answer_bytes).await?;
        let info = self.identify(node, &mut connection).await?;
        let mut announced = Announced::default();
        // What changes from here on is looked at again.
        self.changed.lock().clear();
        self.status.send_replace(Status::Connected(info));
        let all = node.topics().iter().map(|topic| topic.name.clone()).collect();
        self.announce(node, &mut connection, &mut announced, all).await?;
        let (mut ping_at, mut repeat_at) = (Instant::now() + PING_EVERY, Instant::now());
        repeat_at += REPEAT_EVERY.mul_f64(0.5 + jitter(node));
        loop {
            let changed = std::mem::take(&mut *self.changed.lock());
            self.announce(node, &mut connection, &mut announced, changed).await?;
            tokio::select! {
                () = self.more.notified() => {}
                error = connection.ended() => return Err(error),
                () = sleep_until(ping_at) => {
                    self.tell(node, &mut connection, &["PING".to_owned()]).await?;
                    ping_at = Instant::now() + PING_EVERY;
                }
                () = sleep_until(repeat_at) => {
                    self.repeat(node, &mut connection, &announced).await?;
                    repeat_at = Instant::now() + REPEAT_EVERY;
                }
            }
        }
    }

    async fn identify(
        &self,
        node: &Node,
        connection: &mut Connection,
    ) -> io::Result<LookupIdentity> {
        let json = nsq_api::to_json(&identity(node)).map_err(io::Error::other)?;
        let answer = connection.identify(&json).await?;
        let info: LookupIdentity = serde_json::from_slice(&answer).map_err(|_| {
            let text = String::from_utf8_lossy(&answer);
            let shown: String = text.chars().take(100).collect();
            io::Error::other(format!("IDENTIFY was answered with {shown:?}"))
        })?;
        if info.broadcast_address.is_empty() {
            let address = &self.address;
            let text = "no broadcast address in the answer to IDENTIFY";
            node.log.error(format_args!("LOOKUPD({address}): {text}"));
        }
        self.note_time(node);
        Ok(info)
    }

    /// Says what changed in these topics.
    async fn announce(
        &self,
        node: &Node,
        connection: &mut Connection,
        announced: &mut Announced,
        topics: BTreeSet<TopicName>,
    ) -> io::Result<()> {
        let mut commands = VecDeque::new();
        for name in topics {
            commands.extend(announced.update(&name, present(node, &name)));
            if commands.len() >= UNDER_WAY {
                self.command(node, connection, commands.drain(..)).await?;
            }
        }
        self.command(node, connection, commands.drain(..)).await
    }

    async fn repeat(
        &self,
        node: &Node,
        connection: &mut Connection,
        announced: &Announced,
    ) -> io::Result<()> {
        for name in announced.topics() {
            self.command(node, connection, announced.repeat(name)).await?;
        }
        Ok(())
    }

    async fn command(
        &self,
        node: &Node,
        connection: &mut Connection,
        commands: impl IntoIterator<Item = Command>,
    ) -> io::Result<()> {
        let lines: Vec<_> = commands.into_iter().map(|command| command.to_string()).collect();
        for some in lines.chunks(UNDER_WAY) {
            self.tell(node, connection, some).await?;
        }
        Ok(())
    }

    /// An answer that is no `OK` is logged. nsqlookupd closes the connection after it.
    async fn tell(
        &self,
        node: &Node,
        connection: &mut Connection,
        lines: &[String],
    ) -> io::Result<()> {
        let answers = connection.ask(lines).await?;
        self.note_time(node);
        for (line, answer) in lines.iter().zip(answers).filter(|(_, answer)| answer != b"OK") {
            let (address, answer) = (&self.address, String::from_utf8_lossy(&answer).into_owned());
            node.log.error(format_args!("LOOKUPD({address}): {line} - {answer}"));
        }
        Ok(())
    }
}

fn identity(node: &Node) -> LookupIdentify {
    let (options, ports) = (&node.options, node.ports());
    LookupIdentify {
        broadcast_address: options.broadcast_address.clone(),
        hostname: nsq_app::host::name(),
        http_port: announced(options.broadcast_http_port, ports.http),
        tcp_port: announced(options.broadcast_tcp_port, ports.tcp),
        topology_region: options.topology_region.clone(),
        topology_zone: options.topology_zone.clone(),
        version: crate::node::VERSION.to_owned(),
    }
}

fn present(node: &Node, name: &TopicName) -> Option<Present> {
    let topic = node.existing_topic(name.as_str())?;
    let channels = topic.channels.read().keys().cloned().collect();
    Some(Present { life: topic.life, channels })
}

/// As Go spells what the system says; texts of others as they are.
fn text_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(_) => system_text(error),
        None => error.to_string(),
    }
}

/// From 0 to 1; different from moment to moment is all it must be.
fn jitter(node: &Node) -> f64 {
    (node.clock.now_ns() % 1_000) as f64 / 1_000.0
}
