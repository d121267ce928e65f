//! How far a client's conversation has come.

use crate::Verb;

/// How far a client's conversation has come. The numbers are those that `/stats` shows; 1 and 2
/// exist in NSQ's numbering but are never used.
///
/// ```text
///          SUB                CLS
///   Init ───────► Subscribed ───────► Closing
/// ```
///
/// There is no way back: one channel per connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ClientState {
    /// Connected; may identify, authenticate, subscribe, publish.
    #[default]
    Init = 0,
    /// Consumes a channel.
    Subscribed = 3,
    /// Has asked to stop; still answers the messages it holds.
    Closing = 4,
}

impl ClientState {
    /// Whether `verb` is allowed now. In [`ClientState::Closing`] RDY is allowed but has no effect.
    pub const fn admits(self, verb: Verb) -> bool {
        match verb {
            Verb::Pub | Verb::Mpub | Verb::Dpub | Verb::Nop => true,
            Verb::Identify | Verb::Auth | Verb::Sub => matches!(self, Self::Init),
            Verb::Rdy | Verb::Fin | Verb::Req | Verb::Touch => !matches!(self, Self::Init),
            Verb::Cls => matches!(self, Self::Subscribed),
        }
    }
}

/// What a client may do at the moment: everything outside the bytes that the decoder must know,
/// because nsqd checks it before parameters and before any body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// How far the conversation has come.
    pub state: ClientState,
    /// Whether heartbeats are on; without them SUB is refused.
    pub heartbeats: bool,
    /// Whether TLS is required and this connection has none; then only IDENTIFY is accepted.
    pub tls_required_unmet: bool,
    /// Whether an MPUB is announced before its body is read, because it may be forbidden: see
    /// [`Command::AnnouncePublish`](crate::Command::AnnouncePublish).
    pub announces_batches: bool,
}

impl Default for Admission {
    /// A client that has just connected to a daemon that requires neither TLS nor AUTH.
    fn default() -> Self {
        Self {
            state: ClientState::Init,
            heartbeats: true,
            tls_required_unmet: false,
            announces_batches: false,
        }
    }
}
