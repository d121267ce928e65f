//! Channels that make progress, and what must be true of a journal that was told about it.

use std::collections::{BTreeMap, BTreeSet};

use nsq_broker::{Checkpoint, Deferred, Open, Sequence};
use nsq_proto::{ChannelName, Guid};
use nsq_sim::Seed;
use nsq_store::journal::{
    ChannelNumber, ChannelState, Entry, Journal, JournalState, Relocation, Tip,
};

/// The truth: a topic and its channels, as a broker would hold them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topic {
    channels: BTreeMap<ChannelNumber, Channel>,
    held: Option<Channel>,
    /// Place of the next message.
    end: u64,
    relocated: BTreeMap<Sequence, Relocation>,
    next_number: u32,
    /// What happened since the last flush besides progress.
    news: Vec<News>,
}

#[derive(Clone, Debug)]
enum News {
    Create(ChannelNumber),
    Delete(ChannelNumber),
    Held,
    Relocated(Relocation),
}

#[derive(Clone, Debug)]
struct Channel {
    name: ChannelName,
    cursor: u64,
    /// What it knows of the log.
    end: u64,
    done_ahead: BTreeSet<u64>,
    open: BTreeMap<u64, u16>,
    deferred: BTreeMap<u64, (i64, u16)>,
    added: BTreeMap<u64, (i64, u16)>,
    removed: Vec<u64>,
}

impl Topic {
    pub(crate) fn new() -> Self {
        Self { held: Some(Channel::new("held", 0)), ..Self::default() }
    }

    /// Something happens: messages come, are delivered, finished, deferred or relocated, channels
    /// come and go.
    pub(crate) fn step(&mut self, seed: &mut Seed) {
        self.end += seed.below(6) as u64;
        match seed.below(12) {
            0 | 1 => self.create(seed),
            2 => self.delete(seed),
            3 => self.relocate(seed),
            _ => {}
        }
        let end = self.end;
        for channel in self.channels.values_mut().chain(&mut self.held) {
            if seed.below(3) > 0 {
                channel.step(seed, end);
            }
        }
    }

