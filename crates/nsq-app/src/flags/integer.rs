//! Go's integer literals.

use super::ValueError;

/// Reads a signed 64-bit integer: decimal, `0x1f`, `0b1`, `0o17` or `017`, with an optional sign
/// and underscores between digits or after the base.
pub(super) fn parse(text: &str) -> Result<i64, ValueError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (base, digits) = split_base(unsigned);
    let magnitude = parse_magnitude(digits, base)?;
    if !underscores_separate_digits(digits, base) {
        return Err(ValueError::Syntax);
    }
    if text.starts_with('-') {
        0_i64.checked_sub_unsigned(magnitude).ok_or(ValueError::OutOfRange)
    } else {
        i64::try_from(magnitude).map_err(|_| ValueError::OutOfRange)
    }
}

/// `(base, digits)`. The `0` of a plain octal stays with the digits: it counts as one.
fn split_base(unsigned: &str) -> (u32, &str) {
    let Some(after_zero) = unsigned.strip_prefix('0').filter(|rest| !rest.is_empty()) else {
        return (10, unsigned);
    };
    for (letters, base) in [(['x', 'X'], 16), (['b', 'B'], 2), (['o', 'O'], 8)] {
        if let Some(digits) = after_zero.strip_prefix(letters) {
            return (base, digits);
        }
    }
    (8, unsigned)
}

fn parse_magnitude(digits: &str, base: u32) -> Result<u64, ValueError> {
    if digits.is_empty() {
        return Err(ValueError::Syntax);
    }
    let mut magnitude: u64 = 0;
    // Like Go, the first character that is wrong or too much decides which error it is.
    for character in digits.chars().filter(|character| *character != '_') {
        let digit = character.to_digit(base).ok_or(ValueError::Syntax)?;
        magnitude = magnitude
            .checked_mul(u64::from(base))
            .and_then(|shifted| shifted.checked_add(u64::from(digit)))
            .ok_or(ValueError::OutOfRange)?;
    }
    Ok(magnitude)
}

/// An underscore needs a digit on both sides; the letter of a base (`0x_1`) counts as one.
fn underscores_separate_digits(digits: &str, base: u32) -> bool {
    let may_start = base != 10 || !digits.starts_with('_');
    may_start && !digits.ends_with('_') && !digits.contains("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values are the output of Go 1.27's strconv.ParseInt(text, 0, 64).
    #[test]
    fn literals_read_as_in_go() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("00", Ok(0)),
            ("+5", Ok(5)),
            ("0x10", Ok(16)),
            ("0X1f", Ok(31)),
            ("010", Ok(8)),
            ("0o10", Ok(8)),
            ("0O7", Ok(7)),
            ("0b1", Ok(1)),
            ("1_000", Ok(1_000)),
            ("0_1", Ok(1)),
            ("0x_1", Ok(1)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(ValueError::OutOfRange)),
            ("-9223372036854775809", Err(ValueError::OutOfRange)),
            ("99999999999999999999x", Err(ValueError::OutOfRange)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        for text in [
            "", " 1", "1 ", "+", "-", "--1", "1.5", "1e3", "08", "0b2", "0x", "0b", "0o", "0x-1",
            "0_x1", "0_", "_1", "1_", "1__0", "_",
        ] {
            assert_eq!(parse(text), Err(ValueError::Syntax), "{text:?}");
        }
    }
}
