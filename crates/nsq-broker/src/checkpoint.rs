//! What a restart must know about a channel.

use crate::batch::Sequence;

/// A run of messages behind the cursor that still wait or are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The first of them.
    pub first: Sequence,
    /// How many, one behind the other.
    pub count: u32,
    /// How often each was delivered, saturating.
    pub attempts: u16,
}

/// A message that waits for its due time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deferred {
    /// When it may be delivered: nanoseconds since 1970.
    pub due_ns: i64,
    /// Which message.
    pub sequence: Sequence,
    /// How often it was delivered, saturating.
    pub attempts: u16,
}

/// The state of a channel at one moment, or what changed since the last one.
///
/// Everything at or behind `cursor` is still to be delivered, except what is deferred or done; of
/// what lies before the cursor only `open` and the deferred messages are. Losing the newest
/// checkpoints leads to messages being delivered again, never to a loss.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Next message to be taken from the log.
    pub cursor: Sequence,
    /// Messages from here on were not known yet: deferred publishes among them are not in
    /// `deferred_added`, and must be looked for in the log.
    pub end: Sequence,
    /// Ranges (first, end) at or behind the cursor that are not to be delivered any more: finished
    /// or dropped out of order. Always whole, in order.
    pub done_ahead: Vec<(Sequence, Sequence)>,
    /// Waiting again or in flight, in the order in which they should be delivered. Always whole.
    pub open: Vec<Open>,
    /// True: `deferred_added` is everything that is deferred. False: it is what came since the
    /// last checkpoint, and `deferred_removed` what went.
    pub whole: bool,
    /// Messages that became deferred.
    pub deferred_added: Vec<Deferred>,
    /// Messages that were deferred and are not any more.
    pub deferred_removed: Vec<Sequence>,
}
