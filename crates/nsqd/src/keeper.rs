//! Housekeeping in the background: the channel journals, the syncs by time, old segments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nsq_broker::{Checkpoint, Sequence};
use nsq_store::Log;
use nsq_store::journal::{ChannelNumber, Entry, Journal, Relocation};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::backing::Backing;
use crate::channel::Channel;
use crate::topic::{Topic, shift};

/// How long changes gather before they are written. A kill -9 redelivers what was finished
/// within this time; nothing is lost by it.
const ROUND: Duration = Duration::from_millis(100);
/// A sealed segment is copied together when less than this part of it is needed…
const RELOCATE_SHARE: u64 = 8;
/// … and no more than so many messages.
const RELOCATE_MAX: usize = 20_000;
/// How many times as long as it took the next look for such segments has to wait.
const REST: u32 = 20;

/// The topics in which something changed.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    topics: Mutex<Vec<Arc<Topic>>>,
    more: Notify,
}

impl Keeper {
    /// Something changed in this topic.
    pub(crate) fn visit(&self, topic: Arc<Topic>) {
        let mut topics = self.topics.lock();
        topics.push(topic);
        if topics.len() == 1 {
            self.more.notify_one();
        }
    }

    /// Visits the topics that changed, once a round. Never returns.
    pub(crate) async fn run(&self) {
        loop {
            self.more.notified().await;
            tokio::time::sleep(ROUND).await;
            let topics = std::mem::take(&mut *self.topics.lock());
            let started = Instant::now();
            let visited = tokio::task::spawn_blocking(move || {
                if let Some(topic) = topics.first() {
                    look_for_room(topic);
                }
                topics.iter().for_each(visit);
            });
            if let Err(error) = visited.await {
                // A panic there is a defect; the topics will be visited after their next change.
                eprintln!("keeper: {error}");
            }
            // Millions of deferred messages make a round long: leave the disk to others, too.
            tokio::time::sleep(started.elapsed().min(Duration::from_secs(5))).await;
        }
    }
}

/// What was published since the last round may have used up the room that must stay.
fn look_for_room(topic: &Topic) {
    let node = &topic.node;
    let was_short = node.health.space.is_short();
    match node.health.space.look() {
        Some(shortage) if !was_short => {
            node.log.error(format_args!("DISK: publishing is refused - {shortage}"));
        }
        None if was_short => node.log.info(format_args!("DISK: there is room again")),
        _ => {}
    }
}

fn visit(topic: &Arc<Topic>) {
    // First of all: what changes from here on leads to another visit.
    topic.dirty.store(false, Ordering::Release);
    let Backing::Log(log) = &topic.backing else {
        return release_memory(topic);
    };
    if log.appended_since_sync() > 0 {
        sync_by_time(topic, log);
    }
    let result = write_at_pace(topic, log).and_then(|()| release_at_pace(topic, log));
    if let Err(error) = result {
        topic.node.health.note::<()>(&Err(io::Error::new(error.kind(), error.to_string())));
        let name = &topic.name;
        topic.node.log.error(format_args!(
            "TOPIC({name}): failed to write down the state of its channels - {error}"
        ));
        topic.touch();
    }
}

/// Asks for a sync when `--sync-every` messages or `--sync-timeout` have passed since the last.
fn sync_by_time(topic: &Arc<Topic>, log: &Log) {
    let options = &topic.node.options;
    let enough = log.appended_since_sync() >= options.sync_every;
    let mut waiting_since = topic.unsynced_since.lock();
    let since = *waiting_since.get_or_insert_with(Instant::now);
    if enough || since.elapsed() >= options.sync_timeout {
        *waiting_since = None;
        topic.syncer.sync_soon(topic);
    } else {
        topic.touch();
    }
}

/// Writes the journal, unless the last time took long and was a moment ago: a million messages
/// that wait again make a checkpoint of many megabytes.
fn write_at_pace(topic: &Topic, log: &Log) -> io::Result<()> {
    let mut rest_until = topic.journal_rest_until.lock();
    at_pace(topic, &mut rest_until, || write_journal(topic, log))
}

