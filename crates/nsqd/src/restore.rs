//! Bringing a topic back from disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nsq_broker::{Channel as BrokerChannel, Checkpoint, Deferred, Sequence, Topic as BrokerTopic};
use nsq_proto::TopicName;
use nsq_store::journal::{ChannelNumber, ChannelState, Journal, JournalState};
use nsq_store::metadata::ChannelMeta;
use nsq_store::{DeferredPublish, Opening};

use crate::backing::Backing;
use crate::channel::Channel;
use crate::keeper::next_number;
use crate::node::Node;
use crate::topic::Topic;

/// Opens the log and the journal of a topic, or begins them; nothing is created on disk yet.
/// `known` are the channels that `nsqd.dat` has.
pub(crate) fn topic(
    node: &Arc<Node>,
    name: &TopicName,
    known: &[ChannelMeta],
) -> io::Result<Arc<Topic>> {
    let directory = node.store.topic_path(name);
    let (journal, mut state) = Journal::open(Arc::clone(&node.disk), &directory)?;
    if let Some(damage) = &state.damage {
        node.log
            .warning(format_args!("TOPIC({name}): the channel journal has damage - {damage:?}"));
    }
    let recorded: Vec<_> = state.channels.keys().copied().collect();
    add_forgotten(&mut state, known);
    let opening = Opening {
        tip: state.tip,
        unknown_from: Some(unknown_from(&state)),
        at_least: known_end(&state),
        relocated: state.relocated.values().copied().collect(),
        now_ns: node.clock.wall_ns(),
    };
    let (log, recovered) = node.store.open_log(name, &opening)?;
    if let Some(unfinished) = &recovered.unfinished {
        let (path, offset) = (unfinished.path.display(), unfinished.offset);
        node.log.warning(format_args!(
            "TOPIC({name}): {path} ended with an unfinished record at offset {offset}, which was \
             never acknowledged and is cut off"
        ));
    }
    for damage in &recovered.damage {
        node.log.error(format_args!("TOPIC({name}): damage in the log - {damage}"));
    }
    let (start, end) = (log.start(), log.end());
    let held = state.held.take().map(|mut held| {
        learn(&mut held, &recovered.deferred, end);
        held
    });
    let broker = BrokerTopic::restore(held.as_ref(), start, end, state.channels.len());
    // What lies behind the gate no channel has seen.
    let gate = broker.low_watermark();
    let depth = broker.depth();
    let backing = Backing::Log(Box::new(log));
    let topic = Topic::new(name.clone(), Arc::clone(node), backing, broker, Some(journal));
    topic.has_unrecorded_copies.store(!recovered.relocated.is_empty(), Ordering::Release);
    topic.counters.depth.store(depth, Ordering::Relaxed);
    let numbers = state.channels.keys().copied();
    topic.core.lock().next_channel = next_number(numbers);
    let mut channels = topic.channels.write();
    for (number, mut channel) in state.channels {
        learn(&mut channel.checkpoint, &recovered.deferred, gate);
        let options = topic.channel_options(&channel.name);
        let broker = BrokerChannel::restore(&channel.checkpoint, start, gate, options);
        let (latencies, me) = (topic.no_latencies(), Arc::downgrade(&topic));
        let channel = Arc::new(Channel::new(channel.name, number, broker, latencies, me));
        if recorded.contains(&number) {
            channel.set_recorded();
        }
        let next = channel.broker.lock().next_expiry();
        if let Some(at_ns) = next {
            node.sweep.arm(&channel, at_ns);
        }
        channels.insert(channel.name.clone(), channel);
    }
    drop(channels);
    Ok(topic)
}

/// Adds what must be there though the journal does not say so. A channel that only `nsqd.dat` has
/// was forgotten in a power cut: it may have had everything to deliver, so it begins with the
/// oldest message there is. Without any channel everything waits in the topic.
fn add_forgotten(state: &mut JournalState, known: &[ChannelMeta]) {
    for ChannelMeta { name, .. } in known {
        if state.channels.values().all(|channel| channel.name != *name) {
            let number = ChannelNumber(next_number(state.channels.keys().copied()));
            let checkpoint = Checkpoint::default();
            state.channels.insert(number, ChannelState { name: name.clone(), checkpoint });
        }
    }
    if state.channels.is_empty() && state.held.is_none() {
        state.held = Some(Checkpoint { whole: true, ..Checkpoint::default() });
    }
}

/// From where on somebody does not know which messages were published with a due time. What lies
/// behind the gate of a topic that holds messages back concerns only the topic itself.
fn unknown_from(state: &JournalState) -> Sequence {
    let gate = state.held.as_ref().map(|held| held.cursor);
    let channels = state.channels.values().map(|channel| channel.checkpoint.end);
    let channels = channels.filter(|&end| gate.is_none_or(|gate| end < gate));
    channels.chain(state.held.as_ref().map(|held| held.end)).min().unwrap_or_default()
}

/// The end of what anybody has seen of the log, which a power cut may have shortened.
fn known_end(state: &JournalState) -> Sequence {
    let channels = state.channels.values().map(|channel| &channel.checkpoint);
    let known = channels.chain(&state.held).map(|seen| seen.cursor.max(seen.end));
    known.chain(state.tip.map(|tip| tip.sequence)).max().unwrap_or_default()
}

/// Adds the deferred publishes that came after the checkpoint was written, up to `end`.
fn learn(checkpoint: &mut Checkpoint, published: &[DeferredPublish], end: Sequence) {
    let from = checkpoint.end.max(checkpoint.cursor);
    for run in published {
        let sequences = (0..u64::from(run.count)).map(|index| run.first.plus(index));
        let new = sequences.filter(|&sequence| sequence >= from && sequence < end);
        let due_ns = run.due_ns;
        let new = new.map(|sequence| Deferred { due_ns, sequence, attempts: 0 });
        checkpoint.deferred_added.extend(new);
    }
}
