//! Bytes that nsqd 1.3.0 sent, and their plain text.

use bytes::BytesMut;
use nsq_net::{Codec, Decoded};

use crate::peer::{cut, decode, decode_whole, flate_decode, snap_decode};

const OK: &[u8] = b"\0\0\0\x06\0\0\0\0OK";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.bytes().filter(|byte| *byte != b' ').collect();
    let digits = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// `wire` is the plain text, whole, and byte by byte.
fn check(codec: impl Fn() -> Codec, wire: &[u8], expected: &[u8]) {
    let pieces = cut(wire, &(0..wire.len()).collect::<Vec<_>>());
    for outcome in [decode_whole(&mut codec(), wire), decode(&mut codec(), pieces, 1)] {
        assert_eq!(outcome.plain, expected);
        assert_eq!(outcome.end, Ok(Decoded::NeedsInput));
    }
}

#[test]
fn snappy() {
    let first = bytes("ff060000734e61507059 010e0000 26982bcf 0000000600000000 4f4b");
    check(Codec::snappy, &first, OK);
    let second = bytes("010e0000 26982bcf 0000000600000000 4f4b");
    check(Codec::snappy, &[&first[..], &second].concat(), &[OK, OK].concat());

    let message = bytes(
        "00370000 3535f8fc ea0190 000000e60000000218ea71651c7da7c1000131386134613235336464653639303030 414141fe0200fe0200fe02000502",
    );
    let plain = bytes("000000e60000000218ea71651c7da7c1000131386134613235336464653639303030");
    let plain = [&plain[..], &[b'A'; 200]].concat();
    check(Codec::snappy, &[&first[..], &message].concat(), &[OK, &plain].concat());
}

#[test]
fn our_snappy_is_the_same() {
    let mut codec = Codec::snappy();
    let mut wire = Vec::new();
    codec.encode(OK, &mut wire);
    codec.encode(OK, &mut wire);
    let expected = "ff060000734e61507059 010e0000 26982bcf 0000000600000000 4f4b
        010e0000 26982bcf 0000000600000000 4f4b";
    assert_eq!(wire, bytes(&expected.replace('\n', "")));
    assert_eq!(snap_decode(&wire).unwrap(), [OK, OK].concat());
}

#[test]
fn deflate() {
    let first = bytes("000a00f5ff 0000000600000000 4f4b 000000ffff");
    let empty = bytes("000000ffff");
    let message = bytes(
        "002700d8ff 00000023 00000002 18ea7164e6995d79 0001 31386134613235333036363639303030 68656c6c6f 000000ffff",
    );
    let plain = bytes(
        "00000023 00000002 18ea7164e6995d79 0001 31386134613235333036363639303030 68656c6c6f",
    );
    let deflate = || Codec::deflate(6);
    check(deflate, &first, OK);
    check(deflate, &empty, b"");
    check(deflate, &[&first[..], &empty].concat(), OK);
    check(deflate, &[&first[..], &empty, &message, &empty].concat(), &[OK, &plain].concat());
}

#[test]
fn our_deflate_ends_with_one_marker_and_no_more() {
    for level in 1..=9 {
        let mut codec = Codec::deflate(level);
        let mut wire = Vec::new();
        codec.encode(OK, &mut wire);
        assert!(wire.ends_with(&[0, 0, 0xff, 0xff]), "{wire:x?}");
        assert!(wire.len() <= 20, "{wire:x?}");
        let before = wire.len();
        codec.encode(b"", &mut wire);
        assert_eq!(wire.len(), before);
        assert_eq!(flate_decode(&wire).unwrap(), OK);
    }
}

#[test]
fn a_codec_that_was_released_goes_on_where_it_was() {
    for codec in [Codec::snappy, || Codec::deflate(1), || Codec::deflate(9)] {
        let (mut codec, mut wire) = (codec(), Vec::new());
        let plain = b"the same words again and again and again and again and again".as_slice();
        for _ in 0..3 {
            codec.encode(plain, &mut wire);
            codec.release();
        }
        let (mut input, mut found) = (BytesMut::from(&wire[..]), BytesMut::new());
        assert_eq!(codec.decode(&mut input, &mut found, 1 << 20).ok(), Some(Decoded::NeedsInput));
        assert_eq!(found, plain.repeat(3));
    }
}

#[test]
fn nothing_is_encoded_as_nothing() {
    let mut wire = Vec::new();
    Codec::snappy().encode(b"", &mut wire);
    Codec::deflate(6).encode(b"", &mut wire);
    assert_eq!(wire, b"");
}

