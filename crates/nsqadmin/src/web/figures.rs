//! Numbers and times as people read them.

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// `1234567` as `1,234,567`.
pub(super) fn count(number: impl Display) -> String {
    let digits = number.to_string();
    let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |digits| ("-", digits));
    let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
    grouped.push_str(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Something per second: whole from ten on, with one digit below.
pub(super) fn rate(per_second: f64) -> String {
    if per_second.abs() >= 10.0 {
        // A float saturates when it becomes an integer.
        count(per_second.round() as i64)
    } else if per_second.abs() < 0.05 {
        "0".to_owned()
    } else {
        format!("{per_second:.1}")
    }
}

/// As Go prints one: `32s`, `3m47s`, `221.83ms`.
pub(super) fn duration(nanoseconds: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
    if nanoseconds >= 1e9 {
        return seconds(Duration::try_from_secs_f64(nanoseconds / 1e9).unwrap_or(Duration::MAX));
    }
    let unit = UNITS.iter().find(|(size, _)| nanoseconds >= *size);
    unit.map_or_else(|| "0".to_owned(), |(size, unit)| format!("{:.2}{unit}", nanoseconds / size))
}

/// Whole seconds, the three largest units at most: `3h4m5s`.
pub(super) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest}s"),
        (0, 0, _) => format!("{minutes}m{rest}s"),
        (0, ..) => format!("{hours}h{minutes}m{rest}s"),
        _ => format!("{days}d{hours}h{minutes}m"),
    }
}

/// A moment, to the second, in UTC: `2026-01-02T03:04:05Z`.
pub(super) fn moment(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn counts() {
        for (number, expected) in [
            (0_i64, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MAX, "9,223,372,036,854,775,807"),
        ] {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn rates() {
        for (number, expected) in [
            (0.0, "0"),
            (0.04, "0"),
            (0.05, "0.1"),
            (9.94, "9.9"),
            (1234.5, "1,235"),
            (f64::INFINITY, "9,223,372,036,854,775,807"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(rate(number), expected);
        }
    }

    #[test]
    fn durations() {
        for (nanoseconds, expected) in [
            (0.0, "0"),
            (-5.0, "0"),
            (f64::NAN, "0"),
            (7.0, "7.00ns"),
            (1_500.0, "1.50µs"),
            (221_830_000.0, "221.83ms"),
            (32e9, "32s"),
            (227e9, "3m47s"),
            (3_600e9, "1h0m0s"),
            (100_000e9, "1d3h46m"),
        ] {
            assert_eq!(duration(nanoseconds), expected);
        }
        assert!(duration(f64::INFINITY).ends_with('m'));
    }

    #[test]
    fn moments() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_767_323_045, "2026-01-02T03:04:05Z"),
        ] {
            assert_eq!(moment(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
