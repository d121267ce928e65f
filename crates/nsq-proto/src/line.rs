//! Command lines and the decimal numbers in them.

/// Longest command line in bytes, LF included.
pub const MAX_LINE_LENGTH: usize = 16_384;

/// A command line.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    /// The line without LF and without one CR before it.
    text: &'a [u8],
    /// Its length in the input, LF included.
    pub(crate) length: usize,
}

/// The line exceeds [`MAX_LINE_LENGTH`].
pub(crate) struct LineTooLong;

impl<'a> Line<'a> {
    /// The line at the start of `input`, if it is complete. The first `scanned` bytes are known
    /// to hold no LF.
    pub(crate) fn find(input: &'a [u8], scanned: usize) -> Result<Option<Self>, LineTooLong> {
        let window = input.get(..MAX_LINE_LENGTH).unwrap_or(input);
        let unseen = window.get(scanned..).unwrap_or_default();
        let Some(position) = unseen.iter().position(|&byte| byte == b'\n') else {
            return if window.len() < MAX_LINE_LENGTH { Ok(None) } else { Err(LineTooLong) };
        };
        let end = scanned + position;
        let text = window.get(..end).unwrap_or_default();
        Ok(Some(Self { text: text.strip_suffix(b"\r").unwrap_or(text), length: end + 1 }))
    }

    /// The parts between single spaces; two spaces in a row have an empty part between them.
    pub(crate) fn words(self) -> impl Iterator<Item = &'a [u8]> {
        self.text.split(|&byte| byte == b' ')
    }
}

/// A number of decimal digits only, modulo 2^64 as nsqd counts. No digits are 0.
pub(crate) fn decimal_wrapping(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.wrapping_mul(10).wrapping_add(digit))
    })
}

/// A number of decimal digits only, at most `u64::MAX`. No digits are 0. nsqd wraps around, which
/// turns an absurdly long delay into a short one.
pub(crate) fn decimal_saturating(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_digits_only() {
        for (digits, number) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            (" 1", None),
            ("0x1", None),
        ] {
            assert_eq!(decimal_wrapping(digits.as_bytes()), number, "{digits:?}");
            assert_eq!(decimal_saturating(digits.as_bytes()), number, "{digits:?}");
        }
        assert_eq!(decimal_wrapping(b"18446744073709551617"), Some(1));
        assert_eq!(decimal_saturating(b"18446744073709551617"), Some(u64::MAX));
        assert_eq!(decimal_saturating(b"99999999999999999999999999"), Some(u64::MAX));
    }
}
