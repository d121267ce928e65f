//! The task that looks at the cluster again and again, and what it has seen.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nsq_api::cluster::{Cluster, Node};
use nsq_app::Shutdown;
use parking_lot::RwLock;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::admin::Admin;
use crate::chart::{Chart, Subject};
use crate::health::findings;
use crate::history::History;
use crate::ledger::{Circumstances, Ledger, NODES_MAX};
use crate::overview::Overview;
use crate::silence::Silence;

/// How many nodes are asked at once: each may answer with megabytes.
const ASKED_AT_ONCE: usize = 4;
/// How many of those that did not answer the last time, after all others. They are expected to
/// keep silent again, and together they are waited for not much longer than one of them.
const SILENT_ASKED_AT_ONCE: usize = 16;
/// A look begins at the earliest when the one before has lasted this part of the time since.
const PART_OF_TIME: u32 = 10;

/// What is seen of the cluster from time to time.
#[derive(Debug)]
pub(crate) struct Watch {
    interval: Duration,
    length: Duration,
    seen: RwLock<Seen>,
    looks: watch::Sender<u64>,
    /// Somebody wants to see what has changed.
    wish: Notify,
}

/// What belongs together.
#[derive(Debug)]
struct Seen {
    overview: Option<Arc<Overview>>,
    history: History,
}

impl Watch {
    /// One that looks every `interval`, or never if that is zero, and remembers for `length`.
    pub(crate) fn new(interval: Duration, length: Duration) -> Self {
        let seen = Seen { overview: None, history: History::new(interval, length) };
        let looks = watch::Sender::new(0);
        Self { interval, length, seen: RwLock::new(seen), looks, wish: Notify::new() }
    }

    /// The newest look; none before the first, or when nobody looks.
    pub(crate) fn overview(&self) -> Option<Arc<Overview>> {
        self.seen.read().overview.clone()
    }

    /// A copy of what is kept of a subject.
    pub(crate) fn chart(&self, subject: &Subject) -> Option<Chart> {
        self.seen.read().history.chart(subject).filter(|_| self.is_on())
    }

    /// How many looks there were; changes with each.
    pub(crate) fn looks(&self) -> watch::Receiver<u64> {
        self.looks.subscribe()
    }

    /// Has a look taken before its time, as soon as the cluster has had its rest, and waits for it,
    /// but not for longer than `patience`.
    pub(crate) async fn look_soon(&self, patience: Duration) {
        if !self.is_on() {
            return;
        }
        let mut looks = self.looks();
        looks.mark_unchanged();
        self.wish.notify_one();
        if timeout(patience, looks.changed()).await.is_err() {
            // It comes later.
        }
    }

    /// Whether anybody looks.
    pub(crate) fn is_on(&self) -> bool {
        !self.interval.is_zero()
    }

    /// Looks until `shutdown` begins.
    pub(crate) async fn run(self: Arc<Self>, admin: Arc<Admin>, shutdown: Shutdown) {
        if self.is_on() {
            tokio::select! {
                () = self.look_again_and_again(&admin) => {}
                () = shutdown.wait() => {}
            }
        }
    }

    async fn look_again_and_again(&self, admin: &Admin) {
        let start = Instant::now();
        let mut ledger = Ledger::new(self.length);
        let mut silence = Silence::default();
        loop {
            let began = Instant::now();
            let (overview, worked) = look(&admin.cluster(), &mut ledger, start).await;
            for (level, line) in silence.changes(&overview) {
                admin.log.log(level, format_args!("{line}"));
            }
            self.keep(overview, start.elapsed());
            let pause = self.interval.max(worked.saturating_mul(PART_OF_TIME));
            let soonest = began.checked_add(worked.saturating_mul(PART_OF_TIME));
            tokio::select! {
                () = until(began.checked_add(pause)) => {}
                () = async { self.wish.notified().await; until(soonest).await } => {}
            }
        }
    }

    fn keep(&self, mut overview: Overview, at: Duration) {
        let mut seen = self.seen.write();
        seen.history.observe(&overview, at);
        overview.failures.extend(seen.history.left_out());
        let before = seen.overview.as_ref().map(|before| &*before.findings);
        (overview.findings, overview.other_findings) = findings(&overview, &seen.history, before);
        seen.overview = Some(Arc::new(overview));
        drop(seen);
        self.looks.send_modify(|looks| *looks += 1);
    }
}

/// Returns then; never if that is later than any clock goes.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// One look, and how long there was something to do: waiting for those that do not answer is no
/// work, and must not make looks rare.
async fn look(cluster: &Cluster, ledger: &mut Ledger, start: Instant) -> (Overview, Duration) {
    let began = Instant::now();
    let (mut nodes, failures) = match cluster.candidates().await.ensure_any() {
        Ok((nodes, failures)) => (nodes, failures),
        // Nodes may be well without them.
        Err(none) => (ledger.known_nodes(), none.failures),
    };
    let reason = |failure: nsq_api::cluster::Failure| {
        let reason = failure.to_string();
        (failure.address, reason)
    };
    let mut lookupd_failures: Vec<_> = failures.into_iter().map(reason).collect();
    let unwatched = nodes.split_off(nodes.len().min(NODES_MAX)).len();
    let mut worked = began.elapsed();
    let (silent, others): (Vec<Node>, _) =
        nodes.into_iter().partition(|node| ledger.has_failed(node));
    for (nodes, at_once) in [(others, ASKED_AT_ONCE), (silent, SILENT_ASKED_AT_ONCE)] {
        let take = |node, answer: Result<_, nsq_api::cluster::Failure>| match answer {
            Ok(stats) => {
                ledger.take(node, start.elapsed(), &stats);
                worked = began.elapsed();
            }
            Err(failure) => ledger.fail(node, start.elapsed(), &failure.to_string()),
        };
        cluster.survey(nodes, at_once, take).await;
    }
    lookupd_failures.sort();
    let circumstances = Circumstances {
        taken: SystemTime::now(),
        took: began.elapsed(),
        at: start.elapsed(),
        lookupd_failures,
    };
    let mut overview = ledger.finish(circumstances);
    if unwatched > 0 {
        let text = format!("{unwatched} nodes are not watched: more than {NODES_MAX}");
        overview.failures.push(text);
    }
    (overview, worked)
}
