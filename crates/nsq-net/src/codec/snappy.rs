//! Snappy's framing format: a stream of chunks.
//!
//! ```text
//! chunk       type: u8, length: u24 little endian, length bytes
//! identifier  ff 06 00 00 "sNaPpY"; comes first, and may come again
//! compressed  00 length checksum: u32 little endian, snappy block
//! stored      01 length checksum: u32 little endian, plain text
//! reserved    02 to 7f: an error
//! skippable   80 to fe: any bytes, of no meaning
//! ```

use std::io;

use bytes::{Buf, BytesMut};
use snap::raw;

use super::{Codec, Decoded, corrupt};

const IDENTIFIER: &[u8; 10] = b"\xff\x06\x00\x00sNaPpY";
const IDENTIFIER_TYPE: u8 = 0xff;
const COMPRESSED_TYPE: u8 = 0x00;
const STORED_TYPE: u8 = 0x01;

const HEADER_LENGTH: usize = 4;
const CHECKSUM_LENGTH: usize = 4;
/// The length of the plain text in front of a snappy block: a number of 32 bits, seven in a byte.
const PREAMBLE_LENGTH_MAX: usize = 5;
/// Longest snappy block of a plain text of [`Codec::CHUNK_BYTES_MAX`].
const BLOCK_LENGTH_MAX: usize = 32 + Codec::CHUNK_BYTES_MAX + Codec::CHUNK_BYTES_MAX / 6;

const _: () = assert!(BLOCK_LENGTH_MAX == 76_490, "what Go's snappy accepts");

/// Both directions of one connection. What has come of an incomplete chunk stays with the caller.
#[derive(Debug, Default)]
pub(super) struct Snappy {
    is_identified: bool,
    has_sent_identifier: bool,
    /// What is still to come of a skippable chunk.
    skipping: usize,
}

impl Snappy {
    pub(super) fn decode(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
        limit: usize,
    ) -> io::Result<Decoded> {
        let before = output.len();
        while self.decode_chunk(input, output)? {
            if output.len() - before >= limit && !input.is_empty() {
                return Ok(Decoded::More);
            }
        }
        Ok(Decoded::NeedsInput)
    }

    /// Takes the chunk at the front of the input and says whether it was there. A chunk is judged
    /// by its first bytes, so that a bad one is not waited for.
    fn decode_chunk(&mut self, input: &mut BytesMut, output: &mut BytesMut) -> io::Result<bool> {
        if self.skipping > 0 {
            let skipped = self.skipping.min(input.len());
            input.advance(skipped);
            self.skipping -= skipped;
        }
        let Some(&[kind, low, middle, high]) = input.first_chunk::<HEADER_LENGTH>() else {
            return Ok(false);
        };
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        if kind != IDENTIFIER_TYPE && !self.is_identified {
            return Err(corrupt("snappy: the stream identifier is missing"));
        }
        let is_there = match kind {
            COMPRESSED_TYPE => decompress(input, length, output)?,
            STORED_TYPE => take_stored(input, length, output)?,
            IDENTIFIER_TYPE => self.identify(input, length)?,
            0x02..=0x7f => return Err(corrupt("snappy: unknown chunk type")),
            0x80..=0xfe => {
                input.advance(HEADER_LENGTH);
                self.skipping = length;
                return Ok(true);
            }
        };
        if is_there {
            input.advance(HEADER_LENGTH + length);
        }
        Ok(is_there)
    }

    fn identify(&mut self, input: &[u8], length: usize) -> io::Result<bool> {
        let wrong = || corrupt("snappy: wrong stream identifier");
        if HEADER_LENGTH + length != IDENTIFIER.len() {
            return Err(wrong());
        }
        let Some(identifier) = input.first_chunk() else { return Ok(false) };
        self.is_identified = identifier == IDENTIFIER;
        self.is_identified.then_some(true).ok_or_else(wrong)
    }

    pub(super) fn encode(&mut self, plain: &[u8], output: &mut Vec<u8>) {
        if !self.has_sent_identifier {
            output.extend_from_slice(IDENTIFIER);
            self.has_sent_identifier = true;
        }
        // It remembers nothing from one chunk to the next, so an idle connection need not keep it.
        let mut encoder = raw::Encoder::new();
        for chunk in plain.chunks(Codec::CHUNK_BYTES_MAX) {
            append_chunk(&mut encoder, chunk, output);
        }
    }
}

