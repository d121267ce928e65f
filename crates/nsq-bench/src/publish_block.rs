//! `PublishBlock`: publish commands encoded once and written again and again.
//!
//! ```text
//! PUB  <topic>\n       | u32 size | body
//! DPUB <topic> <ms>\n  | u32 size | body
//! MPUB <topic>\n       | u32 bytes that follow | u32 count | (u32 size | body) × count
//! ```
//!
//! Over HTTP, with each head in one piece, `?defer=<ms>` for a DPUB and the names of the headers
//! as they are everywhere:
//!
//! ```text
//! POST /pub?topic=<topic>              | head | body
//! POST /mpub?topic=<topic>&binary=true | head | u32 count | (u32 size | body) × count
//! ```
//!
//! With the same content in every message any number of commands is a prefix of the block, and the
//! next write starts there again. With other content in each, writes go round the block: nsqd would
//! find the same few messages in the history of its compressors otherwise.

use std::ops::Range;

use anyhow::{Result, ensure};

use crate::content::{Content, ContentSource};
use crate::http::escaped;
use crate::packer::Packer;
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::transport::Transport;

/// Largest block; a command above this is refused. Well above nsqd's 5 MiB default limit.
const MAX_BLOCK_BYTES: usize = 256 << 20;
/// Blocks hold as many commands as fit in this, so that they stay in the processor's cache.
const PREFERRED_BLOCK_BYTES: usize = 256 << 10;

/// What the commands of a block look like.
#[derive(Clone, Debug)]
pub(crate) struct PublishShape {
    pub(crate) transport: Transport,
    pub(crate) topic: String,
    /// Size of one message body, at least 1.
    pub(crate) body_bytes: usize,
    /// Messages per command: 1 is PUB, more is MPUB.
    pub(crate) batch: usize,
    /// Deferral, which makes the command a DPUB; only with a batch of 1.
    pub(crate) defer_ms: Option<u64>,
    pub(crate) content: Content,
    /// Other seeds give other content.
    pub(crate) seed: u64,
}

/// Publish commands of the same shape in one buffer.
pub(crate) struct PublishBlock {
    bytes: Vec<u8>,
    /// Length of a command that is not packed.
    command_bytes: usize,
    commands: usize,
    /// Where packed commands begin, and the end: their lengths differ.
    packed_bounds: Option<Vec<usize>>,
    goes_round: bool,
    /// The command to go on with.
    next: usize,
    first_body: usize,
    body_bytes: usize,
    body_stride: usize,
    batch: usize,
}

impl PublishBlock {
    /// Encodes up to `max_commands` commands, fewer when they would not fit in the cache.
    ///
    /// A block that goes round is filled, whatever `max_commands` says.
    pub(crate) fn encode(shape: &PublishShape, max_commands: usize) -> Result<Self> {
        ensure!(shape.batch >= 1 && shape.body_bytes >= 1, "batch and size must be at least 1");
        ensure!(shape.defer_ms.is_none() || shape.batch == 1, "deferred publishes have no batch");
        let bulk = shape.batch.saturating_mul(shape.body_bytes.saturating_add(4));
        ensure!(bulk <= MAX_BLOCK_BYTES, "one command of {bulk} bytes is too large");

        let size = u32::try_from(shape.body_bytes)?;
        let has_sizes = shape.batch > 1 || shape.transport == Transport::Tcp;
        let size_prefix: &[u8] = if has_sizes { &size.to_be_bytes() } else { &[] };
        let mut command = match shape.transport {
            Transport::Tcp => command_line(shape),
            Transport::Http => request_head(shape, bulk),
        };
        if shape.batch > 1 {
            if shape.transport == Transport::Tcp {
                command.extend_from_slice(&u32::try_from(bulk + 4)?.to_be_bytes());
            }
            command.extend_from_slice(&u32::try_from(shape.batch)?.to_be_bytes());
        }
        let head = command;
        let body_stride = size_prefix.len() + shape.body_bytes;
        let command_bytes = head.len() + shape.batch * body_stride;
        let goes_round = shape.content != Content::Alphabet;
        let wanted = if goes_round { usize::MAX } else { max_commands.max(1) };
        let commands = (PREFERRED_BLOCK_BYTES / command_bytes).clamp(1, wanted);

        let mut source = ContentSource::new(shape.content, shape.seed);
        let mut bytes = Vec::with_capacity(commands * command_bytes);
        for _ in 0..commands {
            bytes.extend_from_slice(&head);
            for _ in 0..shape.batch {
                bytes.extend_from_slice(size_prefix);
                source.append_body(&mut bytes, shape.body_bytes);
            }
        }
        Ok(Self {
            bytes,
            command_bytes,
            commands,
            packed_bounds: None,
            goes_round,
            next: 0,
            first_body: head.len() + size_prefix.len(),
            body_bytes: shape.body_bytes,
            body_stride,
            batch: shape.batch,
        })
    }

