//! Text quoted for error messages.

use std::fmt::Write;

/// Quotes `text` as NSQ quotes an offending name: in double quotes, printable Unicode as it is, the
/// rest escaped in the manner of Go (`\n`, `\x00`, `\u200b`, `\U000e0001`), bytes that are no UTF-8
/// as `\xff`.
pub fn quote(text: &[u8]) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(&mut quoted, character);
        }
        for byte in chunk.invalid() {
            push_escape(&mut quoted, format_args!("\\x{byte:02x}"));
        }
    }
    quoted.push('"');
    quoted
}

fn push_character(quoted: &mut String, character: char) {
    let code = u32::from(character);
    match character {
        '"' => quoted.push_str("\\\""),
        '\\' => quoted.push_str("\\\\"),
        '\x07' => quoted.push_str("\\a"),
        '\x08' => quoted.push_str("\\b"),
        '\x0c' => quoted.push_str("\\f"),
        '\n' => quoted.push_str("\\n"),
        '\r' => quoted.push_str("\\r"),
        '\t' => quoted.push_str("\\t"),
        '\x0b' => quoted.push_str("\\v"),
        _ if is_printable(character) => quoted.push(character),
        '\0'..='\x7f' => push_escape(quoted, format_args!("\\x{code:02x}")),
        '\u{80}'..='\u{ffff}' => push_escape(quoted, format_args!("\\u{code:04x}")),
        _ => push_escape(quoted, format_args!("\\U{code:08x}")),
    }
}

fn push_escape(quoted: &mut String, escape: std::fmt::Arguments<'_>) {
    quoted.write_fmt(escape).expect("writing to a string does not fail");
}

/// Go's notion of printable (letters, marks, numbers, punctuation, symbols, the ASCII space) is
/// also that of `escape_debug`, apart from combining marks, which `escape_debug` leaves alone only
/// behind another character.
fn is_printable(character: char) -> bool {
    let mut buffer = [b'a'; 5];
    let length = character.encode_utf8(&mut buffer[1..]).len();
    let pair = std::str::from_utf8(&buffer[..=length]).expect("an ASCII letter and one character");
    // The single quote is the one printable character that only `escape_debug` escapes.
    character == '\'' || pair.escape_debug().nth(1) == Some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_the_real_daemon() {
        let cases: [(&[u8], &str); 17] = [
            (b"a!", r#""a!""#),
            (b"a\tb", r#""a\tb""#),
            ("é".as_bytes(), r#""é""#),
            (b"a\xff", r#""a\xff""#),
            (b"a\"b", r#""a\"b""#),
            (b"a\\b", r#""a\\b""#),
            (b"a\x00b", r#""a\x00b""#),
            (b"a\x7fb", r#""a\x7fb""#),
            ("a\u{200b}b".as_bytes(), r#""a\u200bb""#),
            (b"\x07\x08\x0c\n\r\t\x0b", r#""\a\b\f\n\r\t\v""#),
            ("\u{80}\u{a0}\u{ad}".as_bytes(), r#""\u0080\u00a0\u00ad""#),
            ("e\u{301}\u{301}".as_bytes(), "\"e\u{301}\u{301}\""),
            ("\u{e0001}😀'".as_bytes(), r#""\U000e0001😀'""#),
            (b"\xe2\x82a\xed\xa0\x80", r#""\xe2\x82a\xed\xa0\x80""#),
            ("\u{fffd}".as_bytes(), "\"\u{fffd}\""),
            (b"", r#""""#),
            (b"a b", r#""a b""#),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
    }
}
