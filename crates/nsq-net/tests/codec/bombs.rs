//! Input that is small and would become large, or would be kept for nothing.

use bytes::BytesMut;
use flate2::{Compress, Compression, FlushCompress, Status};
use nsq_net::{Codec, Decoded};

use crate::peer::{LIMIT, snap_encode};

/// So many zeros, deflated.
fn deflated_zeros(size: u64) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let zeros = vec![0; 1 << 20];
    let mut wire = Vec::new();
    loop {
        let rest = size - compress.total_in();
        let zeros = &zeros[..rest.min(zeros.len() as u64) as usize];
        let flush = if zeros.is_empty() { FlushCompress::Finish } else { FlushCompress::None };
        wire.reserve(64 << 10);
        if compress.compress_vec(zeros, &mut wire, flush).unwrap() == Status::StreamEnd {
            return wire;
        }
    }
}

#[test]
fn a_gigabyte_of_zeros_is_decoded_within_the_limit() {
    const SIZE: u64 = 1 << 30;
    const STEP: usize = 1 << 20;
    let mut input = BytesMut::from(&deflated_zeros(SIZE)[..]);
    assert!(input.len() < 2 << 20, "{} bytes", input.len());
    let mut codec = Codec::deflate(6);
    let mut output = BytesMut::new();
    let mut total = 0;
    loop {
        let decoded = codec.decode(&mut input, &mut output, STEP).unwrap();
        assert!(output.len() <= STEP && output.capacity() <= 2 * STEP);
        assert!(output.iter().all(|byte| *byte == 0));
        total += output.len() as u64;
        output.clear();
        if decoded == Decoded::End {
            break;
        }
        assert_eq!(decoded, Decoded::More);
    }
    assert_eq!(total, SIZE);
}

#[test]
fn snappy_zeros_are_decoded_within_the_limit_and_a_chunk() {
    const SIZE: usize = 64 << 20;
    let mut input = BytesMut::from(&snap_encode([&vec![0; SIZE][..]])[..]);
    let mut codec = Codec::snappy();
    let mut total = 0;
    while !input.is_empty() {
        let mut output = BytesMut::new();
        codec.decode(&mut input, &mut output, LIMIT).unwrap();
        assert!(output.len() < LIMIT + Codec::CHUNK_BYTES_MAX);
        total += output.len();
    }
    assert_eq!(total, SIZE);
}

#[test]
fn a_skippable_chunk_is_never_kept() {
    const LENGTH: usize = (1 << 24) - 1;
    let mut codec = Codec::snappy();
    let mut output = BytesMut::new();
    let mut input = BytesMut::from(&b"\xff\x06\0\0sNaPpY\xfe\xff\xff\xff"[..]);
    let mut rest = LENGTH;
    while rest > 0 {
        let piece = rest.min(10);
        input.extend_from_slice(&b"0123456789"[..piece]);
        rest -= piece;
        let decoded = codec.decode(&mut input, &mut output, LIMIT).unwrap();
        assert_eq!((decoded, input.len(), output.len()), (Decoded::NeedsInput, 0, 0));
    }
    input.extend_from_slice(b"\x01\x0e\0\0\x26\x98\x2b\xcf\0\0\0\x06\0\0\0\0OK");
    assert_eq!(codec.decode(&mut input, &mut output, LIMIT).unwrap(), Decoded::NeedsInput);
    assert_eq!(&output[..], b"\0\0\0\x06\0\0\0\0OK");
}

#[test]
fn what_says_nothing_is_read_without_output() {
    // A megabyte of empty blocks, and of empty chunks.
    let mut input = BytesMut::from(&[0, 0, 0, 0xff, 0xff].repeat(200_000)[..]);
    let mut output = BytesMut::new();
    let decoded = Codec::deflate(6).decode(&mut input, &mut output, LIMIT).unwrap();
    assert_eq!((decoded, input.len(), output.len()), (Decoded::NeedsInput, 0, 0));

    let chunks = b"\xfe\0\0\0\x01\x04\0\0\xd8\xea\x82\xa2".repeat(80_000);
    let mut input = BytesMut::from(&[b"\xff\x06\0\0sNaPpY", &chunks[..]].concat()[..]);
    let decoded = Codec::snappy().decode(&mut input, &mut output, LIMIT).unwrap();
    assert_eq!((decoded, input.len(), output.len()), (Decoded::NeedsInput, 0, 0));
}

#[test]
fn a_limit_of_nothing_is_one_byte() {
    for mut codec in [Codec::snappy(), Codec::deflate(1)] {
        let mut wire = Vec::new();
        codec.encode(b"abc", &mut wire);
        let mut input = BytesMut::from(&wire[..]);
        let mut output = BytesMut::new();
        while codec.decode(&mut input, &mut output, 0).unwrap() == Decoded::More {}
        assert_eq!((&output[..], input.len()), (&b"abc"[..], 0));
    }
}
