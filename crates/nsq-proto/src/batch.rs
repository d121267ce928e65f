//! Messages in a row: `(size: u32 big endian, body) × count`.

use crate::{ErrorCode, Limits, ProtocolError};

/// Bytes of a size in front of a body.
pub(crate) const SIZE_LENGTH: usize = 4;

/// The bodies of a block of messages, in order. Ends early where the block is cut.
#[derive(Clone, Debug)]
pub struct Bodies<'a> {
    rest: &'a [u8],
}

impl<'a> Bodies<'a> {
    /// Walks `block`.
    pub const fn new(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    /// What has not been walked yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Bodies<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let (size, rest) = self.rest.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(u32::from_be_bytes(*size) as usize)?;
        self.rest = rest;
        Some(body)
    }
}

/// How far the messages of an MPUB have been checked. Kept between calls, so that a long batch that
/// arrives in many pieces is checked once.
#[derive(Debug, Default)]
pub(crate) struct BatchScan {
    /// Messages that are wholly there.
    checked: u32,
    /// Bytes they take.
    length: usize,
}

/// What a look at the messages of an MPUB showed. Lengths are counted from the first message.
pub(crate) enum Scanned {
    /// All are there and take `length` bytes.
    Complete { length: usize },
    /// The size of message `index` is not there yet; it ends at `end`.
    SizeMissing { index: u32, end: usize },
    /// A body is not wholly there yet; it ends at `end`.
    BodyMissing { end: usize },
}

impl BatchScan {
    /// Checks the messages in `block`, which starts as in earlier calls and may be longer.
    pub(crate) fn advance(
        &mut self,
        block: &[u8],
        count: u32,
        limits: &Limits,
    ) -> Result<Scanned, ProtocolError> {
        while self.checked < count {
            let Some(size) = size_at(block, self.length) else {
                let end = self.length + SIZE_LENGTH;
                return Ok(Scanned::SizeMissing { index: self.checked, end });
            };
            let end = self.length + SIZE_LENGTH + self.checked_size(size, limits)?;
            // The reference does not bound the sum; here a declared size that lies cannot make
            // the daemon hold more than it has promised to hold.
            let total = (SIZE_LENGTH + end) as u64;
            if total > limits.max_body_size {
                return Err(too_big("MPUB body too big", total, limits.max_body_size));
            }
            if end > block.len() {
                return Ok(Scanned::BodyMissing { end });
            }
            self.checked += 1;
            self.length = end;
        }
        Ok(Scanned::Complete { length: self.length })
    }

    fn checked_size(&self, size: i32, limits: &Limits) -> Result<usize, ProtocolError> {
        match u32::try_from(size) {
            Err(_) | Ok(0) => Err(ProtocolError::formatted(
                ErrorCode::BadMessage,
                format_args!("MPUB invalid message({}) body size {size}", self.checked),
            )),
            Ok(size) if u64::from(size) > limits.max_msg_size => Err(ProtocolError::formatted(
                ErrorCode::BadMessage,
                format_args!("MPUB message too big {size} > {}", limits.max_msg_size),
            )),
            Ok(size) => Ok(size as usize),
        }
    }
}

/// The size at `offset`, signed as nsqd reads it. Nothing if it is not wholly there.
#[inline]
pub(crate) fn size_at(input: &[u8], offset: usize) -> Option<i32> {
    input.get(offset..)?.first_chunk().map(|size| i32::from_be_bytes(*size))
}

/// `E_BAD_BODY <what> <size> > <limit>`
pub(crate) fn too_big(what: &str, size: u64, limit: u64) -> ProtocolError {
    ProtocolError::formatted(ErrorCode::BadBody, format_args!("{what} {size} > {limit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_the_block_is_cut() {
        let block = b"\0\0\0\x01a\0\0\0\x02bc";
        assert_eq!(Bodies::new(block).collect::<Vec<_>>(), [&b"a"[..], b"bc"]);
        let mut cut = Bodies::new(&block[..10]);
        assert_eq!(cut.by_ref().collect::<Vec<_>>(), [b"a"]);
        assert_eq!(cut.rest(), b"\0\0\0\x02b");
        assert_eq!(Bodies::new(b"\xff\xff\xff\xffa").count(), 0);
    }
}
