//! `Packer` and `Unpacker`: compression of one direction of a connection.
//!
//! Deflate has a history: what is written may refer to what was written before. Commands that are
//! packed once and written again and again must not, and neither may what is written between them,
//! because the packer does not know what went out without it. Such a packer forgets its history
//! after every write (`Z_FULL_FLUSH`): each write ends on a byte and means the same wherever in the
//! stream it stands.

use std::io;

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress};
use snap::raw::Encoder;

use crate::snappy::{self, SnappyReader};

/// What compresses the bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Snappy,
    /// With a level from 1 to 9.
    Deflate(u8),
}

/// Compresses what is sent.
pub(crate) enum Packer {
    Snappy(Box<Encoder>),
    Deflate { level: u8, state: Box<Compress>, flush: FlushCompress },
}

impl Packer {
    /// The start of a stream.
    pub(crate) fn new(compression: Compression) -> Self {
        match compression {
            Compression::Snappy => Self::Snappy(Box::new(Encoder::new())),
            Compression::Deflate(level) => {
                let flush = FlushCompress::Sync;
                Self::Deflate { level, state: Box::new(raw_deflate(level)), flush }
            }
        }
    }

    /// What has to be written before anything else.
    pub(crate) fn preamble(&self) -> &'static [u8] {
        match self {
            Self::Snappy(_) => snappy::IDENTIFIER,
            Self::Deflate { .. } => b"",
        }
    }

    /// From now on every write means the same wherever in the stream it stands.
    pub(crate) fn forget_history(&mut self) {
        if let Self::Deflate { level, state, flush } = self {
            **state = raw_deflate(*level);
            *flush = FlushCompress::Full;
        }
    }

    /// Appends `bytes` to `packed`, flushed, so that the other side can read all of it.
    pub(crate) fn pack(&mut self, bytes: &[u8], packed: &mut Vec<u8>) {
        match self {
            Self::Snappy(encoder) => snappy::encode(encoder, bytes, packed),
            Self::Deflate { state, flush, .. } => deflate(state, bytes, packed, *flush),
        }
    }
}

/// Decompresses what is received.
pub(crate) enum Unpacker {
    Snappy(Box<SnappyReader>),
    Deflate(Box<Decompress>),
}

impl Unpacker {
    /// The start of a stream.
    pub(crate) fn new(compression: Compression) -> Self {
        match compression {
            Compression::Snappy => Self::Snappy(Box::new(SnappyReader::new())),
            Compression::Deflate(_) => Self::Deflate(Box::new(Decompress::new(false))),
        }
    }

    /// Decompresses until `output` is full or `input` gives no more.
    ///
    /// Returns the bytes used of `input` and the bytes written to `output`.
    pub(crate) fn unpack(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        match self {
            Self::Snappy(reader) => {
                reader.read(input, output).map_err(|error| malformed(error.to_string()))
            }
            Self::Deflate(state) => {
                inflate(state, input, output).map_err(|error| malformed(error.to_string()))
            }
        }
    }
}

fn raw_deflate(level: u8) -> Compress {
    Compress::new(flate2::Compression::new(u32::from(level)), false)
}

fn deflate(state: &mut Compress, bytes: &[u8], packed: &mut Vec<u8>, flush: FlushCompress) {
    let mut rest = bytes;
    loop {
        packed.reserve(rest.len() / 2 + 64);
        let before = state.total_in();
        state
            .compress_vec(rest, packed, flush)
            .expect("a stream that is never finished takes bytes at any time");
        rest = &rest[moved(before, state.total_in())..];
        // Room that was not needed says that the flush is complete.
        if rest.is_empty() && packed.len() < packed.capacity() {
            return;
        }
    }
}

fn inflate(
    state: &mut Decompress,
    input: &[u8],
    output: &mut [u8],
) -> Result<(usize, usize), flate2::DecompressError> {
    let (mut used, mut written) = (0, 0);
    while written < output.len() {
        let before = (state.total_in(), state.total_out());
        state.decompress(&input[used..], &mut output[written..], FlushDecompress::None)?;
        let (taken, given) =
            (moved(before.0, state.total_in()), moved(before.1, state.total_out()));
        if taken == 0 && given == 0 {
            break;
        }
        used += taken;
        written += given;
    }
    Ok((used, written))
}

