//! Durations as options take them.

use std::time::Duration;

/// 292 years.
const MILLISECONDS_MAX: i64 = i64::MAX / 1_000_000;

/// Reads Go's duration text (`250ms`, `1h30m`, `-1s`) or a plain integer, which means
/// milliseconds. In nanoseconds.
pub(crate) fn parse_ns(text: &str) -> Option<i64> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return milliseconds.checked_mul(1_000_000);
    }
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(number_end);
        let unit_end =
            behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        total += number.parse::<f64>().ok()? * unit_ns(unit)?;
        rest = behind;
    }
    let signed = if negative { -total } else { total };
    (signed.abs() < i64::MAX as f64).then_some(signed.round() as i64)
}

fn unit_ns(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

/// Whole milliseconds, as the protocol has them. Never more than a daemon can turn into
/// nanoseconds: Go's does not notice when it cannot, and takes something else.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).map_or(MILLISECONDS_MAX, |ms| ms.min(MILLISECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::parse_ns;

    #[test]
    fn go_text_and_milliseconds() {
        for (text, expected) in [
            ("250", Some(250_000_000)),
            ("-1", Some(-1_000_000)),
            ("250ms", Some(250_000_000)),
            ("1h30m2.5s", Some(5_402_500_000_000)),
            ("1.5us", Some(1_500)),
            ("-2s", Some(-2_000_000_000)),
            ("0", Some(0)),
            ("1d", None),
            ("1.5", None),
            ("s", None),
            ("", None),
            ("-", None),
            ("1e3s", None),
            ("9999999999h", None),
        ] {
            assert_eq!(parse_ns(text), expected, "{text:?}");
        }
    }
}
