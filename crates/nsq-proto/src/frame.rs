//! From answers and messages to bytes.
//!
//! ```text
//! size: u32 big endian    4 + length of the data
//! type: u32 big endian    0 response, 1 error, 2 message
//! data
//! ```
//!
//! The data of a message:
//!
//! ```text
//! timestamp: i64 big endian    nanoseconds since 1970, when the message was accepted
//! attempts:  u16 big endian    1 at the first delivery
//! id:        16 bytes
//! body
//! ```
//!
//! Every function appends to a buffer that grows, `BytesMut` or `Vec<u8>`.

use bytes::BufMut;

use crate::{Bodies, Guid, ProtocolError};

/// The whole frame of the response `OK`.
pub const OK: &[u8] = b"\0\0\0\x06\0\0\0\0OK";
/// The whole frame of a heartbeat.
pub const HEARTBEAT: &[u8] = b"\0\0\0\x0f\0\0\0\0_heartbeat_";
/// The whole frame of the response to CLS.
pub const CLOSE_WAIT: &[u8] = b"\0\0\0\x0e\0\0\0\0CLOSE_WAIT";

/// Bytes of a message frame in front of the body.
pub const MESSAGE_HEADER_LENGTH: usize = 34;
/// Bytes in front of the data that its size counts: the type.
pub(crate) const TYPE_LENGTH: usize = 4;

pub(crate) const RESPONSE: u32 = 0;
pub(crate) const ERROR: u32 = 1;
pub(crate) const MESSAGE: u32 = 2;

/// Length in bytes of the frame of a message with a body of this length.
pub const fn message_frame_size(body_length: usize) -> usize {
    MESSAGE_HEADER_LENGTH + body_length
}

/// Appends a response, which is shorter than 4 GiB.
pub fn response(out: &mut impl BufMut, data: &[u8]) {
    header(out, RESPONSE, data.len());
    out.put_slice(data);
}

/// Appends an error.
pub fn error(out: &mut impl BufMut, error: &ProtocolError) {
    let (code, description) = (error.code().as_str(), error.description());
    let space: &[u8] = if description.is_empty() { b"" } else { b" " };
    header(out, ERROR, code.len() + space.len() + description.len());
    out.put_slice(code.as_bytes());
    out.put_slice(space);
    out.put_slice(description);
}

/// Appends a message, whose body is shorter than 2 GiB.
#[inline]
pub fn message(out: &mut impl BufMut, guid: Guid, timestamp_ns: i64, attempts: u16, body: &[u8]) {
    let mut header = message_header(timestamp_ns, attempts);
    put_message(out, &mut header, guid, body);
}

/// Appends all messages of a block, `(size: u32 big endian, body)` each, that were accepted at one
/// time and have consecutive guids from `first` on. Returns how many there were.
pub fn messages(
    out: &mut impl BufMut,
    first: Guid,
    timestamp_ns: i64,
    attempts: u16,
    block: &[u8],
) -> u64 {
    let mut header = message_header(timestamp_ns, attempts);
    let mut count = 0;
    for body in Bodies::new(block) {
        put_message(out, &mut header, first.advance(count), body);
        count += 1;
    }
    count
}

fn header(out: &mut impl BufMut, frame_type: u32, data_length: usize) {
    out.put_u32((TYPE_LENGTH + data_length) as u32);
    out.put_u32(frame_type);
}

type MessageHeader = [u8; MESSAGE_HEADER_LENGTH];

/// The header of a message, size and id left out.
#[inline]
fn message_header(timestamp_ns: i64, attempts: u16) -> MessageHeader {
    let mut header = [0; MESSAGE_HEADER_LENGTH];
    header[4..8].copy_from_slice(&MESSAGE.to_be_bytes());
    header[8..16].copy_from_slice(&timestamp_ns.to_be_bytes());
    header[16..18].copy_from_slice(&attempts.to_be_bytes());
    header
}

#[inline]
fn put_message(out: &mut impl BufMut, header: &mut MessageHeader, guid: Guid, body: &[u8]) {
    let size = (MESSAGE_HEADER_LENGTH - 4 + body.len()) as u32;
    header[..4].copy_from_slice(&size.to_be_bytes());
    header[18..].copy_from_slice(&guid.message_id().0);
    out.put_slice(header);
    out.put_slice(body);
}
