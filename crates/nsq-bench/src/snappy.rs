//! Snappy's framing format, both ways.
//!
//! ```text
//! stream: identifier chunk, then chunks
//! chunk:  | u8 kind | u24 length, little endian | data |
//! data of kinds 0 (compressed) and 1 (stored): | u32 masked CRC-32C, little endian | payload |
//! ```
//!
//! The checksum is that of the payload before compression, which is 65536 bytes at most. No chunk
//! refers to another, so that chunks encoded once can be written again and again.

use std::ops::Range;

use snap::raw::{Decoder, Encoder, max_compress_len};

/// First chunk of every stream.
pub(crate) const IDENTIFIER: &[u8] = b"\xff\x06\x00\x00sNaPpY";
/// Payload of a chunk before compression, at most.
const MAX_PAYLOAD_BYTES: usize = 1 << 16;
/// Data of a chunk, at most: what snappy can make of a payload, with 10 bytes to spare.
const MAX_DATA_BYTES: usize = 76_500;
const HEAD_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 4;

const KIND_COMPRESSED: u8 = 0x00;
const KIND_STORED: u8 = 0x01;
const KIND_IDENTIFIER: u8 = 0xff;

/// Bytes that are no snappy stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedSnappy {
    #[error("the snappy stream does not begin with its identifier")]
    Identifier,
    #[error("snappy chunk of kind {0:#04x}")]
    Kind(u8),
    #[error("snappy chunk of {0} bytes")]
    Length(usize),
    #[error("snappy chunk that cannot be decompressed: {0}")]
    Payload(#[from] snap::Error),
    #[error("snappy chunk with a wrong checksum")]
    Checksum,
}

/// Appends `bytes` to `stream` as chunks.
pub(crate) fn encode(encoder: &mut Encoder, bytes: &[u8], stream: &mut Vec<u8>) {
    for payload in bytes.chunks(MAX_PAYLOAD_BYTES) {
        let start = stream.len();
        let data = start + HEAD_BYTES + CHECKSUM_BYTES;
        stream.resize(data + max_compress_len(payload.len()), 0);
        let compressed = encoder
            .compress(payload, &mut stream[data..])
            .expect("the buffer has the size that snappy asks for");
        stream.truncate(data + compressed);
        // Like the libraries of NSQ's clients: what saves less than an eighth is stored.
        let is_stored = compressed >= payload.len() - payload.len() / 8;
        if is_stored {
            stream.truncate(data);
            stream.extend_from_slice(payload);
        }
        let length = u32::try_from(stream.len() - start - HEAD_BYTES)
            .expect("a chunk is not much longer than 65536 bytes");
        let [low, middle, high, _] = length.to_le_bytes();
        let kind = if is_stored { KIND_STORED } else { KIND_COMPRESSED };
        stream[start..start + HEAD_BYTES].copy_from_slice(&[kind, low, middle, high]);
        stream[start + HEAD_BYTES..data].copy_from_slice(&checksum(payload).to_le_bytes());
    }
}

/// Reads a stream that comes in pieces.
pub(crate) struct SnappyReader {
    decoder: Decoder,
    has_identifier: bool,
    /// The chunk that is given out at the moment, and what is left of it.
    payload: Vec<u8>,
    left: Range<usize>,
}

impl SnappyReader {
    /// Starts before the identifier.
    pub(crate) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            has_identifier: false,
            payload: vec![0; MAX_PAYLOAD_BYTES],
            left: 0..0,
        }
    }

    /// Decodes until `output` is full or `input` has no whole chunk any more.
    ///
    /// Returns the bytes used of `input` and the bytes written to `output`.
    pub(crate) fn read(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(usize, usize), MalformedSnappy> {
        let (mut used, mut written) = (0, 0);
        loop {
            let room = &mut output[written..];
            let count = room.len().min(self.left.len());
            let start = self.left.start;
            room[..count].copy_from_slice(&self.payload[start..start + count]);
            self.left.start += count;
            written += count;
            if written == output.len() {
                return Ok((used, written));
            }
            match self.take_chunk(&input[used..])? {
                0 => return Ok((used, written)),
                count => used += count,
            }
        }
    }

    /// Decodes the chunk at the start of `input`; returns its length, 0 when it is not whole.
    fn take_chunk(&mut self, input: &[u8]) -> Result<usize, MalformedSnappy> {
        let Some(([kind, length @ ..], rest)) = input.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(0);
        };
        let [low, middle, high] = *length;
        let length = u32::from_le_bytes([low, middle, high, 0]) as usize;
        if length > MAX_DATA_BYTES {
            return Err(MalformedSnappy::Length(length));
        }
        let Some(data) = rest.get(..length) else { return Ok(0) };
        if !self.has_identifier && *kind != KIND_IDENTIFIER {
            return Err(MalformedSnappy::Identifier);
        }
        match *kind {
            KIND_IDENTIFIER if data == &IDENTIFIER[HEAD_BYTES..] => self.has_identifier = true,
            KIND_IDENTIFIER => return Err(MalformedSnappy::Identifier),
            KIND_COMPRESSED | KIND_STORED => self.take_payload(*kind, data)?,
            // Padding, and what the format says is to be skipped.
            0x80.. => {}
            kind => return Err(MalformedSnappy::Kind(kind)),
        }
        Ok(HEAD_BYTES + length)
    }

    fn take_payload(&mut self, kind: u8, data: &[u8]) -> Result<(), MalformedSnappy> {
        let wrong_length = || MalformedSnappy::Length(data.len());
        let (expected, coded) =
            data.split_first_chunk::<CHECKSUM_BYTES>().ok_or_else(wrong_length)?;
        let length = if kind == KIND_STORED {
            let payload = self.payload.get_mut(..coded.len()).ok_or_else(wrong_length)?;
            payload.copy_from_slice(coded);
            coded.len()
        } else {
            self.decoder.decompress(coded, &mut self.payload)?
        };
        if checksum(&self.payload[..length]) != u32::from_le_bytes(*expected) {
            return Err(MalformedSnappy::Checksum);
        }
        self.left = 0..length;
        Ok(())
    }
}

/// The format stores checksums turned by 15 bits, plus a constant.
fn checksum(payload: &[u8]) -> u32 {
    crc32c::crc32c(payload).rotate_right(15).wrapping_add(0xa282_ead8)
}