#[test]
fn a_level_that_does_not_exist_is_the_nearest() {
    for (asked, meant) in [(0, 1), (10, 9), (255, 9)] {
        let text = b"PUB orders\n".repeat(100);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        Codec::deflate(asked).encode(&text, &mut wire);
        Codec::deflate(meant).encode(&text, &mut expected);
        assert_eq!(wire, expected);
    }
}

/// The stream identifier, and what follows.
fn identified(chunks: &str) -> Vec<u8> {
    bytes(&format!("ff060000734e61507059 {chunks}"))
}

#[test]
fn snappy_that_is_refused() {
    let missing = "snappy: the stream identifier is missing";
    let length = "snappy: wrong chunk length";
    let identifier = "snappy: wrong stream identifier";
    for (wire, expected) in [
        (bytes("010e0000"), missing),
        (bytes("fe000000"), missing),
        (b"PUB x\n".to_vec(), missing),
        (bytes("ff050000"), identifier),
        (bytes("ffffffff"), identifier),
        (bytes("ff060000734e61507058"), identifier),
        (identified("ff060000 734e61507058"), identifier),
        // Chunks are judged before they are there.
        (identified("02000000"), "snappy: unknown chunk type"),
        (identified("7fffffff"), "snappy: unknown chunk type"),
        (identified("00030000"), length),
        (identified("01000000"), length),
        (identified("00cf2a01"), length),
        (identified("01050001"), length),
        (identified("00ce2a01 00000000 8180040000"), "snappy: chunk too long"),
        (identified("00ce2a01 00000000 ffffffff0f"), "snappy: chunk too long"),
        (identified("000a0000 00000000 808080808000"), "snappy: corrupt block"),
        (identified("00040000 00000000"), "snappy: corrupt block"),
        (identified("00050000 00000000 05"), "snappy: corrupt block"),
        (identified("00070000 00000000 05 0161"), "snappy: corrupt block"),
        (identified("010e0000 26982bce 0000000600000000 4f4b"), "snappy: wrong checksum"),
        (identified("00050000 00000000 00"), "snappy: wrong checksum"),
    ] {
        let outcome = decode_whole(&mut Codec::snappy(), &wire);
        assert_eq!(outcome.end, Err(expected.to_owned()), "{wire:x?}");
        assert_eq!(outcome.plain, b"", "{wire:x?}");
    }
}

#[test]
fn snappy_that_is_waited_for() {
    for wire in [
        bytes("ff"),
        bytes("ff0600"),
        bytes("ff060000734e615070"),
        identified("00"),
        identified("00ce2a01"),
        identified("00ce2a01 00000000 80800400"),
        identified("01040001"),
        identified("01040001 00000000 00"),
        identified("fe"),
        identified("feffffff"),
    ] {
        let outcome = decode_whole(&mut Codec::snappy(), &wire);
        assert_eq!(outcome, decode(&mut Codec::snappy(), [], 1), "{wire:x?}");
    }
}

#[test]
fn snappy_with_chunks_that_say_nothing() {
    let ok = "010e0000 26982bcf 0000000600000000 4f4b";
    let identifier = "ff060000734e61507059";
    for chunk in [identifier, "80000000", "fe030000 616263", "fd010000 00", "01040000 d8ea82a2"] {
        let wire = identified(&format!("{chunk} {ok} {chunk} {chunk} {ok}"));
        check(Codec::snappy, &wire, &[OK, OK].concat());
    }
    check(Codec::snappy, &identified("00050000 d8ea82a2 00"), b"");
}

#[test]
fn deflate_that_is_refused() {
    // A block of no type, a wrong length, a distance before the start; gzip's header and zlib's.
    for wire in ["07", "000a00f5fe", "020200", "1f8b08", "789c4b4c0600"] {
        let outcome = decode_whole(&mut Codec::deflate(6), &bytes(wire));
        assert_eq!(outcome.end, Err("deflate: corrupt input".to_owned()), "{wire}");
        assert_eq!(outcome.plain, b"", "{wire}");
    }
}

#[test]
fn deflate_that_ends() {
    // The final block, and bytes behind it that are nobody's.
    let wire = bytes("010200fdff 4f4b 6162");
    let mut input = bytes::BytesMut::from(&wire[..]);
    let mut output = bytes::BytesMut::new();
    let mut codec = Codec::deflate(6);
    for _ in 0..3 {
        assert_eq!(codec.decode(&mut input, &mut output, 16).unwrap(), Decoded::End);
        assert_eq!((&output[..], &input[..]), (&b"OK"[..], &b"ab"[..]));
    }
}