    /// What changed, as entries for one write.
    pub(crate) fn flush(&mut self, write: impl FnOnce(&[Entry<'_>])) {
        let held = self.held.as_mut().map(Channel::changes);
        let progress: Vec<_> =
            self.channels.iter_mut().map(|(number, c)| (*number, c.changes())).collect();
        let news = std::mem::take(&mut self.news);
        let tip = self.tip();
        let mut entries = Vec::new();
        for one in &news {
            entries.extend(match one {
                News::Create(channel) => {
                    let name = self.channels.get(channel).map(|c| &c.name);
                    name.map(|name| Entry::Create { channel: *channel, name })
                }
                News::Delete(channel) => Some(Entry::Delete { channel: *channel }),
                News::Held => Some(Entry::Held(None)),
                News::Relocated(relocation) => {
                    Some(Entry::Relocated(std::slice::from_ref(relocation)))
                }
            });
        }
        let checkpoints = progress.iter();
        entries.extend(
            checkpoints
                .map(|(channel, checkpoint)| Entry::Checkpoint { channel: *channel, checkpoint }),
        );
        entries.extend(held.as_ref().map(|held| Entry::Held(Some(held))));
        entries.push(Entry::Tip(tip));
        write(&entries);
    }

    /// Writes the whole state.
    pub(crate) fn compact(&mut self, journal: &mut Journal) -> std::io::Result<()> {
        self.news.clear();
        for channel in self.channels.values_mut().chain(&mut self.held) {
            channel.changes();
        }
        let state = self.state();
        let relocated: Vec<_> = state.relocated.values().copied().collect();
        journal.compact(state.entries(&relocated))
    }

    /// What a journal that was told everything gives back.
    pub(crate) fn state(&self) -> JournalState {
        let channels = self.channels.iter().map(|(number, channel)| {
            let state =
                ChannelState { name: channel.name.clone(), checkpoint: channel.checkpoint() };
            (*number, state)
        });
        JournalState {
            channels: channels.collect(),
            held: self.held.as_ref().map(Channel::checkpoint),
            tip: Some(self.tip()),
            relocated: self.relocated.clone(),
            damage: None,
        }
    }

    /// Panics when a restart from `state` would lose a message. A channel that is missing there,
    /// and the topic when it is said nothing of, start at the oldest message by rule.
    pub(crate) fn check_nothing_lost(&self, state: &JournalState) {
        for (number, channel) in &self.channels {
            if let Some(recovered) = state.channels.get(number) {
                channel.check_nothing_lost(&recovered.checkpoint, self.end);
            }
        }
        if let (Some(held), Some(recovered)) = (&self.held, &state.held) {
            held.check_nothing_lost(recovered, self.end);
        }
    }

    fn tip(&self) -> Tip {
        let (segment, offset) = (self.end / 10, self.end % 10 * 100);
        Tip { segment, offset, sequence: Sequence(self.end) }
    }

    fn create(&mut self, seed: &mut Seed) {
        let name = ["a", "b", "c#ephemeral", "a-much-longer-name.than_the_others"][seed.below(4)];
        if self.channels.values().any(|channel| channel.name.as_str() == name) {
            return;
        }
        let number = ChannelNumber(self.next_number);
        self.next_number += 1;
        let mut channel = Channel::new(name, self.end);
        if let Some(held) = self.held.take() {
            channel = Channel { name: channel.name, added: held.deferred.clone(), ..held };
            self.news.push(News::Held);
        }
        self.channels.insert(number, channel);
        self.news.insert(0, News::Create(number));
    }

    fn delete(&mut self, seed: &mut Seed) {
        let numbers: Vec<_> = self.channels.keys().copied().collect();
        if numbers.is_empty() {
            return;
        }
        let number = numbers[seed.below(numbers.len())];
        self.channels.remove(&number);
        self.news.push(News::Delete(number));
        if self.channels.is_empty() {
            self.held = Some(Channel::new("held", self.end));
        }
    }

    fn relocate(&mut self, seed: &mut Seed) {
        let sequence = Sequence(seed.below(20) as u64);
        let (segment, offset) = (seed.draw() >> 1, seed.draw());
        let guid = Guid::from_number(seed.draw());
        let relocation = Relocation { sequence, guid, segment, offset };
        self.relocated.insert(sequence, relocation);
        self.news.push(News::Relocated(relocation));
    }
}

impl Channel {
    fn new(name: &str, cursor: u64) -> Self {
        let (done_ahead, open, deferred, added) = Default::default();
        let name = name.parse().expect("a valid name");
        Self { name, cursor, end: cursor, done_ahead, open, deferred, added, removed: Vec::new() }
    }

    fn step(&mut self, seed: &mut Seed, end: u64) {
        self.end = end;
        for _ in 0..seed.below(8) {
            self.take(seed);
            if self.cursor < end && seed.below(4) == 0 {
                self.done_ahead.insert(self.cursor + seed.draw() % (end - self.cursor));
            }
            if let Some(sequence) = pick(&self.open, seed) {
                self.open.remove(&sequence);
                if seed.below(3) == 0 {
                    self.defer(sequence, seed);
                }
            }
            if let Some(sequence) = pick(&self.deferred, seed).filter(|_| seed.below(2) == 0) {
                let (_, attempts) = self.deferred.remove(&sequence).expect("it was picked");
                self.added.remove(&sequence);
                self.removed.push(sequence);
                self.open.insert(sequence, attempts.saturating_add(1));
            }
        }
    }

    /// Takes the next message from the log.
    fn take(&mut self, seed: &mut Seed) {
        if self.cursor < self.end && !self.done_ahead.remove(&self.cursor) {
            match seed.below(3) {
                0 => self.defer(self.cursor, seed),
                1 => drop(self.open.insert(self.cursor, 1)),
                _ => {}
            }
        }
        self.cursor = self.end.min(self.cursor + 1);
    }

    fn defer(&mut self, sequence: u64, seed: &mut Seed) {
        let deferred = (seed.draw() as i64, seed.below(65536) as u16);
        self.deferred.insert(sequence, deferred);
        self.added.insert(sequence, deferred);
    }

    fn changes(&mut self) -> Checkpoint {
        let deferred_removed = std::mem::take(&mut self.removed).into_iter().map(Sequence);
        let deferred_removed = deferred_removed.collect();
        let deferred_added = sorted(&std::mem::take(&mut self.added));
        Checkpoint { whole: false, deferred_added, deferred_removed, ..self.checkpoint() }
    }

    fn checkpoint(&self) -> Checkpoint {
        let open = self.open.iter().map(|(sequence, attempts)| Open {
            first: Sequence(*sequence),
            count: 1,
            attempts: *attempts,
        });
        let done = self.done_ahead.iter();
        Checkpoint {
            cursor: Sequence(self.cursor),
            end: Sequence(self.end),
            done_ahead: done.map(|first| (Sequence(*first), Sequence(*first + 1))).collect(),
            open: open.collect(),
            whole: true,
            deferred_added: sorted(&self.deferred),
            deferred_removed: Vec::new(),
        }
    }

    fn check_nothing_lost(&self, recovered: &Checkpoint, end: u64) {
        let kept = |sequence: u64| {
            let sequence = Sequence(sequence);
            let open = &mut recovered.open.iter();
            let done = &mut recovered.done_ahead.iter();
            let ahead = sequence >= recovered.cursor
                && !done.any(|(first, end)| *first <= sequence && sequence < *end);
            ahead
                || open.any(|o| o.first <= sequence && sequence < o.first.plus(o.count.into()))
                || recovered.deferred_added.iter().any(|d| d.sequence == sequence)
        };
        let behind = self.open.keys().chain(self.deferred.keys()).copied();
        let ahead = (self.cursor..end).filter(|sequence| !self.done_ahead.contains(sequence));
        for sequence in behind.chain(ahead) {
            assert!(kept(sequence), "message {sequence} is lost: {recovered:?}");
        }
    }
}

fn pick<T>(from: &BTreeMap<u64, T>, seed: &mut Seed) -> Option<u64> {
    let index = seed.below(from.len().max(1));
    from.keys().nth(index).copied()
}

fn sorted(deferred: &BTreeMap<u64, (i64, u16)>) -> Vec<Deferred> {
    let each = deferred.iter().map(|(sequence, (due_ns, attempts))| Deferred {
        due_ns: *due_ns,
        sequence: Sequence(*sequence),
        attempts: *attempts,
    });
    let mut all: Vec<_> = each.collect();
    all.sort_unstable();
    all
}