    /// Compresses each command by itself, as clients do that write one after the other.
    ///
    /// The messages can be reached no more.
    pub(crate) fn pack(&mut self, packer: &mut Packer) {
        let mut packed = Vec::with_capacity(self.bytes.len());
        let mut bounds = vec![0];
        for command in self.bytes.chunks_exact(self.command_bytes) {
            packer.pack(command, &mut packed);
            bounds.push(packed.len());
        }
        self.bytes = packed;
        self.packed_bounds = Some(bounds);
    }

    /// Takes the commands to send next, at most `max_commands` of them.
    pub(crate) fn take(&mut self, max_commands: usize) -> Range<usize> {
        let end = self.next.saturating_add(max_commands).min(self.commands);
        let taken = self.next..end;
        self.next = if self.goes_round && end < self.commands { end } else { 0 };
        taken
    }

    /// Writes consecutive stamps, from `first` on, into the messages of these commands.
    ///
    /// Bodies shorter than a stamp are left alone.
    pub(crate) fn stamp(&mut self, commands: Range<usize>, first: Stamp) {
        debug_assert!(self.packed_bounds.is_none(), "packed messages cannot be changed");
        let mut stamp = first;
        if self.body_bytes < STAMP_BYTES {
            return;
        }
        let all = self.bytes.chunks_exact_mut(self.command_bytes);
        for command in all.skip(commands.start).take(commands.len()) {
            for message in 0..self.batch {
                let body = self.first_body + message * self.body_stride;
                stamp.write(&mut command[body..body + STAMP_BYTES]);
                stamp.number += 1;
            }
        }
    }

    /// These commands as they go on the wire.
    pub(crate) fn wire(&self, commands: Range<usize>) -> &[u8] {
        &self.bytes[self.start_of(commands.start)..self.start_of(commands.end)]
    }

    /// The body of the first message, for a caller with stamps of its own.
    pub(crate) fn first_body_mut(&mut self) -> &mut [u8] {
        let end = self.first_body + self.body_bytes;
        &mut self.bytes[self.first_body..end]
    }

    /// Messages in each command.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    fn start_of(&self, command: usize) -> usize {
        match &self.packed_bounds {
            None => command * self.command_bytes,
            Some(bounds) => bounds[command],
        }
    }
}

fn command_line(shape: &PublishShape) -> Vec<u8> {
    let topic = &shape.topic;
    match shape.defer_ms {
        Some(defer_ms) => format!("DPUB {topic} {defer_ms}\n"),
        None if shape.batch > 1 => format!("MPUB {topic}\n"),
        None => format!("PUB {topic}\n"),
    }
    .into_bytes()
}