/// Does `work` unless it must rest, and then lets it rest in proportion to the time it took.
fn at_pace(
    topic: &Topic,
    rest_until: &mut Option<Instant>,
    work: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let started = Instant::now();
    if rest_until.is_some_and(|until| started < until) {
        topic.touch();
        return Ok(());
    }
    let done = work();
    *rest_until = Some(Instant::now() + started.elapsed() * REST);
    done
}

/// Writes the state of a topic's channels down now.
pub(crate) fn record(topic: &Topic) -> io::Result<()> {
    match &topic.backing {
        Backing::Log(log) => write_journal(topic, log),
        Backing::Memory(_) => Ok(()),
    }
}

/// Writes what changed in the channels since the last visit.
fn write_journal(topic: &Topic, log: &Log) -> io::Result<()> {
    topic.journal().map_or(Ok(()), |mut journal| write_to(&mut journal, topic, log))
}

/// The same, by whoever holds the journal.
pub(crate) fn write_to(journal: &mut Journal, topic: &Topic, log: &Log) -> io::Result<()> {
    let whole = journal.needs_compaction();
    // First: what is collected must reach the journal, or the next difference would be to a state
    // that was never written.
    topic.make_directory()?;
    // Before the state is collected: behind the tip a restart looks for deferred publishes that
    // the state does not know, and what is published meanwhile may be synced meanwhile.
    let tip = log.tip();
    let State { held, channels } = collect(topic, whole);
    if channels.is_empty() && held.is_none() && !journal.has_unwritten() {
        return Ok(());
    }
    let relocated = log.relocated();
    let mut entries = Vec::with_capacity(2 * channels.len() + 2);
    for (channel, checkpoint) in &channels {
        if whole {
            entries.push(Entry::Create { channel: channel.number, name: &channel.name });
        }
        entries.push(Entry::Checkpoint { channel: channel.number, checkpoint });
    }
    if let Some(held) = &held {
        entries.push(Entry::Held(held.as_ref()));
    }
    entries.extend(tip.map(Entry::Tip));
    if whole {
        entries.push(Entry::Relocated(&relocated));
        return journal.compact(entries);
    }
    journal.write(&entries)
}

/// What the journal is told: of one moment, between two publishes.
struct State {
    held: Option<Option<Checkpoint>>,
    channels: Vec<(Arc<Channel>, Checkpoint)>,
}

fn collect(topic: &Topic, whole: bool) -> State {
    let offset_ns = topic.node.clock.offset_ns();
    let mut core = topic.core.lock();
    let held = if whole { Some(core.broker.checkpoint_whole()) } else { core.broker.checkpoint() };
    let mut channels = Vec::new();
    for channel in topic.channels.read().values().filter(|c| !c.name.is_ephemeral()) {
        let mut broker = channel.broker.lock();
        let checkpoint = if whole { Some(broker.checkpoint_whole()) } else { broker.checkpoint() };
        channels.extend(checkpoint.map(|checkpoint| (Arc::clone(channel), checkpoint)));
    }
    drop(core);
    channels.iter_mut().for_each(|(_, checkpoint)| shift(checkpoint, offset_ns));
    let held = held.map(|held| {
        held.map(|mut held| {
            shift(&mut held, offset_ns);
            held
        })
    });
    State { held, channels }
}

/// Looks for segments to give back. With millions of deferred messages a look takes long, so the
/// next one has to wait in proportion.
fn release_at_pace(topic: &Topic, log: &Log) -> io::Result<()> {
    let mut rest_until = topic.rest_until.lock();
    at_pace(topic, &mut rest_until, || release(topic, log))
}

/// Gives back the segments that nobody needs, and copies the last few messages out of those that
/// are hardly needed.
fn release(topic: &Topic, log: &Log) -> io::Result<()> {
    let Watermarks { seen, taken } = watermarks(topic);
    // Before what all have seen only these are needed, and never another: what is finished stays
    // so, and a new channel begins behind. From there on everything is. What is in memory only
    // for those that are done with it goes as well.
    let live = live_before(topic, seen);
    if topic.has_unrecorded_copies.load(Ordering::Acquire) {
        record_copies(topic, log, &log.relocated())?;
    }
    let mut is_live = |sequence| sequence >= seen || live.binary_search(&sequence).is_ok();
    let low = live.first().copied().unwrap_or(seen);
    log.release(low, &mut is_live)?;
    let Some((segment, few)) = hardly_needed(topic, log, taken, &live) else { return Ok(()) };
    topic.has_unrecorded_copies.store(true, Ordering::Release);
    let relocated = log.relocate(&few)?;
    if relocated.len() < few.len() {
        // What cannot be read cannot be copied either: the segment stays as it is.
        topic.unreadable_segments.lock().insert(segment);
    }
    record_copies(topic, log, &relocated)?;
    // There may be more such segments, and nothing else may lead to another visit.
    topic.touch();
    log.release(low, &mut is_live)
}

