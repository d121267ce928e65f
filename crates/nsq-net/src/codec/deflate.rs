//! Deflate (RFC 1951), without the header and the trailer of zlib and gzip.
//!
//! A flush ends with an empty stored block, `00 00 ff ff` on a byte boundary; behind it everything
//! written before can be decoded. Go NSQ sends such blocks also when nothing was written.

use std::io;

use bytes::{Buf, BytesMut};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Decoded, corrupt};

/// Plain text is decoded in steps of this many bytes: the room for a step must be cleared first,
/// which is not worth much for a short command.
const STEP_BYTES_MIN: usize = 512;
const STEP_BYTES_MAX: usize = 32 * 1024;
/// What plain text usually grows to.
const USUAL_RATIO: usize = 4;

/// Room is made for the encoding of this much at a time.
const ENCODED_BYTES_MAX: usize = 128 * 1024;
/// Ends of blocks and of the flush.
const FLUSH_BYTES: usize = 64;

/// Both directions of one connection.
#[derive(Debug)]
pub(super) struct Deflate {
    level: Compression,
    /// Made with the first write after a silence.
    compress: Option<Compress>,
    decompress: Decompress,
    has_ended: bool,
}

impl Deflate {
    pub(super) fn new(level: u8) -> Self {
        Self {
            level: Compression::new(level.clamp(1, 9).into()),
            compress: None,
            decompress: Decompress::new(false),
            has_ended: false,
        }
    }

    /// Forgets what was written, which the next write then cannot refer to. Each write ends on a
    /// byte boundary, so that another compressor can go on from there.
    pub(super) fn release(&mut self) {
        self.compress = None;
    }

    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
        limit: usize,
    ) -> io::Result<Decoded> {
        let step = input.len().saturating_mul(USUAL_RATIO).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX);
        let mut room = limit;
        while !self.has_ended {
            if room == 0 {
                return Ok(Decoded::More);
            }
            let step = step.min(room);
            let decoded = self.decode_step(input, output, step)?;
            room -= decoded;
            // With room left over it has nothing more to say, even to itself.
            if decoded < step && !self.has_ended {
                debug_assert!(input.is_empty(), "inflating stops for want of input or room");
                return Ok(Decoded::NeedsInput);
            }
        }
        Ok(Decoded::End)
    }

    /// Appends up to `room` bytes and says how many.
    fn decode_step(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
        room: usize,
    ) -> io::Result<usize> {
        let start = output.len();
        let (used, decoded) = (self.decompress.total_in(), self.decompress.total_out());
        output.resize(start + room, 0);
        let free = output.get_mut(start..).unwrap_or_default();
        let status = self.decompress.decompress(input, free, FlushDecompress::None);
        let used = (self.decompress.total_in() - used) as usize;
        let decoded = (self.decompress.total_out() - decoded) as usize;
        output.truncate(start + decoded);
        input.advance(used);
        let status = status.map_err(|_| corrupt("deflate: corrupt input"))?;
        self.has_ended = status == Status::StreamEnd;
        Ok(decoded)
    }

    pub(super) fn encode(&mut self, plain: &[u8], output: &mut Vec<u8>) {
        let level = self.level;
        let compress = self.compress.get_or_insert_with(|| Compress::new(level, false));
        let mut rest = plain;
        loop {
            // Enough for text that cannot be compressed, so that one call is the rule: one that
            // ends just where the room does would be followed by another end of the flush.
            let expected = rest.len().min(ENCODED_BYTES_MAX);
            output.reserve(expected + expected / 8 + FLUSH_BYTES);
            let before = compress.total_in();
            compress
                .compress_vec(rest, output, FlushCompress::Sync)
                .expect("it fails only when called with a wrong flush or after the end");
            let used = (compress.total_in() - before) as usize;
            rest = rest.get(used..).unwrap_or_default();
            if rest.is_empty() && output.len() < output.capacity() {
                return;
            }
        }
    }
}
