//! Go's text form of durations: `250ms`, `1h30m2.5s`, `141.5µs`.

use std::fmt;
use std::time::Duration;

const NANOSECOND: u64 = 1;
const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// The largest magnitude Go can hold: nanoseconds in a signed 64-bit integer.
const MAGNITUDE_LIMIT: u64 = 1 << 63;

/// Reads a duration as nanoseconds: one or more number+unit with optional sign and decimals, or a
/// bare `0`. `None` if the text is anything else or does not fit 64 bits.
#[must_use]
pub fn parse_nanoseconds(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(0);
    }
    if unsigned.is_empty() {
        return None;
    }
    let mut magnitude: u64 = 0;
    let mut unread = unsigned;
    while !unread.is_empty() {
        let (part, rest) = parse_part(unread)?;
        magnitude = magnitude.checked_add(part).filter(|sum| *sum <= MAGNITUDE_LIMIT)?;
        unread = rest;
    }
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Reads one number and its unit off the front: `(nanoseconds, rest)`.
fn parse_part(text: &str) -> Option<(u64, &str)> {
    let (whole, rest) = split_digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let unit_end = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit_name, rest) = rest.split_at(unit_end);
    let unit = unit(unit_name)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    Some((whole.checked_mul(unit)?.checked_add(fraction_of(fraction, unit))?, rest))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ns" => NANOSECOND,
        // Micro sign and Greek letter mu look alike; both are accepted.
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return None,
    })
}

/// `0.<digits>` of a unit, rounded down. No unit has more than 13 digits in nanoseconds, so what
/// comes after 18 cannot matter and is left out to stay within 128 bits.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let mut nanoseconds: u128 = 0;
    let mut scale: u128 = 1;
    for digit in digits.bytes().take(18) {
        scale *= 10;
        nanoseconds = nanoseconds * 10 + u128::from(digit - b'0');
    }
    u64::try_from(nanoseconds * u128::from(unit) / scale)
        .expect("a fraction of a unit is smaller than the unit")
}

/// Displays a duration as Go does: hours, minutes and seconds without leading zero units from one
/// second up, else one unit with decimals; trailing zeros of a fraction are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText(pub Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.subsec_nanos();
        let seconds = self.0.as_secs();
        if seconds == 0 {
            return match u64::from(nanoseconds) {
                0 => out.write_str("0s"),
                1..MICROSECOND => write!(out, "{nanoseconds}ns"),
                MICROSECOND..MILLISECOND => write_decimal(out, 0, nanoseconds, 3, "µs"),
                _ => write_decimal(out, 0, nanoseconds, 6, "ms"),
            };
        }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(out, "{hours}h")?;
        }
        if seconds >= 60 {
            write!(out, "{minutes}m")?;
        }
        write_decimal(out, seconds % 60, nanoseconds, 9, "s")
    }
}

/// Writes `whole` plus `small / 10^places` of a unit.
fn write_decimal(
    out: &mut fmt::Formatter<'_>,
    whole: u64,
    small: u32,
    places: u32,
    unit: &str,
) -> fmt::Result {
    let scale = 10_u32.pow(places);
    write!(out, "{}", whole + u64::from(small / scale))?;
    let (mut fraction, mut width) = (small % scale, places as usize);
    if fraction > 0 {
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(out, ".{fraction:0width$}")?;
    }
    out.write_str(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values in both tests are the output of Go 1.27's `time` package.
    #[test]
    fn texts_read_as_in_go() {
        for (text, expected) in [
            ("0", Some(0)),
            ("+0", Some(0)),
            ("-0", Some(0)),
            ("250ms", Some(250_000_000)),
            ("1h30m2.5s", Some(5_402_500_000_000)),
            ("1.5us", Some(1_500)),
            ("1.5\u{b5}s", Some(1_500)),
            ("1.5\u{3bc}s", Some(1_500)),
            ("100ns", Some(100)),
            ("-1s", Some(-1_000_000_000)),
            ("+1s", Some(1_000_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("1h1h", Some(7_200_000_000_000)),
            ("0.000000001s", Some(1)),
            ("0.9999999999s", Some(999_999_999)),
            ("0.1h", Some(360_000_000_000)),
            ("1.234567891234s", Some(1_234_567_891)),
            ("9223372036s", Some(9_223_372_036_000_000_000)),
            ("2562047h47m16.854775807s", Some(i64::MAX)),
            ("2562047h47m16.854775808s", None),
            ("-2562047h47m16.854775808s", Some(i64::MIN)),
            ("3000000h", None),
            ("99999999999999999999s", None),
            ("", None),
            ("-", None),
            ("5", None),
            ("1.5", None),
            (".s", None),
            ("1d", None),
            ("1H", None),
            ("1m 2s", None),
            ("1e3s", None),
        ] {
            assert_eq!(parse_nanoseconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn durations_print_as_in_go() {
        for (nanoseconds, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (999, "999ns"),
            (1_000, "1µs"),
            (1_001, "1.001µs"),
            (141_500, "141.5µs"),
            (999_999, "999.999µs"),
            (1_000_000, "1ms"),
            (12_500_000, "12.5ms"),
            (999_999_999, "999.999999ms"),
            (1_000_000_000, "1s"),
            (1_382_815_873, "1.382815873s"),
            (45_000_000_000, "45s"),
            (60_000_000_000, "1m0s"),
            (60_100_000_000, "1m0.1s"),
            (65_000_000_000, "1m5s"),
            (3_600_000_000_000, "1h0m0s"),
            (3_600_000_000_001, "1h0m0.000000001s"),
            (7_203_500_000_000, "2h0m3.5s"),
            (i64::MAX as u64, "2562047h47m16.854775807s"),
        ] {
            assert_eq!(DurationText(Duration::from_nanos(nanoseconds)).to_string(), expected);
        }
    }
}
