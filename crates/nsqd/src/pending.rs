//! Commands of the same kind that came together, gathered to be done together.

use bytes::{Bytes, BytesMut};
use nsq_proto::{MessageId, ProtocolError, TopicName, Verb};

use crate::topic::{Publication, PublishError};

/// A run of publishes is handed over when it has grown to this size.
const RUN_BYTES: usize = 1 << 20;

/// Which command published, for the text of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublishKind {
    Pub,
    Mpub,
    Dpub,
}

impl PublishKind {
    pub(crate) fn verb(self) -> Verb {
        match self {
            Self::Pub => Verb::Pub,
            Self::Mpub => Verb::Mpub,
            Self::Dpub => Verb::Dpub,
        }
    }

    pub(crate) fn failed(self, reason: &PublishError) -> ProtocolError {
        match self {
            Self::Pub => ProtocolError::pub_failed(reason),
            Self::Mpub => ProtocolError::mpub_failed(reason),
            Self::Dpub => ProtocolError::dpub_failed(reason),
        }
    }
}

/// Publishes to one topic with one delay, to be one append.
#[derive(Debug)]
pub(crate) struct PublishRun {
    pub(crate) topic: TopicName,
    pub(crate) kind: PublishKind,
    /// How many commands are answered by it.
    pub(crate) commands: u32,
    block: BytesMut,
    count: u32,
    delay_ms: u64,
}

impl PublishRun {
    pub(crate) fn new(topic: TopicName, kind: PublishKind, delay_ms: u64, room: usize) -> Self {
        let block = BytesMut::with_capacity(room);
        Self { topic, kind, commands: 0, block, count: 0, delay_ms }
    }

    /// Whether another publish can be part of this run.
    pub(crate) fn takes(&self, topic: &TopicName, kind: PublishKind, delay_ms: u64) -> bool {
        let same = self.kind == kind && self.delay_ms == delay_ms && self.topic == *topic;
        same && self.block.len() < RUN_BYTES
    }

    pub(crate) fn push(&mut self, block: &[u8], count: u32) {
        self.block.extend_from_slice(block);
        self.count += count;
        self.commands += 1;
    }

    /// How many messages.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn into_publication(self) -> Publication {
        let Self { block, count, delay_ms, .. } = self;
        // Messages may stay in memory for long: they must not keep room that they do not need.
        let block = if block.capacity() > block.len() + block.len() / 2 {
            Bytes::copy_from_slice(&block)
        } else {
            block.freeze()
        };
        Publication { block, count, delay_ms }
    }
}

/// What has been decoded and not done yet.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) publishes: Option<PublishRun>,
    pub(crate) finishes: Vec<MessageId>,
}
