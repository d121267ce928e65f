//! From bytes to frames: the client's side.

use thiserror::Error;

use crate::MessageId;
use crate::frame::{ERROR, MESSAGE, MESSAGE_HEADER_LENGTH, RESPONSE, TYPE_LENGTH};

/// Bytes of the size at the start of a frame, which it does not count.
const SIZE_LENGTH: usize = 4;

/// Decodes what a daemon sends.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    max_size: u32,
}

/// What lies at the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodedFrame<'a> {
    /// A frame, which takes the first `used` bytes.
    Frame {
        /// The frame.
        frame: Frame<'a>,
        /// Its length in the input.
        used: usize,
    },
    /// Only a part of a frame, or nothing.
    Incomplete {
        /// How many bytes, counted from the start of the same input, must be there before another
        /// call can tell more.
        at_least: usize,
    },
}

/// A frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `OK`, `_heartbeat_`, `CLOSE_WAIT` or JSON.
    Response(&'a [u8]),
    /// An error code, mostly followed by a space and a description.
    Error(&'a [u8]),
    /// A message.
    Message(MessageFrame<'a>),
}

/// A message as it is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageFrame<'a> {
    /// When the daemon accepted it, in nanoseconds since 1970.
    pub timestamp_ns: i64,
    /// Which delivery this is, the first being 1. Wraps around after 65535.
    pub attempts: u16,
    /// Its id.
    pub id: MessageId,
    /// Its body.
    pub body: &'a [u8],
}

/// Why something is no frame. The connection cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The size is negative, has no room for the type, or exceeds the limit.
    #[error("invalid frame size {0}")]
    InvalidSize(i32),
    /// The type is none of the three.
    #[error("unknown frame type {0}")]
    UnknownType(u32),
    /// A message frame has no room for timestamp, attempts and id.
    #[error("message frame of size {0} is too short")]
    ShortMessage(u32),
}

impl FrameDecoder {
    /// A decoder that accepts frames up to this size in bytes, as their size field counts.
    pub const fn new(max_size: u32) -> Self {
        Self { max_size }
    }

    /// Decodes the frame at the start of `input`.
    pub fn next<'a>(&self, input: &'a [u8]) -> Result<DecodedFrame<'a>, FrameError> {
        let Some((size, rest)) = input.split_first_chunk() else {
            return Ok(DecodedFrame::Incomplete { at_least: SIZE_LENGTH });
        };
        let signed_size = i32::from_be_bytes(*size);
        let size = u32::try_from(signed_size)
            .ok()
            .filter(|&size| size as usize >= TYPE_LENGTH && size <= self.max_size)
            .ok_or(FrameError::InvalidSize(signed_size))?;
        let used = SIZE_LENGTH + size as usize;
        let Some(content) = rest.get(..size as usize) else {
            return Ok(DecodedFrame::Incomplete { at_least: used });
        };
        Ok(DecodedFrame::Frame { frame: frame(content, size)?, used })
    }
}

fn frame(content: &[u8], size: u32) -> Result<Frame<'_>, FrameError> {
    let (frame_type, data) =
        content.split_first_chunk().ok_or(FrameError::InvalidSize(size as i32))?;
    match u32::from_be_bytes(*frame_type) {
        RESPONSE => Ok(Frame::Response(data)),
        ERROR => Ok(Frame::Error(data)),
        MESSAGE => message(data).map(Frame::Message).ok_or(FrameError::ShortMessage(size)),
        unknown => Err(FrameError::UnknownType(unknown)),
    }
}

fn message(data: &[u8]) -> Option<MessageFrame<'_>> {
    const _: () = assert!(SIZE_LENGTH + TYPE_LENGTH + 8 + 2 + 16 == MESSAGE_HEADER_LENGTH);
    let (timestamp, data) = data.split_first_chunk()?;
    let (attempts, data) = data.split_first_chunk()?;
    let (id, body) = data.split_first_chunk()?;
    Some(MessageFrame {
        timestamp_ns: i64::from_be_bytes(*timestamp),
        attempts: u16::from_be_bytes(*attempts),
        id: MessageId(*id),
        body,
    })
}
