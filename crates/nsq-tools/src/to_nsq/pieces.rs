//! Input cut into messages.

use bytes::{Bytes, BytesMut};

/// No message can be longer: the protocol has 31 bits for its size.
const PIECE_BYTES_MAX: usize = i32::MAX as usize;

/// What stands between delimiters. Empty pieces are skipped.
#[derive(Debug)]
pub(super) struct Pieces {
    delimiter: u8,
    /// What was not given out yet.
    buffer: BytesMut,
    /// How much of its beginning has no delimiter.
    searched: usize,
}

/// More input without a delimiter than any message can have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no delimiter in {0} bytes of input")]
pub(super) struct TooLong(usize);

impl Pieces {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, buffer: BytesMut::new(), searched: 0 }
    }

    /// Takes more input. What came before is to be taken out first.
    pub(super) fn feed(&mut self, input: &[u8]) -> Result<(), TooLong> {
        if self.searched > PIECE_BYTES_MAX {
            return Err(TooLong(self.searched));
        }
        self.buffer.extend_from_slice(input);
        Ok(())
    }

    /// The next piece that has its delimiter.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = unseen.iter().position(|byte| *byte == self.delimiter) else {
                self.searched = self.buffer.len();
                return None;
            };
            let mut piece = self.buffer.split_to(self.searched + at + 1);
            piece.truncate(piece.len() - 1);
            self.searched = 0;
            if !piece.is_empty() {
                return Some(piece.freeze());
            }
        }
    }

    /// What stands behind the last delimiter, when there are no pieces left.
    pub(super) fn rest(self) -> Bytes {
        self.buffer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The pieces of input that comes in these parts, and the rest.
    fn cut(parts: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
        let mut pieces = Pieces::new(b';');
        let mut found = Vec::new();
        for part in parts {
            pieces.feed(part).expect("it is short");
            found.extend(std::iter::from_fn(|| pieces.next()));
        }
        (found, pieces.rest())
    }

    #[test]
    fn pieces() {
        for (input, expected, rest) in [
            ("", &[][..], ""),
            ("aa;bb;;cc", &["aa", "bb"], "cc"),
            ("aa;bb;", &["aa", "bb"], ""),
            (";;;", &[], ""),
            ("x", &[], "x"),
            (";x\n;", &["x\n"], ""),
        ] {
            let (found, left) = cut(&[input.as_bytes()]);
            assert_eq!(
                (found, left),
                (expected.iter().map(|p| Bytes::from(*p)).collect(), { Bytes::from(rest) })
            );
        }
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_input_comes(
            parts in prop::collection::vec("[ab;]{0,5}", 0..10),
        ) {
            let whole = parts.concat();
            let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
            prop_assert_eq!(cut(&parts), cut(&[whole.as_bytes()]));
            // The original's rule, in one line, but for the last piece.
            let (mut found, rest) = cut(&parts);
            found.push(rest);
            found.retain(|piece| !piece.is_empty());
            let expected: Vec<_> = whole.split(';').filter(|piece| !piece.is_empty()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
