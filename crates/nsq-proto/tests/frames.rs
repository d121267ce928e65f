//! Frames byte by byte, as the real daemon sends them.

use nsq_proto::{
    DecodedFrame, ErrorCode, Frame, FrameDecoder, FrameError, MessageId, ProtocolError, frame,
};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

#[test]
fn responses() {
    let ok = bytes("00000006 00000000 4f4b");
    assert_eq!(frame::OK, ok);
    assert_eq!(encoded(|out| frame::response(out, b"OK")), ok);
    let heartbeat = bytes("0000000f 00000000 5f6865617274626561745f");
    assert_eq!(frame::HEARTBEAT, heartbeat);
    assert_eq!(encoded(|out| frame::response(out, b"_heartbeat_")), heartbeat);
    let close_wait = bytes("0000000e 00000000 434c4f53455f57414954");
    assert_eq!(frame::CLOSE_WAIT, close_wait);
    assert_eq!(encoded(|out| frame::response(out, b"CLOSE_WAIT")), close_wait);
}

#[test]
fn errors() {
    let bad_protocol = encoded(|out| frame::error(out, &ProtocolError::bad_protocol()));
    assert_eq!(bad_protocol, bytes("00000012 00000001 455f4241445f50524f544f434f4c"));
    let error = ProtocolError::new(ErrorCode::Invalid, "AUTH already set");
    let frame = encoded(|out| frame::error(out, &error));
    assert_eq!(frame[..8], bytes("0000001e 00000001"));
    assert_eq!(frame[8..], *b"E_INVALID AUTH already set");
}

const MESSAGE: &str = "0000001f 00000002 18ea72897c96bbe8 0001 \
                       31386134613665353565363639303030 61";

#[test]
fn message() {
    let guid = MessageId(*b"18a4a6e55e669000").guid().unwrap();
    let expected = bytes(MESSAGE);
    let one = encoded(|out| frame::message(out, guid, 0x18ea_7289_7c96_bbe8, 1, b"a"));
    assert_eq!(one, expected);
    let mut out = bytes::BytesMut::new();
    frame::message(&mut out, guid, 0x18ea_7289_7c96_bbe8, 1, b"a");
    assert_eq!(out, expected);
    assert_eq!(frame::message_frame_size(1), expected.len());
}

#[test]
fn messages_in_a_row_have_consecutive_ids() {
    // The last sequence number of a unit of time: the second message is in the next unit.
    let first = MessageId(*b"18a4a6e55e669fff").guid().unwrap();
    let block = b"\0\0\0\x01a\0\0\0\x02bc\0\0\0\x01d";
    let expected = encoded(|out| {
        for (offset, body) in [&b"a"[..], b"bc", b"d"].into_iter().enumerate() {
            frame::message(out, first.advance(offset as u64), 7, 65535, body);
        }
    });
    let mut out = Vec::new();
    assert_eq!(frame::messages(&mut out, first, 7, 65535, block), 3);
    assert_eq!(out, expected);
}

#[test]
fn decoding() {
    let decoder = FrameDecoder::new(100);
    let check = |hex: &str, expected| assert_eq!(decoder.next(&bytes(hex)), expected, "{hex}");
    let frame = |frame, used| Ok(DecodedFrame::Frame { frame, used });
    check("00000006 00000000 4f4b ff", frame(Frame::Response(b"OK"), 10));
    check("00000004 00000000", frame(Frame::Response(b""), 8));
    check("00000005 00000001 45", frame(Frame::Error(b"E"), 9));
    check("", Ok(DecodedFrame::Incomplete { at_least: 4 }));
    check("000000", Ok(DecodedFrame::Incomplete { at_least: 4 }));
    check("00000064 00", Ok(DecodedFrame::Incomplete { at_least: 104 }));
    check("00000065", Err(FrameError::InvalidSize(101)));
    check("00000003", Err(FrameError::InvalidSize(3)));
    check("ffffffff", Err(FrameError::InvalidSize(-1)));
    check("00000004 00000003", Err(FrameError::UnknownType(3)));
    check("00000005 00000002 00", Err(FrameError::ShortMessage(5)));
    let message = bytes(MESSAGE);
    let Ok(DecodedFrame::Frame { frame: Frame::Message(message), used: 35 }) =
        decoder.next(&message)
    else {
        panic!("not a message");
    };
    assert_eq!(message.timestamp_ns, 0x18ea_7289_7c96_bbe8);
    assert_eq!(message.attempts, 1);
    assert_eq!(message.id, MessageId(*b"18a4a6e55e669000"));
    assert_eq!(message.body, b"a");
}
