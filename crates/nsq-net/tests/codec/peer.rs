//! The other end of a connection: somebody else's encoders and decoders, and ours fed in pieces.

use std::io::{self, Read, Write};

use bytes::BytesMut;
use nsq_net::{Codec, Decoded};

/// What nsqd decodes between two looks at what it got.
pub(crate) const LIMIT: usize = 16 * 1024;

/// How decoding went: the plain text, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) plain: Vec<u8>,
    pub(crate) end: Result<Decoded, String>,
}

/// Decodes what comes in `pieces`, and checks after every step that the bounds were kept.
pub(crate) fn decode<'a>(
    codec: &mut Codec,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limit: usize,
) -> Outcome {
    let mut plain = Vec::new();
    let mut end = Ok(Decoded::NeedsInput);
    let mut input = BytesMut::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        end = decode_all(codec, &mut input, limit, &mut plain).map_err(|error| error.to_string());
        if end != Ok(Decoded::NeedsInput) {
            break;
        }
    }
    Outcome { plain, end }
}

fn decode_all(
    codec: &mut Codec,
    input: &mut BytesMut,
    limit: usize,
    plain: &mut Vec<u8>,
) -> io::Result<Decoded> {
    loop {
        let mut output = BytesMut::new();
        let input_before = input.len();
        let decoded = codec.decode(input, &mut output, limit);
        plain.extend_from_slice(&output);
        assert!(output.len() < limit + Codec::CHUNK_BYTES_MAX, "{} bytes", output.len());
        match decoded? {
            Decoded::More => assert!(!output.is_empty() && input.len() <= input_before),
            ended => return Ok(ended),
        }
    }
}

/// All of `wire` at once.
pub(crate) fn decode_whole(codec: &mut Codec, wire: &[u8]) -> Outcome {
    decode(codec, [wire], LIMIT)
}

/// `wire`, cut at these places.
pub(crate) fn cut<'a>(wire: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (wire.len() + 1)).collect();
    places.extend([0, wire.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect()
}

/// What our encoder makes of these writes.
pub(crate) fn encode<'a>(codec: &mut Codec, writes: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut wire = Vec::new();
    writes.into_iter().for_each(|plain| codec.encode(plain, &mut wire));
    wire
}

/// The crate snap's view of a snappy stream.
pub(crate) fn snap_decode(wire: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    snap::read::FrameDecoder::new(wire).read_to_end(&mut plain)?;
    Ok(plain)
}

/// The crate snap's stream of these writes.
pub(crate) fn snap_encode<'a>(writes: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    for plain in writes {
        encoder.write_all(plain).expect("memory takes it");
        encoder.flush().expect("memory takes it");
    }
    encoder.into_inner().expect("memory takes it")
}

/// The crate flate2's view of a deflate stream, which has no end as long as the connection lasts.
pub(crate) fn flate_decode(wire: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    let decoded = flate2::read::DeflateDecoder::new(wire).read_to_end(&mut plain);
    match decoded {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(plain),
    }
}

/// The crate flate2's stream of these writes.
pub(crate) fn flate_encode<'a>(level: u8, writes: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let level = flate2::Compression::new(level.into());
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
    for plain in writes {
        encoder.write_all(plain).expect("memory takes it");
        encoder.flush().expect("memory takes it");
    }
    encoder.get_ref().clone()
}
