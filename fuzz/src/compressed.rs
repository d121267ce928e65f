//! What comes over a compressed connection.

use std::io::{self, Read};

use bytes::BytesMut;
use nsq_net::{Codec, Decoded};

/// What is decoded at a time.
const LIMIT: usize = 16 * 1024;
/// Decoding ends here: a bomb would only take time.
const PLAIN_BYTES_MAX: usize = 256 << 10;
/// Other lengths of pieces than one, which finds most.
const PIECE_LENGTH: usize = 7;

/// Snappy's framing format: decoding depends on no cuts and agrees with the crate snap wherever
/// that accepts the input; what is encoded is decoded.
pub fn snappy_input(data: &[u8]) -> bool {
    let outcome = decode_in_all_ways(Codec::snappy, data);
    let mut theirs = Vec::new();
    if read_within_bound(snap::read::FrameDecoder::new(data), &mut theirs).is_ok() {
        assert!(outcome.is_accepted());
        assert!(outcome.plain == theirs);
    }
    let mut wire = Vec::new();
    encode(&mut Codec::snappy(), data, &mut wire);
    assert!(decode(Codec::snappy(), [&wire[..]], LIMIT).plain == within_bound(data));
    let mut theirs = Vec::new();
    snap::read::FrameDecoder::new(&wire[..]).read_to_end(&mut theirs).expect("our own stream");
    assert!(theirs == data);
    outcome.is_accepted()
}

/// Deflate: the same, with flate2's reader as the other one.
pub fn deflate_input(data: &[u8]) -> bool {
    let level = (data.len() % 9 + 1) as u8;
    let codec = || Codec::deflate(level);
    let outcome = decode_in_all_ways(codec, data);
    let mut theirs = Vec::new();
    if read_within_bound(flate2::read::DeflateDecoder::new(data), &mut theirs).is_ok() {
        assert!(outcome.is_accepted());
        assert!(outcome.plain == theirs);
    }
    let mut wire = Vec::new();
    encode(&mut codec(), data, &mut wire);
    assert!(decode(codec(), [&wire[..]], LIMIT).plain == within_bound(data));
    outcome.is_accepted()
}

/// How decoding went.
#[derive(PartialEq, Eq)]
struct Outcome {
    plain: Vec<u8>,
    /// `None` at the bound.
    end: Option<Result<Decoded, String>>,
}

impl Outcome {
    fn is_accepted(&self) -> bool {
        !matches!(self.end, Some(Err(_)))
    }
}

/// Whole, byte by byte with the least limit, and in other pieces.
fn decode_in_all_ways(codec: impl Fn() -> Codec, data: &[u8]) -> Outcome {
    let whole = decode(codec(), [data], LIMIT);
    assert!(decode(codec(), data.chunks(1), LIMIT) == whole);
    assert!(decode(codec(), data.chunks(PIECE_LENGTH), LIMIT / 3) == whole);
    assert!(whole.plain.len() > LIMIT || decode(codec(), data.chunks(2), 1) == whole);
    whole
}

fn decode<'a>(
    mut codec: Codec,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> Outcome {
    let mut plain = Vec::new();
    let mut end = Ok(Decoded::NeedsInput);
    let mut input = BytesMut::new();
    let mut output = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            let input_length = input.len();
            end = codec.decode(&mut input, &mut output, limit).map_err(|error| error.to_string());
            assert!(input.len() <= input_length);
            assert!(output.len() < limit + Codec::CHUNK_BYTES_MAX);
            plain.extend_from_slice(&output);
            if plain.len() >= PLAIN_BYTES_MAX {
                plain.truncate(PLAIN_BYTES_MAX);
                return Outcome { plain, end: None };
            }
            if end != Ok(Decoded::More) {
                break;
            }
            assert!(!output.is_empty(), "no progress");
            output.clear();
        }
        output.clear();
        if end != Ok(Decoded::NeedsInput) {
            break;
        }
    }
    // What is kept of a chunk that is not there yet.
    assert!(end != Ok(Decoded::NeedsInput) || input.len() < 76_490 + 8);
    Outcome { plain, end: Some(end) }
}

/// In two writes, and one of nothing.
fn encode(codec: &mut Codec, data: &[u8], wire: &mut Vec<u8>) {
    let (start, rest) = data.split_at(data.len() / 3);
    for plain in [start, &[], rest] {
        codec.encode(plain, wire);
    }
}

fn read_within_bound(reader: impl Read, plain: &mut Vec<u8>) -> io::Result<usize> {
    reader.take(PLAIN_BYTES_MAX as u64).read_to_end(plain)
}

fn within_bound(data: &[u8]) -> &[u8] {
    &data[..data.len().min(PLAIN_BYTES_MAX)]
}
