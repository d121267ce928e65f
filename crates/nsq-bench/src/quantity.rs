//! Numbers as people type them: `5M` messages, `5GB`, `250ms`.

use std::time::Duration;

/// Parses a count with an optional `k`, `M` or `G` suffix (powers of 1000).
pub(crate) fn parse_count(text: &str) -> Result<u64, String> {
    let (digits, suffix) = split_suffix(text);
    let factor = match suffix {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(format!("unknown suffix {suffix:?}, expected k, M or G")),
    };
    scale(digits, factor)
}

/// Parses a size in bytes: `200`, `64k`, `5GB` (powers of 1000), `64KiB` (powers of 1024).
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (digits, suffix) = split_suffix(text);
    let factor = match suffix.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(format!("unknown unit {suffix:?}, expected B, kB, MB, GB, KiB, …")),
    };
    scale(digits, factor)
}

/// Parses a time span: `10` and `10s` are seconds, also `250ms`, `2m`, `1.5s`.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let (digits, suffix) = split_suffix(text);
    let unit_seconds = match suffix {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {suffix:?}, expected ms, s, m or h")),
    };
    let number: f64 = digits.parse().map_err(|_| format!("not a number: {digits:?}"))?;
    Duration::try_from_secs_f64(number * unit_seconds).map_err(|error| error.to_string())
}

/// Writes a span as seconds, the unit of every report.
pub(crate) fn serialize_span<S: serde::Serializer>(
    span: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

/// Like [`serialize_span`], for a span that may be absent.
pub(crate) fn serialize_optional_span<S: serde::Serializer>(
    span: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => serializer.serialize_some(&span.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}

fn split_suffix(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn scale(digits: &str, factor: u64) -> Result<u64, String> {
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(|| "number too large".to_owned());
    }
    let number: f64 = digits.parse().map_err(|_| format!("not a number: {digits:?}"))?;
    let scaled = number * factor as f64;
    if scaled.is_finite() && scaled < 1e18 {
        Ok(scaled as u64)
    } else {
        Err("number too large".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_are_read_with_their_suffixes() {
        let counts = [("200", 200), ("5k", 5_000), ("1.5M", 1_500_000), ("2G", 2_000_000_000)];
        for (text, expected) in counts {
            assert_eq!(parse_count(text), Ok(expected), "{text}");
        }
        let sizes = [("200", 200), ("5GB", 5_000_000_000), ("64KiB", 65_536), ("1.5kb", 1_500)];
        for (text, expected) in sizes {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "x", "5x", "-1", "99999999999G", "1.2.3"] {
            assert!(parse_count(wrong).is_err(), "{wrong}");
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_default_to_seconds() {
        let spans = [("10", 10_000), ("250ms", 250), ("1.5s", 1_500), ("2m", 120_000)];
        for (text, expected_ms) in spans {
            assert_eq!(parse_span(text), Ok(Duration::from_millis(expected_ms)), "{text}");
        }
        assert!(parse_span("-1s").is_err());
        assert!(parse_span("s").is_err());
        assert!(parse_span("99999999999999999999999h").is_err());
    }
}
