//! The number behind a message id.

use std::fmt;

/// Difference between a Unix time in units of 2^20 ns and the time part of a guid.
/// The same epoch as Go NSQ's (`nsqd/guid.go`), so that ids sort together.
const EPOCH: u64 = 1_288_834_974_288;
/// Bits of the part that counts within one unit of time.
const SEQUENCE_BITS: u32 = 12;
/// Bits of the node id.
const NODE_BITS: u32 = 10;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;
const NODE_MASK: u64 = (1 << NODE_BITS) - 1;

/// The 10-bit number of a daemon, part of every message id it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u16);

impl NodeId {
    /// How many nodes can be told apart: `--node-id` is 0 to 1023.
    pub const COUNT: u16 = 1 << NODE_BITS;

    /// A node id, or nothing when `number` is not below [`NodeId::COUNT`].
    pub const fn new(number: u16) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 1023.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// A message id as a number: `time << 22 | node id << 12 | sequence`.
///
/// Time counts units of 2^20 ns (1.048576 ms). Time and sequence together are one *counter* of 54
/// bits; consecutive messages of a topic have consecutive counters, which is what lets a `FIN` find
/// its message by subtraction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(u64);

impl Guid {
    /// The guid with this number.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The guid of `counter` (its low 54 bits) on `node`.
    pub const fn new(counter: u64, node: NodeId) -> Self {
        let time = counter >> SEQUENCE_BITS;
        Self(
            time << (SEQUENCE_BITS + NODE_BITS)
                | (node.0 as u64) << SEQUENCE_BITS
                | counter & SEQUENCE_MASK,
        )
    }

    /// The first counter of the unit of time that holds this instant (nanoseconds since 1970).
    /// Instants before NSQ's epoch (2012) count as the epoch.
    pub const fn counter_at(unix_nanos: i64) -> u64 {
        let unix_nanos = if unix_nanos < 0 { 0 } else { unix_nanos as u64 };
        (unix_nanos >> 20).saturating_sub(EPOCH) << SEQUENCE_BITS
    }

    /// The number itself.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Time and sequence as one counter.
    pub const fn counter(self) -> u64 {
        self.0 >> (SEQUENCE_BITS + NODE_BITS) << SEQUENCE_BITS | self.0 & SEQUENCE_MASK
    }

    /// The node that made this id.
    pub const fn node(self) -> NodeId {
        NodeId((self.0 >> SEQUENCE_BITS & NODE_MASK) as u16)
    }

    /// The guid `count` messages later on the same node.
    #[must_use]
    pub const fn advance(self, count: u64) -> Self {
        Self::new(self.counter().wrapping_add(count), self.node())
    }

    /// The sixteen lower-case hex digits that clients see, most significant first.
    #[inline]
    pub const fn message_id(self) -> MessageId {
        let high = hex_digits((self.0 >> 32) as u32) as u128;
        let low = hex_digits(self.0 as u32) as u128;
        MessageId((high << 64 | low).to_be_bytes())
    }
}

/// One 1 in every byte: multiplied by a byte, that byte in every byte.
const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;

/// The eight lower-case hex digits of a number, the first in the highest byte. All digits are
/// worked on at once: every message that is sent passes here.
#[inline]
const fn hex_digits(number: u32) -> u64 {
    // Spread the eight nibbles over eight bytes.
    let nibbles = number as u64;
    let nibbles = (nibbles << 16 | nibbles) & 0x0000_ffff_0000_ffff;
    let nibbles = (nibbles << 8 | nibbles) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (nibbles << 4 | nibbles) & (0x0f * EVERY_BYTE);
    // Adding 6 carries into the upper half of the byte from 10 on: those become letters.
    let letters = (nibbles + 6 * EVERY_BYTE) >> 4 & EVERY_BYTE;
    nibbles + b'0' as u64 * EVERY_BYTE + letters * (b'a' - b'9' - 1) as u64
}

/// The number that eight hex digits spell; nonsense if they are anything else.
#[inline]
const fn hex_number(digits: u64) -> u64 {
    // Letters, unlike digits, have bit 6 set; the low four bits of `a` are 1.
    let letters = digits >> 6 & EVERY_BYTE;
    let nibbles = (digits & (0x0f * EVERY_BYTE)).wrapping_add(letters * 9) & (0x0f * EVERY_BYTE);
    let bytes = (nibbles >> 4 | nibbles) & 0x00ff_00ff_00ff_00ff;
    let pairs = (bytes >> 8 | bytes) & 0x0000_ffff_0000_ffff;
    (pairs >> 16 | pairs) & 0xffff_ffff
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guid({:016x})", self.0)
    }
}

/// A message id as it travels: any sixteen bytes. Ours are the hex digits of a [`Guid`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The guid that these bytes spell, or nothing when they are not sixteen lower-case hex
    /// digits: then no message of ours has this id.
    #[inline]
    pub fn guid(&self) -> Option<Guid> {
        let digits = u128::from_be_bytes(self.0);
        let number = hex_number((digits >> 64) as u64) << 32 | hex_number(digits as u64);
        // Spelling it again is the cheapest way to find out whether it was spelt so.
        Some(Guid(number)).filter(|guid| guid.message_id() == *self)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_real_daemon() {
        // Id, time unit, node and sequence as the real daemon made them.
        let guid = MessageId(*b"18a4a4c770269001").guid().unwrap();
        let counter = (1_712_200_884_240 - EPOCH) << 12 | 1;
        assert_eq!(guid.node().number(), 617);
        assert_eq!(guid.counter(), counter);
        assert_eq!(Guid::counter_at(1_712_200_884_240 << 20), counter - 1);
        assert_eq!(Guid::new(counter, NodeId::new(617).unwrap()), guid);
        assert_eq!(guid.message_id().0, *b"18a4a4c770269001");
    }

    #[test]
    fn advancing_carries_over_the_node_bits() {
        let node = NodeId::new(1023).unwrap();
        let last = Guid::new(7 << 12 | 4095, node);
        assert_eq!(last.advance(1), Guid::new(8 << 12, node));
        assert_eq!(last.advance(1).node(), node);
    }

    #[test]
    fn only_lower_case_hex_is_ours() {
        assert_eq!(MessageId(*b"18A4a4c770269001").guid(), None);
        assert_eq!(MessageId(*b"18a4a4c77026900 ").guid(), None);
        assert_eq!(MessageId([0xff; 16]).guid(), None);
    }

    #[test]
    fn every_byte_in_every_place_is_a_digit_or_not() {
        for place in 0..16 {
            for byte in 0..=255 {
                let mut id = *b"0123456789abcdef";
                id[place] = byte;
                let expected = std::str::from_utf8(&id)
                    .ok()
                    .filter(|text| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|text| u64::from_str_radix(text, 16).ok());
                assert_eq!(MessageId(id).guid().map(Guid::number), expected, "{byte} at {place}");
                if let Some(number) = expected {
                    assert_eq!(Guid::from_number(number).message_id().0, id);
                }
            }
        }
    }
}
