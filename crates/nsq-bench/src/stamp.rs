//! `Stamp`: the mark in a message body that tells who published it and as which message.

/// Bytes of a stamp at the start of a body: u64 run, u64 publisher and number.
pub(crate) const STAMP_BYTES: usize = 16;
/// The lower bits of the second word hold the number, the upper ones the publisher.
const NUMBER_BITS: u32 = 44;

/// Identity of one published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Tells this run's messages from leftovers of another.
    pub(crate) run: u64,
    /// Which publisher connection, from 0.
    pub(crate) publisher: usize,
    /// Which message of that publisher, from 0.
    pub(crate) number: u64,
}

impl Stamp {
    /// Writes the stamp into the first [`STAMP_BYTES`] of `body`, which must be that long.
    pub(crate) fn write(self, body: &mut [u8]) {
        let second = ((self.publisher as u64) << NUMBER_BITS) | self.number;
        body[..8].copy_from_slice(&self.run.to_be_bytes());
        body[8..STAMP_BYTES].copy_from_slice(&second.to_be_bytes());
    }

    /// Reads the stamp of a body; `None` when the body is too short to have one.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let (run, rest) = body.split_first_chunk::<8>()?;
        let (second, _) = rest.split_first_chunk::<8>()?;
        let second = u64::from_be_bytes(*second);
        Some(Self {
            run: u64::from_be_bytes(*run),
            publisher: usize::try_from(second >> NUMBER_BITS).ok()?,
            number: second & ((1 << NUMBER_BITS) - 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_the_body() {
        let stamp = Stamp { run: u64::MAX, publisher: 1_000_000, number: 123_456 };
        let mut body = [0; 40];
        stamp.write(&mut body);
        assert_eq!(Stamp::read(&body), Some(stamp));
        assert_eq!(Stamp::read(&body[..15]), None);
    }
}
