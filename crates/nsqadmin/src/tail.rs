//! What is published to a topic, shown while it comes.
//!
//! A tail has a channel of its own, which is ephemeral and goes with its last connection. The trap:
//! the first channel of a topic gets all that waits in the topic. So a node takes part only if the
//! topic has another channel there ([`Standing`]), which is looked at again from time to time; and
//! a connection that is lost is not made again, because that would bring back a topic that was
//! deleted.

mod event;
mod feed;
mod pace;
mod standing;

pub(crate) use standing::Standing;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nsq_api::cluster::{Cluster, Node, StatsQuery};
use nsq_app::http::StreamSender;
use nsq_proto::TopicName;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, sleep_until};

use self::event::{Event, MessageView};
use self::feed::{Feed, Received, Subscription};
use self::pace::Pace;
use crate::options::Options;

/// How many tails there are at once.
const TAILS_MAX: usize = 16;
/// How many nodes one tail is connected to.
const NODES_MAX: usize = 32;
/// How many messages are in flight, over all nodes of one tail: what is whole in memory.
const IN_FLIGHT_MAX: usize = 32;
/// How many things the reader is told at the beginning.
const NOTICES_MAX: usize = 64;
/// How many messages wait to be shown.
const RECEIVED_MAX: usize = 16;
/// How many are shown in a second; nobody can read more.
const SHOWN_PER_SECOND: u32 = 50;
/// How long a tail lasts.
const LONGEST: Duration = Duration::from_secs(600);
/// How often something is sent where nothing comes, so that proxies keep the connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often it is looked whether there still is another channel. What is published between its end
/// and the next look goes to the tail alone.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const BEAT: Bytes = Bytes::from_static(b":\n\n");

const _: () = assert!(NODES_MAX <= IN_FLIGHT_MAX, "each node needs one in flight");

/// The places for tails.
#[derive(Debug)]
pub(crate) struct Tails {
    free: Arc<Semaphore>,
}

/// One tail, and its place.
#[derive(Debug)]
pub(crate) struct Tail {
    feeds: JoinSet<String>,
    /// To end the feed of a node.
    by_node: BTreeMap<String, AbortHandle>,
    received: Receiver<Received>,
    /// Nodes that have no other channel any more.
    bare: Receiver<String>,
    looking: JoinSet<()>,
    notices: VecDeque<String>,
    pace: Pace,
    beat: Interval,
    until: Instant,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

/// Who is tailed, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) topic: TopicName,
    /// Those that can be tailed, each with whether it demands TLS.
    pub(crate) nodes: Vec<(Node, bool)>,
    /// What the reader is told first.
    pub(crate) notices: Vec<String>,
}

impl Tails {
    pub(crate) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(TAILS_MAX)) }
    }

    /// A place, if there is one.
    pub(crate) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }
}