/// Appends the text of the compressed chunk at the front of `input`, if it is wholly there.
fn decompress(input: &[u8], length: usize, output: &mut BytesMut) -> io::Result<bool> {
    let block_length = checked_payload_length(length, BLOCK_LENGTH_MAX)?;
    let Some((checksum, payload)) = split_checksum(input) else { return Ok(false) };
    let start = payload.get(..block_length.min(PREAMBLE_LENGTH_MAX));
    let Some(start) = start else { return Ok(false) };
    let plain_length = raw::decompress_len(start).map_err(|_| bad_block())?;
    if plain_length > Codec::CHUNK_BYTES_MAX {
        return Err(corrupt("snappy: chunk too long"));
    }
    let Some(block) = payload.get(..block_length) else { return Ok(false) };
    let before = output.len();
    output.resize(before + plain_length, 0);
    let plain = output.get_mut(before..).unwrap_or_default();
    let decompressed = raw::Decoder::new().decompress(block, plain);
    let verified = decompressed.map_err(|_| bad_block()).and_then(|_| verify(plain, checksum));
    if verified.is_err() {
        output.truncate(before);
    }
    verified.map(|()| true)
}

/// Appends the text of the stored chunk at the front of `input`, if it is wholly there.
fn take_stored(input: &[u8], length: usize, output: &mut BytesMut) -> io::Result<bool> {
    let plain_length = checked_payload_length(length, Codec::CHUNK_BYTES_MAX)?;
    let Some((checksum, payload)) = split_checksum(input) else { return Ok(false) };
    let Some(plain) = payload.get(..plain_length) else { return Ok(false) };
    verify(plain, checksum)?;
    output.extend_from_slice(plain);
    Ok(true)
}

/// What follows the checksum of a chunk, in bytes.
fn checked_payload_length(length: usize, max: usize) -> io::Result<usize> {
    length
        .checked_sub(CHECKSUM_LENGTH)
        .filter(|length| *length <= max)
        .ok_or_else(|| corrupt("snappy: wrong chunk length"))
}

/// The checksum of a chunk, and what follows it.
fn split_checksum(input: &[u8]) -> Option<(u32, &[u8])> {
    let (checksum, payload) = input.get(HEADER_LENGTH..)?.split_first_chunk()?;
    Some((u32::from_le_bytes(*checksum), payload))
}

fn verify(plain: &[u8], checksum: u32) -> io::Result<()> {
    let is_right = masked_checksum(plain) == checksum;
    is_right.then_some(()).ok_or_else(|| corrupt("snappy: wrong checksum"))
}

fn bad_block() -> io::Error {
    corrupt("snappy: corrupt block")
}

/// CRC-32C, turned and moved as the format wants it: a checksum of bytes that hold checksums is
/// worth little.
fn masked_checksum(plain: &[u8]) -> u32 {
    crc32c::crc32c(plain).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Appends one chunk, compressed if that saves at least an eighth, as Go's snappy does.
fn append_chunk(encoder: &mut raw::Encoder, plain: &[u8], output: &mut Vec<u8>) {
    let header = output.len();
    let payload = header + HEADER_LENGTH + CHECKSUM_LENGTH;
    output.resize(payload + raw::max_compress_len(plain.len()), 0);
    let (head, block) = output.split_at_mut(payload);
    let worthwhile = plain.len() - plain.len() / 8;
    let block_length = encoder.compress(plain, block).ok().filter(|length| *length < worthwhile);
    let length = block_length.unwrap_or(plain.len());
    if block_length.is_none() {
        block[..length].copy_from_slice(plain);
    }
    let kind = if block_length.is_some() { COMPRESSED_TYPE } else { STORED_TYPE };
    let chunk_length = (CHECKSUM_LENGTH + length) as u32;
    head[header..][..HEADER_LENGTH].copy_from_slice(&(chunk_length << 8).to_le_bytes());
    head[header] = kind;
    head[header + HEADER_LENGTH..].copy_from_slice(&masked_checksum(plain).to_le_bytes());
    output.truncate(payload + length);
}
