//! Laws for any text, any cuts and any bytes.

use nsq_net::{Codec, Decoded};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::peer::{
    Outcome, cut, decode, decode_whole, encode, flate_decode, flate_encode, snap_decode,
    snap_encode,
};

/// A text that can be compressed, or cannot, or is longer than a chunk.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let repeated = |word: Vec<u8>, times: usize| word.repeat(times);
    prop_oneof![
        4 => vec(any::<u8>(), 0..100),
        4 => (vec(any::<u8>(), 1..20), 0..200_usize).prop_map(move |(w, n)| repeated(w, n)),
        1 => vec(any::<u8>(), 3000..5000),
        1 => (vec(any::<u8>(), 700..1000), 70..300_usize).prop_map(move |(w, n)| repeated(w, n)),
        1 => vec(any::<u8>(), 65_535..=65_538),
    ]
}

/// A codec, by its number.
fn codec(number: u8) -> Codec {
    if number == 0 { Codec::snappy() } else { Codec::deflate(number) }
}

/// Somebody else's stream of these writes.
fn foreign_stream(number: u8, writes: &[Vec<u8>]) -> Vec<u8> {
    let writes = writes.iter().map(Vec::as_slice);
    if number == 0 { snap_encode(writes) } else { flate_encode(number, writes) }
}

/// Something that begins like a stream.
fn near_streams(number: u8) -> BoxedStrategy<Vec<u8>> {
    if number > 0 {
        let valid = vec(texts(), 1..3).prop_map(move |writes| foreign_stream(number, &writes));
        return prop_oneof![1 => vec(any::<u8>(), 0..400), 2 => valid].boxed();
    }
    let chunk = prop_oneof![
        // No text is no stream, not even the identifier.
        2 => texts().prop_map(|text| foreign_stream(0, &[text]).into_iter().skip(10).collect()),
        1 => (0x80..=0xfe_u8, vec(any::<u8>(), 0..300)).prop_map(|(kind, body)| {
            [&[kind][..], &(body.len() as u32).to_le_bytes()[..3], &body].concat()
        }),
        1 => Just(b"\xff\x06\0\0sNaPpY".to_vec()),
        1 => vec(any::<u8>(), 0..30),
    ];
    let chunks = vec(chunk, 0..6).prop_map(|chunks| chunks.concat());
    chunks.prop_map(|chunks| [b"\xff\x06\0\0sNaPpY", &chunks[..]].concat()).boxed()
}

fn numbered_near_streams() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (0..=9_u8).prop_flat_map(|number| (Just(number), near_streams(number)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn others_decode_what_we_encode(number in 0..=9_u8, writes in vec(texts(), 1..4)) {
        let wire = encode(&mut codec(number), writes.iter().map(Vec::as_slice));
        let text = writes.concat();
        if text.is_empty() {
            prop_assert_eq!(wire, b"");
        } else if number == 0 {
            prop_assert_eq!(snap_decode(&wire).unwrap(), text);
        } else {
            prop_assert_eq!(flate_decode(&wire).unwrap(), text);
        }
    }

    #[test]
    fn we_decode_what_others_encode(
        number in 0..=9_u8,
        writes in vec(texts(), 1..4),
        places in vec(any::<usize>(), 0..20),
        limit in 1..100_000_usize,
    ) {
        let wire = foreign_stream(number, &writes);
        let outcome = decode(&mut codec(number), cut(&wire, &places), limit);
        let end = Ok(Decoded::NeedsInput);
        prop_assert_eq!(outcome, Outcome { plain: writes.concat(), end });
    }

    #[test]
    fn every_write_can_be_decoded_at_once(number in 0..=9_u8, writes in vec(texts(), 1..6)) {
        let (mut here, mut there) = (codec(number), codec(number));
        for text in writes {
            let wire = encode(&mut here, [&text[..]]);
            let end = Ok(Decoded::NeedsInput);
            prop_assert_eq!(decode_whole(&mut there, &wire), Outcome { plain: text, end });
        }
    }

    #[test]
    fn encoding_adds_little(number in 0..=9_u8, text in texts()) {
        let wire = encode(&mut codec(number), [&text[..]]);
        // Snappy: the identifier and a header for each chunk. Deflate: a header for each stored
        // block and the marker; level 1 never stores, and nine bits are its worst byte.
        let most = match number {
            0 => 10 + 8 * text.len().div_ceil(Codec::CHUNK_BYTES_MAX),
            1 => text.len() / 8 + 16,
            _ => 5 * (text.len() / 8_000 + 1) + 16,
        };
        prop_assert!(wire.len() <= text.len() + most, "{} > {}", wire.len(), text.len() + most);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_however_they_are_cut(
        (number, mut wire) in numbered_near_streams(),
        flips in vec((any::<usize>(), any::<u8>()), 0..4),
        places in vec(any::<usize>(), 0..30),
        limit in 1..100_000_usize,
    ) {
        for (place, mask) in flips {
            if let Some(length) = std::num::NonZero::new(wire.len()) {
                wire[place % length] ^= mask;
            }
        }
        let whole = decode_whole(&mut codec(number), &wire);
        prop_assert_eq!(&decode(&mut codec(number), cut(&wire, &places), limit), &whole);
        let theirs = if number == 0 { snap_decode(&wire) } else { flate_decode(&wire) };
        if let Ok(plain) = theirs {
            prop_assert!(whole.plain == plain && whole.end.is_ok());
        }
    }
}
