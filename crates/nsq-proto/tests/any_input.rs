//! Laws of the decoders for input nobody chose.

mod script;

use nsq_proto::{
    Admission, ClientState, Decoded, DecodedFrame, Decoder, Frame, FrameDecoder, IdentifyRequest,
    Limits, quote,
};
use proptest::collection::vec;
use proptest::prelude::*;
use script::{SMALL, run};

fn admissions() -> impl Strategy<Value = Admission> {
    let states = prop_oneof![
        Just(ClientState::Init),
        Just(ClientState::Subscribed),
        Just(ClientState::Closing)
    ];
    let (mostly, rarely) = (prop::bool::weighted(0.9), prop::bool::weighted(0.05));
    (states, mostly, rarely, any::<bool>()).prop_map(
        |(state, heartbeats, tls_required_unmet, announces_batches)| Admission {
            state,
            heartbeats,
            tls_required_unmet,
            announces_batches,
        },
    )
}

fn sized(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_be_bytes()[..], body].concat()
}

fn with_line(line: &str, rest: &[u8]) -> Vec<u8> {
    [line.as_bytes(), b"\n", rest].concat()
}

fn batch((topic, bodies, declared): (&str, Vec<Vec<u8>>, u32)) -> Vec<u8> {
    let mut rest = declared.to_be_bytes().to_vec();
    rest.extend((bodies.len() as u32).to_be_bytes());
    rest.extend(bodies.iter().flat_map(|body| sized(body)));
    with_line(&format!("MPUB {topic}"), &rest)
}

/// A command that is well formed or nearly so.
fn commands() -> impl Strategy<Value = Vec<u8>> {
    let topics = prop_oneof![
        9 => Just("a"),
        9 => Just("bb"),
        9 => Just("c#ephemeral"),
        1 => Just("no!"),
    ];
    let body = vec(any::<u8>(), 1..22);
    prop_oneof![
        4 => (topics.clone(), body.clone())
            .prop_map(|(topic, body)| with_line(&format!("PUB {topic}"), &sized(&body))),
        2 => (topics.clone(), vec(body.clone(), 1..4), 1..54u32).prop_map(batch),
        1 => (topics.clone(), body.clone(), 0..3_700_000u64).prop_map(|(topic, body, delay)| {
            with_line(&format!("DPUB {topic} {delay}"), &sized(&body))
        }),
        1 => body.clone().prop_map(|body| with_line("IDENTIFY", &sized(&body))),
        1 => topics.prop_map(|topic| format!("SUB {topic} c\n").into_bytes()),
        2 => vec(any::<u8>(), 16).prop_map(|id| [b"FIN ", &id[..], b"\n"].concat()),
        1 => vec(b'0'..=b'f', 16).prop_map(|id| [b"REQ ", &id[..], b" 5\r\n"].concat()),
        1 => any::<u16>().prop_map(|count| format!("RDY {count}\n").into_bytes()),
        1 => Just(b"NOP\n".to_vec()),
        1 => body,
    ]
}

proptest! {
    #[test]
    fn cutting_the_input_changes_nothing(
        admission in admissions(),
        commands in vec(commands(), 1..12),
        cut_places in vec(any::<prop::sample::Index>(), 0..20),
        heed_hints: bool,
    ) {
        let input = commands.concat();
        let mut cuts: Vec<usize> =
            cut_places.iter().map(|place| place.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let whole = run(SMALL, admission, &input, [], false);
        prop_assert_eq!(&run(SMALL, admission, &input, cuts, heed_hints), &whole);
        prop_assert_eq!(&run(SMALL, admission, &input, 0..input.len(), heed_hints), &whole);
    }

    #[test]
    fn arbitrary_bytes_are_decoded_or_refused(
        admission in admissions(),
        input in vec(any::<u8>(), 0..400),
    ) {
        run(Limits::default(), admission, &input, 0..input.len(), true);
        // A bad byte becomes four characters, a character of four bytes ten.
        prop_assert!(quote(&input).len() <= 2 + 4 * input.len());
        if let Ok(request) = IdentifyRequest::parse(&input) {
            prop_assert_eq!(request, IdentifyRequest::default());
        }
        if let Ok(DecodedFrame::Frame { used, .. }) = FrameDecoder::new(300).next(&input) {
            prop_assert!(used <= input.len());
        }
    }

    #[test]
    fn what_is_asked_for_is_bounded(
        size in any::<u32>().prop_map(|size| size >> 8),
        count in any::<u32>().prop_map(|count| count >> 12),
        first in any::<u32>().prop_map(|first| first >> 11),
    ) {
        // The worst that a hostile header can ask for is one body within the limits.
        let limits = Limits::default();
        let mut input = b"MPUB x\n".to_vec();
        for number in [size, count, first] {
            input.extend(number.to_be_bytes());
        }
        for input in [&input[..11], &input[..15], &input[..]] {
            let mut decoder = Decoder::new(limits);
            let decoded = decoder.next(input, &Admission::default());
            if let Ok(Decoded::Incomplete { at_least }) = decoded {
                prop_assert!(at_least as u64 <= 7 + 4 + limits.max_body_size);
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        number: u64,
        timestamp_ns: i64,
        attempts: u16,
        body in vec(any::<u8>(), 0..300),
    ) {
        let guid = nsq_proto::Guid::from_number(number);
        let mut out = Vec::new();
        nsq_proto::frame::message(&mut out, guid, timestamp_ns, attempts, &body);
        prop_assert_eq!(out.len(), nsq_proto::frame::message_frame_size(body.len()));
        let decoder = FrameDecoder::new(1000);
        for end in 0..out.len() {
            let cut = decoder.next(&out[..end]);
            let is_incomplete = matches!(cut, Ok(DecodedFrame::Incomplete { .. }));
            prop_assert!(is_incomplete);
        }
        let Ok(DecodedFrame::Frame { frame: Frame::Message(message), used }) =
            decoder.next(&out)
        else {
            return Err(TestCaseError::fail("not a message"));
        };
        prop_assert_eq!(used, out.len());
        prop_assert_eq!(message.id.guid(), Some(guid));
        prop_assert_eq!((message.timestamp_ns, message.attempts), (timestamp_ns, attempts));
        prop_assert_eq!(message.body, body);
    }
}
