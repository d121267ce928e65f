//! The four bytes with which a client says which protocol it speaks.

/// The magic of protocol V2: two spaces, `V2`.
pub const MAGIC: [u8; 4] = *b"  V2";

/// What the first bytes of a connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// Fewer than four bytes so far. Only the whole magic is judged, as nsqd does.
    Incomplete,
    /// Protocol V2; commands start after these [`MAGIC`]`.len()` bytes.
    V2,
    /// Another protocol: answer [`ProtocolError::bad_protocol`](crate::ProtocolError::bad_protocol)
    /// and close.
    Unknown,
}

/// Reads the magic at the start of `input`.
pub fn read(input: &[u8]) -> Magic {
    match input.first_chunk() {
        None => Magic::Incomplete,
        Some(&MAGIC) => Magic::V2,
        Some(_) => Magic::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_spaces_and_v2() {
        let cases: [(&[u8], Magic); 6] = [
            (b"", Magic::Incomplete),
            (b"GET", Magic::Incomplete),
            (b"  V2", Magic::V2),
            (b"  V2NOP\n", Magic::V2),
            (b"  V1", Magic::Unknown),
            (b"GET / HTTP/1.1", Magic::Unknown),
        ];
        for (input, expected) in cases {
            assert_eq!(read(input), expected, "{}", input.escape_ascii());
        }
    }
}
