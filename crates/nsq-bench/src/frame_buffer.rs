//! `FrameBuffer`: received bytes and the frames in them.
//!
//! ```text
//! | u32 size = 4 + data | u32 kind: 0 response, 1 error, 2 message | data |
//! message data: | i64 timestamp ns | u16 attempts | 16 byte id | body |
//! ```
//!
//! Over HTTP the frames are answers: a response when the status is 200, else an error.
//!
//! The buffer is read into in large blocks; frames are looked at where they lie. Only the part of
//! a frame that a read cut off is ever moved.

use crate::finish_block::ID_BYTES;
use crate::http_head::{BodyEnd, HttpHead, MAX_HEAD_BYTES};
use crate::transport::Transport;

/// Largest frame believed; nsqd's default message limit is 1 MiB.
pub(crate) const MAX_FRAME_BYTES: usize = 64 << 20;

/// The empty line behind the head of an HTTP answer.
const HEAD_END: &[u8] = b"\r\n\r\n";
const PREFIX_BYTES: usize = 4;
const KIND_BYTES: usize = 4;
/// Timestamp, attempts and id in front of a body.
const MESSAGE_HEAD_BYTES: usize = 8 + 2 + ID_BYTES;

/// One frame of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Response(&'a [u8]),
    Error(&'a [u8]),
    Message { attempts: u16, id: &'a [u8; ID_BYTES], body: &'a [u8] },
}

/// Bytes that cannot be frames; the connection is of no more use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedFrame {
    #[error("frame size {0} is outside of 4 to {MAX_FRAME_BYTES}")]
    Size(u32),
    #[error("unknown frame kind {0}")]
    Kind(u32),
    #[error("message frame of {0} bytes has no room for its id")]
    Message(usize),
    #[error("not the head of an HTTP answer: {0}")]
    HttpHead(String),
    #[error("an HTTP answer of unknown length, or longer than {MAX_FRAME_BYTES} bytes")]
    HttpLength,
}

/// A receive buffer that hands out whole frames.
pub(crate) struct FrameBuffer {
    transport: Transport,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes the frame at `start` needs, when it did not lie whole in the buffer.
    wanted: usize,
}

impl FrameBuffer {
    /// Makes a buffer of `capacity` bytes; a frame that does not fit makes it grow.
    pub(crate) fn new(transport: Transport, capacity: usize) -> Self {
        Self { transport, bytes: vec![0; capacity.max(64)], start: 0, end: 0, wanted: 0 }
    }

    /// Room for the next read, never empty once all whole frames were taken.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.wanted > self.bytes.len() {
            self.bytes.resize(self.wanted, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Says that `count` bytes were read into [`space`](Self::space).
    pub(crate) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Takes what is behind the frames taken so far: bytes of a layer that begins there.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.bytes[self.start..self.end].to_vec();
        (self.start, self.end, self.wanted) = (0, 0, 0);
        rest
    }

    /// Takes the next whole frame, or `None` when more bytes must be read first.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, MalformedFrame> {
        match self.transport {
            Transport::Tcp => self.next_v2_frame(),
            Transport::Http => self.next_answer(),
        }
    }

    fn next_v2_frame(&mut self) -> Result<Option<Frame<'_>>, MalformedFrame> {
        let waiting = &self.bytes[self.start..self.end];
        let Some((prefix, rest)) = waiting.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(None);
        };
        let declared = u32::from_be_bytes(*prefix);
        let size = declared as usize;
        if !(KIND_BYTES..=MAX_FRAME_BYTES).contains(&size) {
            return Err(MalformedFrame::Size(declared));
        }
        let Some(frame) = rest.get(..size) else {
            self.wanted = PREFIX_BYTES + size;
            return Ok(None);
        };
        self.start += PREFIX_BYTES + size;
        parse_frame(frame).map(Some)
    }

    fn next_answer(&mut self) -> Result<Option<Frame<'_>>, MalformedFrame> {
        let waiting = &self.bytes[self.start..self.end];
        let head = waiting.get(..MAX_HEAD_BYTES).unwrap_or(waiting);
        let Some(head_bytes) = head.windows(HEAD_END.len()).position(|four| four == HEAD_END)
        else {
            if head.len() == MAX_HEAD_BYTES {
                return Err(MalformedFrame::HttpHead("too long".to_owned()));
            }
            self.wanted = MAX_HEAD_BYTES;
            return Ok(None);
        };
        let (head, rest) = waiting.split_at(head_bytes + HEAD_END.len());
        let parsed =
            HttpHead::parse(head).map_err(|error| MalformedFrame::HttpHead(error.to_string()))?;
        // Answers to publishing are `OK` or a line of JSON: daemons know their length.
        let BodyEnd::Length(length) = parsed.body_end else {
            return Err(MalformedFrame::HttpLength);
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_FRAME_BYTES)
            .ok_or(MalformedFrame::HttpLength)?;
        let Some(body) = rest.get(..length) else {
            self.wanted = head.len() + length;
            return Ok(None);
        };
        self.start += head.len() + length;
        Ok(Some(if parsed.status == 200 { Frame::Response(body) } else { Frame::Error(body) }))
    }
}