impl Tail {
    /// Connects to the nodes. Those that fail are told of, unless all of them do.
    ///
    /// # Errors
    ///
    /// With what each of them said, a line each.
    pub(crate) async fn connect(
        options: &Options,
        cluster: Cluster,
        plan: Plan,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, String> {
        let Plan { topic, mut nodes, notices } = plan;
        let mut notices = VecDeque::from(notices);
        if nodes.len() > NODES_MAX {
            notices.push_back(format!("only {NODES_MAX} of {} nodes are shown", nodes.len()));
            nodes.truncate(NODES_MAX);
        }
        let share = IN_FLIGHT_MAX / nodes.len().max(1);
        let share = u32::try_from(share).unwrap_or(1);
        let name = standing::channel_name(fastrand::u64(..));
        let subscription = Subscription::new(options, topic.clone(), name, share);
        let mut connecting = JoinSet::new();
        for (node, demands_tls) in nodes.clone() {
            let (cluster, subscription) = (cluster.clone(), subscription.clone());
            connecting.spawn(async move {
                ensure_standing(&cluster, &subscription.topic, &node).await?;
                Feed::connect(subscription, &node, demands_tls).await
            });
        }
        let (sender, received) = channel(RECEIVED_MAX);
        let (mut feeds, mut by_node, mut failures) = (JoinSet::new(), BTreeMap::new(), Vec::new());
        while let Some(connected) = connecting.join_next().await {
            match connected {
                Ok(Ok(feed)) => {
                    let node = feed.node().to_owned();
                    by_node.insert(node, feeds.spawn(feed.run(sender.clone())));
                }
                Ok(Err(failure)) => failures.push(failure),
                Err(error) => failures.push(error.to_string()),
            }
        }
        if feeds.is_empty() {
            return Err(failures.join("\n"));
        }
        notices.extend(failures.into_iter().map(|failure| format!("not connected: {failure}")));
        if notices.len() > NOTICES_MAX {
            let others = notices.len() - NOTICES_MAX;
            notices.truncate(NOTICES_MAX);
            notices.push_back(format!("and {others} more"));
        }
        let (tell, bare) = channel(NODES_MAX);
        let mut looking = JoinSet::new();
        let nodes = nodes.into_iter().map(|(node, _)| node).collect();
        looking.spawn(look_for_bare(cluster, topic, nodes, tell));
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            feeds,
            by_node,
            received,
            bare,
            looking,
            notices,
            pace: Pace::new(SHOWN_PER_SECOND),
            beat,
            until: Instant::now() + LONGEST,
            has_ended: false,
            _place: place,
        })
    }

    /// Sends what comes, until it ends or the client goes.
    pub(crate) async fn run(mut self, mut client: StreamSender) {
        loop {
            let piece = tokio::select! {
                biased;
                () = client.closed() => return,
                piece = self.next() => piece,
            };
            let Some(piece) = piece else { return };
            if client.send(piece).await.is_err() {
                return;
            }
        }
    }

    /// What to send next; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if self.has_ended {
            return None;
        }
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Some(Event::Notice(&notice).encode());
            }
            let skipped_due = self.pace.due();
            tokio::select! {
                biased;
                () = sleep_until(self.until.into()) => {
                    return Some(self.end("this is the longest that a tail lasts"));
                }
                () = at(skipped_due) => {
                    return Some(Event::Skipped(self.pace.take_skipped()).encode());
                }
                Some(node) = self.bare.recv() => self.on_bare(&node),
                Some(received) = self.received.recv() => {
                    if self.pace.admit(Instant::now()) {
                        return Some(shown(&received));
                    }
                }
                ended = self.feeds.join_next() => match ended {
                    Some(Ok(node)) => self.on_lost(&node),
                    // One that was ended by us.
                    Some(Err(_)) => {}
                    None => return Some(self.end("no node is left")),
                },
                _ = self.beat.tick() => return Some(BEAT),
            }
        }
    }

    fn end(&mut self, why: &str) -> Bytes {
        self.has_ended = true;
        self.looking.abort_all();
        Event::End(why).encode()
    }

    fn on_lost(&mut self, node: &str) {
        if self.by_node.remove(node).is_some() {
            self.notices.push_back(format!("{node} has closed the connection"));
        }
    }

    /// What is published there from now on has to wait in the topic.
    fn on_bare(&mut self, node: &str) {
        if let Some(feed) = self.by_node.remove(node) {
            feed.abort();
            self.notices.push_back(format!("{node}: the topic has no other channel any more"));
        }
    }
}

fn shown(received: &Received) -> Bytes {
    let message = MessageView {
        id: received.id.to_string(),
        node: &received.node,
        timestamp: received.timestamp_ns,
        attempts: received.attempts,
        body: (&received.body).into(),
    };
    Event::Message(message).encode()
}

/// Looks again right before a tail subscribes, which would bring back a topic that has gone since
/// it was planned: some node may have taken long to answer then.
async fn ensure_standing(cluster: &Cluster, topic: &TopicName, node: &Node) -> Result<(), String> {
    let query = StatsQuery { topic: Some(topic.to_string()), ..StatsQuery::default() };
    let gathered = cluster.stats(std::slice::from_ref(node), &query).await.ensure_any();
    let (stats, _) = gathered.map_err(|error| format!("{}: {error}", node.http_address()))?;
    let topic = stats.first().and_then(|stats| stats.topics.first());
    match Standing::of(topic).can_be_tailed() {
        true => Ok(()),
        false => Err(format!("{}: the topic has gone, or its channel", node.http_address())),
    }
}

/// Tells of nodes on which the topic is gone, or has no channel but those of tails. A node that
/// does not answer is left as it is.
async fn look_for_bare(cluster: Cluster, topic: TopicName, nodes: Vec<Node>, tell: Sender<String>) {
    let query = StatsQuery { topic: Some(topic.to_string()), ..StatsQuery::default() };
    loop {
        sleep(LOOK_EVERY).await;
        for stats in cluster.stats(&nodes, &query).await.data {
            let is_bare = !Standing::of(stats.topics.first()).can_be_tailed();
            if is_bare && tell.send(stats.node.http_address()).await.is_err() {
                return;
            }
        }
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
