//! Group commit: one fsync answers everybody who waits for it.

use std::io;
use std::sync::Arc;

use nsq_broker::Sequence;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::topic::Topic;

/// How many turns of the other tasks a sync waits for at most.
const GATHER_TURNS: usize = 16;

/// What is known of a topic's syncs.
#[derive(Debug, Default)]
pub(crate) struct Syncer {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Everything before this survives a power cut.
    synced: Sequence,
    running: bool,
    /// How the last sync failed that did.
    failed: Option<(io::ErrorKind, String)>,
}

impl Syncer {
    /// Waits until everything before `end` survives a power cut. Who comes while a sync runs waits
    /// for the next one, together with everybody else who came meanwhile.
    pub(crate) async fn synced(&self, topic: &Arc<Topic>, end: Sequence) -> io::Result<()> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(result) = self.look(topic, end) {
                return result;
            }
            changed.await;
        }
    }

    /// How the sync up to `end` went, if it is over; else one runs now.
    fn look(&self, topic: &Arc<Topic>, end: Sequence) -> Option<io::Result<()>> {
        let mut state = self.state.lock();
        // What failed once is not made good by a later sync, even if that is seen first.
        if topic.backing.disk().is_some_and(|log| log.is_unsure(end)) {
            let failed = state.failed.clone();
            let (kind, text) = failed.unwrap_or((io::ErrorKind::Other, "sync failed".to_owned()));
            return Some(Err(io::Error::new(kind, text)));
        }
        if state.synced >= end {
            return Some(Ok(()));
        }
        if !state.running {
            state.running = true;
            start(topic);
        }
        None
    }

    /// Syncs in the background, unless that happens already.
    pub(crate) fn sync_soon(&self, topic: &Arc<Topic>) {
        let mut state = self.state.lock();
        if !state.running {
            state.running = true;
            start(topic);
        }
    }

    fn finish(&self, synced: io::Result<Sequence>) {
        let mut state = self.state.lock();
        state.running = false;
        match synced {
            Ok(end) => state.synced = state.synced.max(end),
            Err(error) => state.failed = Some((error.kind(), error.to_string())),
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

/// Runs one sync on a thread that may wait; independent of whoever asked, who may be gone.
fn start(topic: &Arc<Topic>) {
    let topic = Arc::clone(topic);
    tokio::spawn(async move {
        gather(&topic).await;
        let syncing = Arc::clone(&topic);
        if let Err(error) = tokio::task::spawn_blocking(move || sync(&syncing)).await {
            // A defect; whoever waits must not wait for ever.
            topic.syncer.finish(Err(io::Error::other(error)));
        }
    });
}

/// Lets publishers that are ready append first, as long as they do: then one sync covers them too,
/// instead of making them wait for a second one.
async fn gather(topic: &Topic) {
    for _ in 0..GATHER_TURNS {
        let end = topic.backing.end();
        tokio::task::yield_now().await;
        if topic.backing.end() == end {
            return;
        }
    }
}

fn sync(topic: &Topic) {
    let Some(log) = topic.backing.disk() else {
        return topic.syncer.finish(Ok(Sequence(u64::MAX)));
    };
    let synced = topic.node.meters.syncs.time(|| log.sync());
    // The state of the channels is no more durable than the messages, but no less either.
    // With --sync-every=1 a new channel is synced when it is recorded, and losing the rest
    // only delivers messages again: publishers need not wait for it.
    let by_time = topic.node.options.sync_every > 1;
    let journal = topic.journal().filter(|_| by_time);
    let recorded = journal.map_or(Ok(()), |mut journal| journal.sync());
    let synced = synced.and_then(|end| recorded.map(|()| end));
    if let Err(error) = &synced {
        let name = &topic.name;
        topic.node.log.error(format_args!("TOPIC({name}): failed to sync - {error}"));
        topic.node.health.note(&synced);
    }
    topic.syncer.finish(synced);
}
