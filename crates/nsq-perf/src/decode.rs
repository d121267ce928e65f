//! Commands in a row, as one read finds them in its buffer.

use std::hint::black_box;

use anyhow::{Result, ensure};
use nsq_proto::{Admission, ClientState, Decoded, Decoder, Limits};

use crate::workload::{BATCH, block, first_guid, rounds};

/// `PUB`s to one topic.
pub(crate) fn publishes(messages: u64) -> Result<()> {
    let message = block(1);
    let input = [&b"PUB orders\n"[..], &message].concat().repeat(BATCH as usize);
    decode(&input, u64::from(BATCH), rounds(messages, BATCH), ClientState::Init)
}

/// `MPUB`s to one topic, one after the other.
pub(crate) fn multi_publishes(messages: u64) -> Result<()> {
    let messages_block = block(BATCH);
    let size = 4 + messages_block.len() as u32;
    let (size, count) = (size.to_be_bytes(), BATCH.to_be_bytes());
    let input = [&b"MPUB orders\n"[..], &size, &count, &messages_block].concat();
    decode(&input, 1, rounds(messages, BATCH), ClientState::Init)
}

/// `FIN`s of consecutive messages, their ids looked into.
pub(crate) fn finishes(messages: u64) -> Result<()> {
    let first = first_guid()?;
    let line = |index| [b"FIN ", &first.advance(index).message_id().0[..], b"\n"].concat();
    let input: Vec<u8> = (0..u64::from(BATCH)).flat_map(line).collect();
    decode(&input, u64::from(BATCH), rounds(messages, BATCH), ClientState::Subscribed)
}

fn decode(input: &[u8], commands: u64, rounds: u64, state: ClientState) -> Result<()> {
    let admission = Admission { state, ..Admission::default() };
    let mut decoder = Decoder::new(Limits::default());
    let mut decoded = 0;
    for _ in 0..rounds {
        let mut rest = black_box(input);
        while let Decoded::Command { command, used } = decoder.next(rest, &admission)? {
            if let nsq_proto::Command::Finish { id } = &command {
                black_box(id.guid());
            }
            black_box(&command);
            decoded += 1;
            rest = rest.get(used..).unwrap_or_default();
        }
    }
    ensure!(decoded == commands * rounds, "{decoded} commands instead of {commands} × {rounds}");
    Ok(())
}