fn moved(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("a call moves no more than its buffers hold")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OK: &[u8] = b"\x00\x00\x00\x06\x00\x00\x00\x00OK";

    /// The first bytes of the original nsqd.
    const IDENTIFIER_AND_STORED_OK: &[u8] = b"\xff\x06\x00\x00sNaPpY\x01\x0e\x00\x00\
        &\x98+\xcf\x00\x00\x00\x06\x00\x00\x00\x00OK";

    fn compressions() -> impl Iterator<Item = Compression> {
        (1..=9).map(Compression::Deflate).chain([Compression::Snappy])
    }

    /// Unpacks a stream that comes in pieces, with `room` bytes for each step.
    fn unpacked(compression: Compression, stream: &[u8], piece: usize, room: usize) -> Vec<u8> {
        let mut unpacker = Unpacker::new(compression);
        let (mut bytes, mut waiting) = (Vec::new(), Vec::new());
        let mut output = vec![0; room];
        for piece in stream.chunks(piece) {
            waiting.extend_from_slice(piece);
            loop {
                let (used, written) = unpacker.unpack(&waiting, &mut output).unwrap();
                waiting.drain(..used);
                bytes.extend_from_slice(&output[..written]);
                if written < room {
                    break;
                }
            }
        }
        assert_eq!(waiting, b"", "{compression:?}");
        bytes
    }

    fn check_golden(compression: Compression, stream: &[u8]) {
        for piece in 1..=stream.len() {
            assert_eq!(unpacked(compression, stream, piece, 7), OK, "pieces of {piece}");
        }
    }

    #[test]
    fn what_the_original_nsqd_sends_first_is_read() {
        check_golden(
            Compression::Deflate(6),
            b"\x00\x0a\x00\xf5\xff\x00\x00\x00\x06\x00\x00\x00\x00OK\x00\x00\x00\xff\xff\
              \x00\x00\x00\xff\xff",
        );
    }

    #[test]
    fn stored_chunks_hold_bytes_as_they_are() {
        let mut stream = IDENTIFIER_AND_STORED_OK.to_vec();
        check_golden(Compression::Snappy, &stream);
        let mut packed = snappy::IDENTIFIER.to_vec();
        Packer::new(Compression::Snappy).pack(OK, &mut packed);
        assert_eq!(packed, stream);

        *stream.last_mut().unwrap() = b'k';
        let mut unpacker = Unpacker::new(Compression::Snappy);
        let error = unpacker.unpack(&stream, &mut [0; 99]).unwrap_err();
        assert_eq!(error.to_string(), "snappy chunk with a wrong checksum");
    }

    #[test]
    fn what_is_no_snappy_stream_is_refused() {
        let identified = |rest: &[u8]| [snappy::IDENTIFIER, rest].concat();
        let cases = [
            (b"\x00\x01\x00\x00x".to_vec(), "the snappy stream does not begin with its identifier"),
            (b"\xff\x01\x00\x00x".to_vec(), "the snappy stream does not begin with its identifier"),
            (identified(b"\x02\x00\x00\x00"), "snappy chunk of kind 0x02"),
            (identified(b"\x00\x03\x00\x00abc"), "snappy chunk of 3 bytes"),
            (identified(b"\x00\xff\xff\xff"), "snappy chunk of 16777215 bytes"),
        ];
        for (stream, expected) in cases {
            let mut unpacker = Unpacker::new(Compression::Snappy);
            let error = unpacker.unpack(&stream, &mut [0; 99]).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_packed_can_be_unpacked(
            writes in prop::collection::vec((0u8..4, 1usize..200_000), 1..5),
            piece in 1usize..100_000,
            room in 1usize..100_000,
        ) {
            for compression in compressions() {
                let mut packer = Packer::new(compression);
                let mut stream = packer.preamble().to_vec();
                let mut expected = Vec::new();
                for (kind, length) in &writes {
                    let bytes: Vec<u8> = (0..*length)
                        .map(|index| ((index * index) >> (kind * 3)).to_le_bytes()[0])
                        .collect();
                    packer.pack(&bytes, &mut stream);
                    expected.extend(bytes);
                }
                prop_assert!(unpacked(compression, &stream, piece, room) == expected);
            }
        }

        #[test]
        fn writes_without_history_can_be_repeated_in_any_order(
            lengths in prop::collection::vec(1usize..50_000, 1..5),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        ) {
            for compression in compressions() {
                let mut packer = Packer::new(compression);
                packer.forget_history();
                let writes: Vec<Vec<u8>> = lengths
                    .iter()
                    .map(|length| {
                        b"PUB topic\nabcdefghij".iter().copied().cycle().take(*length).collect()
                    })
                    .collect();
                let packed: Vec<Vec<u8>> = writes
                    .iter()
                    .map(|bytes| {
                        let mut packed = Vec::new();
                        packer.pack(bytes, &mut packed);
                        packed
                    })
                    .collect();
                let mut stream = packer.preamble().to_vec();
                let mut expected = Vec::new();
                for index in &order {
                    let index = index.index(writes.len());
                    stream.extend_from_slice(&packed[index]);
                    expected.extend_from_slice(&writes[index]);
                }
                prop_assert!(unpacked(compression, &stream, 4096, 8192) == expected);
            }
        }
    }
}