/// Makes the journal know where copies are and who needs them, so that the originals may go. In
/// what it knew before, a cursor may stand in front of them, and a restart that does not find them
/// in the log would take them for finished.
fn record_copies(topic: &Topic, log: &Log, relocated: &[Relocation]) -> io::Result<()> {
    if let Some(mut journal) = topic.journal() {
        journal.write(&[Entry::Relocated(relocated)])?;
        write_to(&mut journal, topic, log)?;
        journal.sync()?;
    }
    topic.has_unrecorded_copies.store(false, Ordering::Release);
    Ok(())
}

/// The first segment that every cursor has passed and of which little is needed, with that little.
fn hardly_needed(
    topic: &Topic,
    log: &Log,
    taken: Sequence,
    live: &[Sequence],
) -> Option<(u64, Vec<Sequence>)> {
    let unreadable = topic.unreadable_segments.lock();
    let passed = log.sealed_segments().into_iter().filter(|segment| segment.end <= taken);
    let passed = passed.filter(|segment| !unreadable.contains(&segment.number));
    let mut needed = passed.map(|segment| {
        let from = live.partition_point(|&sequence| sequence < segment.first);
        let to = live.partition_point(|&sequence| sequence < segment.end);
        let copies = log.copies_in(segment.number).into_iter();
        let copies = copies.filter(|copy| live.binary_search(copy).is_ok());
        let mut few: Vec<_> = live[from..to].iter().copied().chain(copies).collect();
        few.sort_unstable();
        few.dedup();
        (segment, few)
    });
    let little = |few: &[Sequence], total: u64| {
        !few.is_empty() && few.len() <= RELOCATE_MAX && few.len() as u64 * RELOCATE_SHARE <= total
    };
    let found = needed.find(|(segment, few)| little(few, segment.first.until(segment.end)));
    found.map(|(segment, few)| (segment.number, few))
}

fn release_memory(topic: &Topic) {
    let Backing::Memory(log) = &topic.backing else { return };
    let Watermarks { seen, .. } = watermarks(topic);
    log.release(seen, &live_before(topic, seen));
}

/// The messages before `seen` that some channel needs, in order.
fn live_before(topic: &Topic, seen: Sequence) -> Vec<Sequence> {
    let mut live = Vec::new();
    for channel in topic.channels.read().values() {
        channel.broker.lock().live_within(Sequence(0), seen, &mut live);
    }
    live.sort_unstable();
    live.dedup();
    live
}

/// How far a topic has been handed out.
struct Watermarks {
    /// From here on everything is needed.
    seen: Sequence,
    /// No channel will read the log before this place, except for single messages.
    taken: Sequence,
}

fn watermarks(topic: &Topic) -> Watermarks {
    let gate = topic.core.lock().broker.low_watermark();
    let (mut seen, mut taken) = (gate, gate);
    for channel in topic.channels.read().values() {
        let broker = channel.broker.lock();
        seen = seen.min(broker.unseen());
        taken = taken.min(broker.cursor());
    }
    Watermarks { seen, taken }
}

/// Writes everything down for good, at the end.
pub(crate) fn finish(topic: &Topic) -> io::Result<()> {
    let Backing::Log(log) = &topic.backing else { return Ok(()) };
    if log.appended_since_sync() > 0 {
        log.sync()?;
    }
    write_journal(topic, log)?;
    topic.journal().map_or(Ok(()), |mut journal| journal.sync())
}

/// The number that the next new channel of a topic gets.
pub(crate) fn next_number(used: impl Iterator<Item = ChannelNumber>) -> u32 {
    used.map(|number| number.0 + 1).max().unwrap_or(0)
}
