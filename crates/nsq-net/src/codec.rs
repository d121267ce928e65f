//! Compression of one connection's bytes, in both directions.

mod deflate;
mod snappy;

use std::io;

use bytes::BytesMut;

use self::deflate::Deflate;
use self::snappy::Snappy;

/// Compresses what goes out and decompresses what comes in. Moves no bytes by itself.
///
/// Only connections that negotiated compression have one. Snappy keeps a few bytes and borrows
/// 32 kB of the heap while it encodes; deflate keeps 48 kB of the heap as long as the connection
/// lasts, and 380 kB more, whatever its level, between a write and [`Codec::release`].
///
/// ```
/// use bytes::BytesMut;
/// use nsq_net::{Codec, Decoded};
///
/// let mut wire = Vec::new();
/// Codec::snappy().encode(b"NOP\n", &mut wire);
///
/// let mut input = BytesMut::from(&wire[..]);
/// let mut plain = BytesMut::new();
/// let decoded = Codec::snappy().decode(&mut input, &mut plain, 16 * 1024)?;
/// assert_eq!((decoded, &plain[..]), (Decoded::NeedsInput, &b"NOP\n"[..]));
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Codec(Format);

#[derive(Debug)]
enum Format {
    Snappy(Snappy),
    Deflate(Box<Deflate>),
}

/// Why [`Codec::decode`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The limit was reached: call again before reading more.
    More,
    /// All that can be decoded was decoded. What is left of the input is less than a chunk.
    NeedsInput,
    /// The peer ended its compressed stream; what is left of the input does not belong to it.
    End,
}

impl Codec {
    /// Longest plain text of one snappy chunk, and so by how much decoding may exceed its limit.
    pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

    /// Gives memory back that is only needed for what is written: nothing was for a while.
    pub fn release(&mut self) {
        match &mut self.0 {
            Format::Snappy(_) => {}
            Format::Deflate(deflate) => deflate.release(),
        }
    }

    /// Snappy's framing format.
    pub fn snappy() -> Self {
        Self(Format::Snappy(Snappy::default()))
    }

    /// Deflate (RFC 1951) without header and trailer. A level outside 1 to 9 means the nearest one.
    pub fn deflate(level: u8) -> Self {
        Self(Format::Deflate(Box::new(Deflate::new(level))))
    }

    /// Decodes from the front of `input`, removes what it used, and appends the plain text to
    /// `output` until that has grown by `limit` bytes (at least one). With snappy it may be
    /// [`Codec::CHUNK_BYTES_MAX`] bytes more.
    ///
    /// What was appended before an error is good; after it the codec is of no further use.
    pub fn decode(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
        limit: usize,
    ) -> io::Result<Decoded> {
        let limit = limit.max(1);
        match &mut self.0 {
            Format::Snappy(snappy) => snappy.decode(input, output, limit),
            Format::Deflate(deflate) => deflate.decode(input, output, limit),
        }
    }

    /// Appends the encoding of `plain` to `output`, flushed: the peer can decode all of it.
    pub fn encode(&mut self, plain: &[u8], output: &mut Vec<u8>) {
        if plain.is_empty() {
            return;
        }
        match &mut self.0 {
            Format::Snappy(snappy) => snappy.encode(plain, output),
            Format::Deflate(deflate) => deflate.encode(plain, output),
        }
    }
}

/// The error for what no encoder writes.
fn corrupt(description: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, description)
}
