//! JSON text exactly as Go's `encoding/json` writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Encodes compactly: `<`, `>`, `&`, U+2028 and U+2029 escaped so that the text is safe inside
/// HTML and scripts, whole floats without a fraction, large and tiny ones with an exponent.
///
/// # Errors
///
/// Only what a value's own `Serialize` reports, e.g. a map whose keys are not strings.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(128);
    value.serialize(&mut Serializer::with_formatter(&mut text, GoFormatter))?;
    Ok(text)
}

/// Compact layout with Go's string escapes and float notation.
struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut unwritten = fragment;
        while let Some((at, special)) = unwritten.char_indices().find(|(_, c)| is_special(*c)) {
            let (plain, rest) = unwritten.split_at(at);
            writer.write_all(plain.as_bytes())?;
            write!(writer, "\\u{:04x}", u32::from(special))?;
            unwritten = &rest[special.len_utf8()..];
        }
        writer.write_all(unwritten.as_bytes())
    }

    fn write_f64<W>(&mut self, writer: &mut W, value: f64) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let magnitude = value.abs();
        if magnitude != 0.0 && magnitude < 1e-6 {
            write!(writer, "{value:e}")
        } else if magnitude >= 1e21 {
            // Go puts a sign before a positive exponent, Rust does not.
            write!(writer, "{}", format!("{value:e}").replacen('e', "e+", 1))
        } else {
            write!(writer, "{value}")
        }
    }
}

fn is_special(character: char) -> bool {
    matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::to_json;

    fn check<T: serde::Serialize>(value: T, expected: &str) {
        let text = to_json(&value).expect("plain values encode");
        assert_eq!(String::from_utf8(text).expect("JSON is UTF-8"), expected);
    }

    // Expected texts are the output of Go 1.27's encoding/json.
    #[test]
    fn strings_are_escaped_as_in_go() {
        check(
            "<a&b>\u{2028}\u{2029}\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}\"\\/é\u{fffd}",
            "\"\\u003ca\\u0026b\\u003e\\u2028\\u2029\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\
             \\\"\\\\/é\u{fffd}\"",
        );
        check("", r#""""#);
        check("plain", r#""plain""#);
    }

    #[test]
    fn floats_are_written_as_in_go() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.99, "0.99"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (-2.25, "-2.25"),
            (123_456_789.125, "123456789.125"),
        ] {
            check(value, expected);
        }
    }
}
