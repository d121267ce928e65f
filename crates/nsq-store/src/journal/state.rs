//! What a journal says when all of it has been read.

use std::collections::{BTreeMap, HashMap};

use nsq_broker::{Checkpoint, Deferred, Open, Sequence};
use nsq_proto::ChannelName;

use super::entry::{Decoded, Part};
use super::{ChannelNumber, Entry, Relocation, Tip};

/// What a restart knows about the channels of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalState {
    /// The channels, by number. A channel without a checkpoint stands at the beginning of the log,
    /// and so must one that is known from elsewhere and missing here: its creation was lost.
    pub channels: BTreeMap<ChannelNumber, ChannelState>,
    /// The messages that no channel has seen. None while there are no channels: nothing was ever
    /// handed out, so it is everything from the oldest message kept.
    pub held: Option<Checkpoint>,
    /// Up to where the log was known to be good.
    pub tip: Option<Tip>,
    /// Where messages lie that were copied out of old segments; the newest statement on each.
    pub relocated: BTreeMap<Sequence, Relocation>,
    /// Whether something of the file could not be used; to be logged.
    pub damage: Option<Damage>,
}

/// A channel as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Its name, as it was given to [`Entry::Create`].
    pub name: ChannelName,
    /// Its state, always whole.
    pub checkpoint: Checkpoint,
}

/// What of a journal could not be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes behind the last valid record: a write that was cut short. They are removed.
    pub torn_bytes: u64,
    /// Bytes between valid records.
    pub skipped_bytes: u64,
    /// Valid records behind a break, of which only the facts were used.
    pub stale_records: u64,
}

impl JournalState {
    /// The whole state as entries, for [`super::Journal::compact`].
    pub fn entries<'a>(&'a self, relocated: &'a [Relocation]) -> Vec<Entry<'a>> {
        let mut entries = Vec::with_capacity(self.channels.len() * 2 + 3);
        for (&channel, ChannelState { name, checkpoint }) in &self.channels {
            entries.push(Entry::Create { channel, name });
            entries.push(Entry::Checkpoint { channel, checkpoint });
        }
        entries.push(Entry::Held(self.held.as_ref()));
        entries.extend(self.tip.map(Entry::Tip));
        entries.push(Entry::Relocated(relocated));
        entries
    }
}

/// Whose checkpoint: a channel's, or the topic's own.
type Owner = Option<ChannelNumber>;

/// Applies entries one after the other.
#[derive(Debug, Default)]
pub(super) struct Replay {
    names: BTreeMap<ChannelNumber, ChannelName>,
    numbers: HashMap<ChannelName, ChannelNumber>,
    progress: BTreeMap<Owner, Progress>,
    /// Checkpoints of which the last part has not come yet. If it never comes they do not count:
    /// their cursor is newer than the deferred messages known so far.
    partial: BTreeMap<Owner, Progress>,
    tip: Option<Tip>,
    relocated: BTreeMap<Sequence, Relocation>,
}

impl Replay {
    /// Applies an entry that continues the state so far.
    pub(super) fn apply(&mut self, entry: Decoded) {
        match entry {
            Decoded::Checkpoint { channel, part } => {
                // A channel that is not there was deleted while its checkpoint was on the way.
                if self.names.contains_key(&channel) {
                    self.apply_part(Some(channel), part);
                }
            }
            Decoded::Held(Some(part)) => self.apply_part(None, part),
            Decoded::Held(None) => {
                self.partial.remove(&None);
                self.progress.remove(&None);
            }
            fact => self.apply_fact(fact),
        }
    }

    /// Applies an entry behind a break: what came before it is not known, so only what is true
    /// by itself counts. Checkpoints do not: the differences between them are incomplete.
    pub(super) fn apply_fact(&mut self, entry: Decoded) {
        match entry {
            Decoded::Create { channel, name } => self.create(channel, name),
            Decoded::Delete { channel } => self.remove(channel),
            Decoded::Tip(tip) => self.tip = Some(tip),
            Decoded::Relocated(relocations) => {
                self.relocated.extend(relocations.into_iter().map(|r| (r.sequence, r)));
            }
            Decoded::Checkpoint { .. } | Decoded::Held(_) | Decoded::SnapshotEnd => {}
        }
    }

    pub(super) fn finish(mut self, damage: Option<Damage>) -> JournalState {
        let held = self.progress.remove(&None).map(Progress::into_checkpoint);
        let channels = self.names.into_iter().map(|(channel, name)| {
            let progress = self.progress.remove(&Some(channel)).unwrap_or_default();
            (channel, ChannelState { name, checkpoint: progress.into_checkpoint() })
        });
        let channels = channels.collect();
        JournalState { channels, held, tip: self.tip, relocated: self.relocated, damage }
    }

    fn create(&mut self, channel: ChannelNumber, name: ChannelName) {
        if self.names.get(&channel) == Some(&name) {
            return;
        }
        // There is one channel of a name and one of a number: the deletion of the other was lost.
        self.remove(channel);
        if let Some(other) = self.numbers.insert(name.clone(), channel) {
            self.names.remove(&other);
            self.progress.remove(&Some(other));
            self.partial.remove(&Some(other));
        }
        self.names.insert(channel, name);
    }

    fn remove(&mut self, channel: ChannelNumber) {
        if let Some(name) = self.names.remove(&channel) {
            self.numbers.remove(&name);
        }
        self.progress.remove(&Some(channel));
        self.partial.remove(&Some(channel));
    }

    fn apply_part(&mut self, owner: Owner, part: Part) {
        if !part.more && !self.partial.contains_key(&owner) {
            self.progress.entry(owner).or_default().apply(part.checkpoint);
            return;
        }
        self.partial.entry(owner).or_default().apply(part.checkpoint);
        if !part.more {
            self.progress.extend(self.partial.remove_entry(&owner));
        }
    }
}

/// A checkpoint that changes can be applied to.
#[derive(Debug, Default)]
struct Progress {
    cursor: Sequence,
    end: Sequence,
    done_ahead: Vec<(Sequence, Sequence)>,
    open: Vec<Open>,
    deferred: BTreeMap<Sequence, (i64, u16)>,
}

impl Progress {
    /// What was removed goes first: a message may have been deferred, delivered and deferred
    /// again between two checkpoints.
    fn apply(&mut self, checkpoint: Checkpoint) {
        self.cursor = checkpoint.cursor;
        self.end = checkpoint.end;
        self.done_ahead = checkpoint.done_ahead;
        self.open = checkpoint.open;
        if checkpoint.whole {
            self.deferred.clear();
        }
        for sequence in checkpoint.deferred_removed {
            self.deferred.remove(&sequence);
        }
        let added = checkpoint.deferred_added.into_iter();
        self.deferred.extend(added.map(|d| (d.sequence, (d.due_ns, d.attempts))));
    }

    fn into_checkpoint(self) -> Checkpoint {
        let deferred = self.deferred.into_iter();
        let mut deferred_added: Vec<Deferred> = deferred
            .map(|(sequence, (due_ns, attempts))| Deferred { due_ns, sequence, attempts })
            .collect();
        deferred_added.sort_unstable();
        let Self { cursor, end, done_ahead, open, .. } = self;
        Checkpoint {
            cursor,
            end,
            done_ahead,
            open,
            whole: true,
            deferred_added,
            ..Default::default()
        }
    }
}
