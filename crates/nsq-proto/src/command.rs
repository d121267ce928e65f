//! What a client can say.

use crate::{ChannelName, MessageId, TopicName};

/// The first word of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `IDENTIFY`
    Identify,
    /// `AUTH`
    Auth,
    /// `SUB`
    Sub,
    /// `PUB`
    Pub,
    /// `MPUB`
    Mpub,
    /// `DPUB`
    Dpub,
    /// `RDY`
    Rdy,
    /// `FIN`
    Fin,
    /// `REQ`
    Req,
    /// `TOUCH`
    Touch,
    /// `CLS`
    Cls,
    /// `NOP`
    Nop,
}

impl Verb {
    /// The verb that `word` spells; case matters.
    pub const fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"FIN" => Self::Fin,
            b"PUB" => Self::Pub,
            b"RDY" => Self::Rdy,
            b"MPUB" => Self::Mpub,
            b"DPUB" => Self::Dpub,
            b"REQ" => Self::Req,
            b"TOUCH" => Self::Touch,
            b"NOP" => Self::Nop,
            b"SUB" => Self::Sub,
            b"CLS" => Self::Cls,
            b"IDENTIFY" => Self::Identify,
            b"AUTH" => Self::Auth,
            _ => return None,
        })
    }

    /// The word on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "IDENTIFY",
            Self::Auth => "AUTH",
            Self::Sub => "SUB",
            Self::Pub => "PUB",
            Self::Mpub => "MPUB",
            Self::Dpub => "DPUB",
            Self::Rdy => "RDY",
            Self::Fin => "FIN",
            Self::Req => "REQ",
            Self::Touch => "TOUCH",
            Self::Cls => "CLS",
            Self::Nop => "NOP",
        }
    }
}

/// A complete, valid command. Bodies are slices of the input; the topic of a publish is the
/// decoder's copy, so that a run of publishes to one topic neither allocates nor validates, and
/// comparing two of its topics compares addresses.
///
/// The `block` of a publish holds its messages as they travelled, and as they are stored:
///
/// ```text
/// (size: u32 big endian, body: size bytes) × count        count is 1 for PUB and DPUB
/// ```
///
/// Every size is at least 1 and at most the largest message size. [`Bodies`](crate::Bodies) walks
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// IDENTIFY with its JSON.
    Identify {
        /// The JSON, not looked at yet.
        body: &'a [u8],
    },
    /// AUTH with its secret.
    Auth {
        /// The secret, any bytes.
        body: &'a [u8],
    },
    /// SUB
    Subscribe {
        /// The topic to consume from.
        topic: TopicName,
        /// The channel to join.
        channel: ChannelName,
    },
    /// PUB
    Publish {
        /// The topic to publish to.
        topic: &'a TopicName,
        /// One message.
        block: &'a [u8],
    },
    /// DPUB
    DeferredPublish {
        /// The topic to publish to.
        topic: &'a TopicName,
        /// How long the message is held back, 0 to the largest requeue timeout.
        delay_ms: u64,
        /// One message.
        block: &'a [u8],
    },
    /// An MPUB whose topic is known and whose body was not looked at yet. It takes nothing of the
    /// input: the command itself follows. Only where
    /// [`announces_batches`](crate::Admission::announces_batches) is set.
    AnnouncePublish {
        /// The topic to publish to.
        topic: &'a TopicName,
    },
    /// MPUB
    MultiPublish {
        /// The topic to publish to.
        topic: &'a TopicName,
        /// How many messages `block` holds, at least 1.
        count: u32,
        /// The messages.
        block: &'a [u8],
    },
    /// RDY
    Ready {
        /// The new ready count, 0 to the largest allowed.
        count: u32,
    },
    /// FIN
    Finish {
        /// The message to finish.
        id: MessageId,
    },
    /// REQ
    Requeue {
        /// The message to put back.
        id: MessageId,
        /// How long it is held back, as sent: the caller clamps it to the largest allowed.
        delay_ms: u64,
    },
    /// TOUCH
    Touch {
        /// The message that needs more time.
        id: MessageId,
    },
    /// CLS
    Close,
    /// NOP, and RDY from a closing client, which has no effect whatever its count.
    Nop,
}
