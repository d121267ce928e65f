//! What the routines work on: the sizes of DESIGN's measurements.

use anyhow::{Context, Result};
use bytes::{BufMut, Bytes};
use nsq_proto::{Guid, NodeId, TopicName};

/// Messages in a batch.
pub(crate) const BATCH: u32 = 200;
/// Length of a body in bytes.
pub(crate) const BODY_BYTES: usize = 200;
/// When everything happens: nanoseconds since 1970.
pub(crate) const NOW_NS: i64 = 1_790_000_000_000_000_000;

/// `count` messages as they travel: sizes and bodies.
pub(crate) fn block(count: u32) -> Bytes {
    let mut block = Vec::new();
    for _ in 0..count {
        block.put_u32(BODY_BYTES as u32);
        block.put_bytes(b'm', BODY_BYTES);
    }
    block.into()
}

/// The first id that a topic gives out.
pub(crate) fn first_guid() -> Result<Guid> {
    Ok(Guid::new(Guid::counter_at(NOW_NS), node_id()?))
}

/// The node that gives it out.
pub(crate) fn node_id() -> Result<NodeId> {
    NodeId::new(617).context("617 is below 1024")
}

/// Some topic.
pub(crate) fn topic() -> Result<TopicName> {
    TopicName::parse(b"orders").map_err(|_| anyhow::anyhow!("`orders` is a name"))
}

/// How many runs of `each` messages make up at least `messages`.
pub(crate) fn rounds(messages: u64, each: u32) -> u64 {
    messages.div_ceil(u64::from(each))
}