fn parse_frame(frame: &[u8]) -> Result<Frame<'_>, MalformedFrame> {
    let too_short = || MalformedFrame::Message(frame.len());
    let (kind, data) = frame.split_first_chunk::<KIND_BYTES>().ok_or_else(too_short)?;
    match u32::from_be_bytes(*kind) {
        0 => Ok(Frame::Response(data)),
        1 => Ok(Frame::Error(data)),
        2 => {
            let (head, body) =
                data.split_first_chunk::<MESSAGE_HEAD_BYTES>().ok_or_else(too_short)?;
            let [_, _, _, _, _, _, _, _, attempts_high, attempts_low, id @ ..] = head;
            let attempts = u16::from_be_bytes([*attempts_high, *attempts_low]);
            Ok(Frame::Message { attempts, id, body })
        }
        kind => Err(MalformedFrame::Kind(kind)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OK: &[u8] = b"\x00\x00\x00\x06\x00\x00\x00\x00OK";
    const HEARTBEAT: &[u8] = b"\x00\x00\x00\x0f\x00\x00\x00\x00_heartbeat_";
    const BAD_PROTOCOL: &[u8] = b"\x00\x00\x00\x12\x00\x00\x00\x01E_BAD_PROTOCOL";
    const MESSAGE: &[u8] = b"\x00\x00\x00\x1f\x00\x00\x00\x02\x18\xea\x72\x89\x7c\x96\xbb\xe8\
                             \x00\x0118a4a6e55e669000a";

    /// Feeds `stream` in pieces of the given lengths (repeated) and prints every frame.
    fn frames_of(stream: &[u8], pieces: &[usize], capacity: usize) -> Vec<String> {
        read_frames(FrameBuffer::new(Transport::Tcp, capacity), stream, pieces)
    }

    fn read_frames(mut buffer: FrameBuffer, stream: &[u8], pieces: &[usize]) -> Vec<String> {
        let mut frames = Vec::new();
        let mut rest = stream;
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let space = buffer.space();
            let count = (*piece).min(rest.len()).min(space.len());
            let (now, later) = rest.split_at(count);
            space[..count].copy_from_slice(now);
            rest = later;
            buffer.filled(count);
            while let Some(frame) = buffer.next_frame().unwrap() {
                frames.push(format!("{frame:?}"));
            }
        }
        frames
    }

    #[test]
    fn golden_frames_are_read() {
        let stream = [OK, HEARTBEAT, BAD_PROTOCOL, MESSAGE].concat();
        let expected = [
            Frame::Response(b"OK"),
            Frame::Response(b"_heartbeat_"),
            Frame::Error(b"E_BAD_PROTOCOL"),
            Frame::Message { attempts: 1, id: b"18a4a6e55e669000", body: b"a" },
        ];
        let expected: Vec<String> = expected.iter().map(|frame| format!("{frame:?}")).collect();
        assert_eq!(frames_of(&stream, &[stream.len()], 4096), expected);
        for piece in 1..stream.len() {
            assert_eq!(frames_of(&stream, &[piece], 4096), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn http_answers_are_frames() {
        let stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Length: 2\r\n\r\nOK\
            HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 25\r\n\r\n\
            {\"message\":\"MSG_TOO_BIG\"}HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let expected = [
            Frame::Response(b"OK"),
            Frame::Error(b"{\"message\":\"MSG_TOO_BIG\"}"),
            Frame::Response(b""),
        ];
        let expected: Vec<String> = expected.iter().map(|frame| format!("{frame:?}")).collect();
        for piece in [1, 2, 7, 100, stream.len()] {
            let buffer = FrameBuffer::new(Transport::Http, 64);
            assert_eq!(read_frames(buffer, stream, &[piece]), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn http_answers_without_an_end_are_refused() {
        let endless = "x".repeat(MAX_HEAD_BYTES);
        let no_length = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let too_long = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
        for stream in [endless.as_str(), no_length, too_long, "E_INVALID\r\n\r\n"] {
            let mut buffer = FrameBuffer::new(Transport::Http, MAX_HEAD_BYTES);
            buffer.space()[..stream.len()].copy_from_slice(stream.as_bytes());
            buffer.filled(stream.len());
            assert!(buffer.next_frame().is_err(), "{stream}");
        }
    }

    #[test]
    fn what_cannot_be_a_frame_is_refused() {
        let mut short_message = vec![0, 0, 0, 29, 0, 0, 0, 2];
        short_message.extend_from_slice(&[0; 25]);
        let cases: [(&[u8], MalformedFrame); 4] = [
            (b"\x00\x00\x00\x03\x00\x00\x00", MalformedFrame::Size(3)),
            (b"\xff\xff\xff\xff", MalformedFrame::Size(u32::MAX)),
            (b"\x00\x00\x00\x04\x00\x00\x00\x03", MalformedFrame::Kind(3)),
            (&short_message, MalformedFrame::Message(29)),
        ];
        for (stream, expected) in cases {
            let mut buffer = FrameBuffer::new(Transport::Tcp, 4096);
            buffer.space()[..stream.len()].copy_from_slice(stream);
            buffer.filled(stream.len());
            assert_eq!(buffer.next_frame(), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn splits_do_not_change_the_frames(
            bodies in prop::collection::vec(0usize..600, 1..40),
            pieces in prop::collection::vec(1usize..500, 1..20),
            capacity in 0usize..700,
        ) {
            let mut stream = Vec::new();
            for (index, body) in bodies.iter().enumerate() {
                let size = u32::try_from(30 + body).unwrap();
                stream.extend_from_slice(&size.to_be_bytes());
                stream.extend_from_slice(&[0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 9]);
                stream.extend_from_slice(format!("{index:016x}").as_bytes());
                stream.resize(stream.len() + body, b'x');
                stream.extend_from_slice(OK);
            }
            let frames = frames_of(&stream, &pieces, capacity);
            prop_assert_eq!(frames.len(), bodies.len() * 2);
            prop_assert_eq!(frames, frames_of(&stream, &[stream.len()], 1 << 20));
        }

        #[test]
        fn any_bytes_end_in_frames_or_an_error(
            stream in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut buffer = FrameBuffer::new(Transport::Tcp, 512);
            buffer.space()[..stream.len()].copy_from_slice(&stream);
            buffer.filled(stream.len());
            while let Ok(Some(_)) = buffer.next_frame() {}
        }
    }
}
