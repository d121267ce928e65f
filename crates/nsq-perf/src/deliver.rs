//! Messages on their way to a consumer.

use std::hint::black_box;

use anyhow::{Result, ensure};
use bytes::BytesMut;
use nsq_proto::{Bodies, frame};

use crate::workload::{BATCH, BODY_BYTES, NOW_NS, block, first_guid, rounds};

/// Encodes batches into an output buffer that is written in between.
pub(crate) fn encode(messages: u64) -> Result<()> {
    let (block, first) = (block(BATCH), first_guid()?);
    let mut output = BytesMut::new();
    for _ in 0..rounds(messages, BATCH) {
        for (body, index) in Bodies::new(black_box(&block)).zip(0..) {
            output.reserve(frame::message_frame_size(body.len()));
            frame::message(&mut output, first.advance(index), NOW_NS, 1, body);
        }
        ensure!(output.len() == BATCH as usize * frame::message_frame_size(BODY_BYTES));
        black_box(&output);
        output.clear();
    }
    Ok(())
}