/// The daemon does not look at the name of the host.
fn request_head(shape: &PublishShape, bulk_bytes: usize) -> Vec<u8> {
    let topic = escaped(&shape.topic);
    let (target, length) = match shape.defer_ms {
        Some(defer_ms) => (format!("/pub?topic={topic}&defer={defer_ms}"), shape.body_bytes),
        None if shape.batch > 1 => (format!("/mpub?topic={topic}&binary=true"), bulk_bytes + 4),
        None => (format!("/pub?topic={topic}"), shape.body_bytes),
    };
    format!("POST {target} HTTP/1.1\r\nHost: nsqd\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packer::{Compression, Unpacker};

    fn shape(body_bytes: usize, batch: usize, defer_ms: Option<u64>) -> PublishShape {
        let topic = "x".to_owned();
        let content = Content::Alphabet;
        let transport = Transport::Tcp;
        PublishShape { transport, topic, body_bytes, batch, defer_ms, content, seed: 0 }
    }

    fn over_http(shape: PublishShape) -> PublishShape {
        PublishShape { transport: Transport::Http, ..shape }
    }

    #[test]
    fn commands_match_the_protocol_description() {
        let cases: [(PublishShape, &[u8]); 7] = [
            (shape(1, 1, None), b"PUB x\n\x00\x00\x00\x01a"),
            (shape(2, 1, Some(1500)), b"DPUB x 1500\n\x00\x00\x00\x02ab"),
            (
                shape(2, 3, None),
                b"MPUB x\n\x00\x00\x00\x16\x00\x00\x00\x03\x00\x00\x00\x02ab\
                  \x00\x00\x00\x02ab\x00\x00\x00\x02ab",
            ),
            (shape(1, 1, Some(0)), b"DPUB x 0\n\x00\x00\x00\x01a"),
            (
                over_http(shape(2, 1, None)),
                b"POST /pub?topic=x HTTP/1.1\r\nHost: nsqd\r\nContent-Length: 2\r\n\r\nab",
            ),
            (
                over_http(shape(1, 1, Some(7))),
                b"POST /pub?topic=x&defer=7 HTTP/1.1\r\nHost: nsqd\r\nContent-Length: 1\r\n\r\na",
            ),
            (
                over_http(shape(1, 2, None)),
                b"POST /mpub?topic=x&binary=true HTTP/1.1\r\nHost: nsqd\r\n\
                  Content-Length: 14\r\n\r\n\x00\x00\x00\x02\x00\x00\x00\x01a\x00\x00\x00\x01a",
            ),
        ];
        for (shape, expected) in cases {
            let mut block = PublishBlock::encode(&shape, 3).unwrap();
            let first = block.take(1);
            assert_eq!(block.wire(first), expected);
            let all = block.take(9);
            assert_eq!(block.wire(all), expected.repeat(3));
        }
    }

    #[test]
    fn a_block_never_outgrows_its_preferred_size_by_more_than_a_command() {
        let block = PublishBlock::encode(&shape(200, 200, None), 100).unwrap();
        assert_eq!(block.commands, 6);
        let block = PublishBlock::encode(&shape(1 << 20, 1, None), 100).unwrap();
        assert_eq!(block.commands, 1);
    }

    #[test]
    fn a_block_of_different_messages_goes_round() {
        let shape = PublishShape { content: Content::Random, ..shape(30_000, 1, None) };
        let mut block = PublishBlock::encode(&shape, 1).unwrap();
        let taken: Vec<Range<usize>> = (0..5).map(|_| block.take(3)).collect();
        assert_eq!(taken, [0..3, 3..6, 6..8, 0..3, 3..6]);
        assert_ne!(block.wire(0..1), block.wire(1..2));
    }

    #[test]
    fn packed_commands_are_the_same_commands() {
        for compression in [Compression::Snappy, Compression::Deflate(1), Compression::Deflate(9)] {
            let shape = PublishShape { content: Content::Text, ..shape(2000, 3, None) };
            let mut block = PublishBlock::encode(&shape, 1).unwrap();
            let expected = [block.wire(2..5), block.wire(0..2), block.wire(2..5)].concat();
            let mut packer = Packer::new(compression);
            packer.forget_history();
            block.pack(&mut packer);
            let packed = [block.wire(2..5), block.wire(0..2), block.wire(2..5)].concat();
            let stream = [packer.preamble(), &packed].concat();
            assert!(stream.len() < expected.len());
            let mut output = vec![0; expected.len() + 1];
            let mut unpacker = Unpacker::new(compression);
            let (_, length) = unpacker.unpack(&stream, &mut output).unwrap();
            assert_eq!(output[..length], expected);
        }
    }

    #[test]
    fn stamps_count_up_through_all_messages() {
        let mut block = PublishBlock::encode(&shape(20, 2, None), 2).unwrap();
        block.stamp(0..2, Stamp { run: 7, publisher: 3, number: 40 });
        let numbers: Vec<u64> = block
            .bytes
            .chunks_exact(block.command_bytes)
            .flat_map(|command| [&command[19..39], &command[43..63]])
            .map(|body| Stamp::read(body).unwrap().number)
            .collect();
        assert_eq!(numbers, [40, 41, 42, 43]);
    }

    #[test]
    fn impossible_shapes_are_refused() {
        for wrong in [shape(0, 1, None), shape(1, 0, None), shape(1, 2, Some(5))] {
            assert!(PublishBlock::encode(&wrong, 1).is_err());
        }
        assert!(PublishBlock::encode(&shape(usize::MAX, 9, None), 1).is_err());
    }
}
