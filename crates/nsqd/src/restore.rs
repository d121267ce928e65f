//! Bringing a topic back from disk.

use std::io;
use std::sync::Arc;

use nsq_broker::{Channel as BrokerChannel, Checkpoint, Deferred, Sequence, Topic as BrokerTopic};
use nsq_proto::TopicName;
use nsq_store::journal::{Journal, JournalState};
use nsq_store::{DeferredPublish, Opening};

use crate::backing::Backing;
use crate::channel::Channel;
use crate::keeper::next_number;
use crate::node::Node;
use crate::topic::Topic;

/// Opens the log and the journal of a topic, or begins them; nothing is created on disk yet.
pub(crate) fn topic(node: &Arc<Node>, name: &TopicName) -> io::Result<Arc<Topic>> {
    let directory = node.store.topic_path(name);
    let (journal, mut state) = Journal::open(Arc::clone(&node.disk), &directory)?;
    if let Some(damage) = &state.damage {
        node.log
            .warning(format_args!("TOPIC({name}): the channel journal has damage - {damage:?}"));
    }
    let opening = Opening {
        tip: state.tip,
        at_least: known_end(&state),
        relocated: state.relocated.values().copied().collect(),
        now_ns: node.clock.wall_ns(),
    };
    let (log, recovered) = node.store.open_log(name, &opening)?;
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
    let backing = Backing::Log(Box::new(log));
    let topic = Topic::new(name.clone(), Arc::clone(node), backing, broker, Some(journal));
    let numbers = state.channels.keys().copied();
    topic.core.lock().next_channel = next_number(numbers);
    let mut channels = topic.channels.write();
    for (number, mut channel) in state.channels {
        learn(&mut channel.checkpoint, &recovered.deferred, gate);
        let options = topic.channel_options(&channel.name);
        let broker = BrokerChannel::restore(&channel.checkpoint, start, gate, options);
        let me = Arc::downgrade(&topic);
        let channel = Arc::new(Channel::new(channel.name, number, broker, me));
        let next = channel.broker.lock().next_expiry();
        if let Some(at_ns) = next {
            node.sweep.arm(&channel, at_ns);
        }
        channels.insert(channel.name.clone(), channel);
    }
    drop(channels);
    Ok(topic)
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
