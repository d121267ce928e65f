//! Messages as they lie in the log: in batches, never alone.

use bytes::Bytes;
use nsq_proto::Guid;

/// The place of a message in its topic's log: 0 for the first one ever, then without gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The place `count` messages later.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }

    /// How many messages lie in `self..end`; 0 when `end` is not behind `self`.
    pub const fn until(self, end: Self) -> u64 {
        end.0.saturating_sub(self.0)
    }
}

/// Messages that were appended together: one `MPUB`, or all the `PUB`s of one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Place of the first message.
    pub first: Sequence,
    /// How many messages, at least 1.
    pub count: u32,
    /// Id of the first message; the others follow by [`Guid::advance`].
    pub first_guid: Guid,
    /// When the daemon accepted them: nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// When they may be delivered, for a deferred publish: nanoseconds since 1970.
    pub due_ns: Option<i64>,
    /// `(u32 size, body) × count`, big endian: byte for byte the inside of an `MPUB`.
    /// Checked when it came in, so readers of a batch may rely on it.
    pub body: Bytes,
}

impl Batch {
    /// The place behind the last message.
    pub const fn end(&self) -> Sequence {
        self.first.plus(self.count as u64)
    }

    /// Id of the message at `sequence`, which must lie in this batch.
    pub fn guid(&self, sequence: Sequence) -> Guid {
        debug_assert!(self.first <= sequence && sequence < self.end());
        self.first_guid.advance(self.first.until(sequence))
    }

    /// Memory that keeping this batch costs, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.body.len() + size_of::<Self>()
    }
}

/// One life of a topic's log: ids count on from a fresh base at every start of the daemon, so that
/// an id lost with an unsynced tail is never given to another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Place of the first message of this life.
    pub first: Sequence,
    /// Its id.
    pub first_guid: Guid,
}

/// All lives that the log still holds messages of, oldest first: ids to places by subtraction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs(Vec<Epoch>);

impl Epochs {
    /// `epochs` must be in order, both of places and of ids.
    pub fn new(epochs: Vec<Epoch>) -> Self {
        debug_assert!(epochs.is_sorted_by(|a, b| {
            a.first <= b.first && a.first_guid.counter() < b.first_guid.counter()
        }));
        Self(epochs)
    }

    /// Where the message with this id would lie, or nothing when no message here can have it.
    pub fn sequence_of(&self, guid: Guid) -> Option<Sequence> {
        let counter = guid.counter();
        let index = self.0.iter().rposition(|e| e.first_guid.counter() <= counter)?;
        let epoch = self.0[index];
        let sequence = epoch.first.plus(counter - epoch.first_guid.counter());
        let beyond = self.0.get(index + 1).is_some_and(|next| sequence >= next.first);
        (epoch.first_guid.node() == guid.node() && !beyond).then_some(sequence)
    }

    /// Id of the message at `sequence`.
    pub fn guid_of(&self, sequence: Sequence) -> Option<Guid> {
        let epoch = self.0.iter().rev().find(|e| e.first <= sequence)?;
        Some(epoch.first_guid.advance(epoch.first.until(sequence)))
    }
}
