//! Text that cannot steer a terminal.

use std::fmt::Write;

/// Appends what is printable in `bytes` as it is, line breaks and tabs included, and everything
/// else as an escape between `mark` and `unmark`: control characters, bytes that are not UTF-8,
/// and what turns the direction of writing.
pub(crate) fn append(bytes: &[u8], mark: &str, unmark: &str, out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if !steers(character) {
                out.push(character);
                continue;
            }
            let code = u32::from(character);
            let written = match (character, code) {
                ('\r', _) => write!(out, "{mark}\\r{unmark}"),
                ('\0'..='\x7f', _) => write!(out, "{mark}\\x{code:02x}{unmark}"),
                _ => write!(out, "{mark}\\u{{{code:x}}}{unmark}"),
            };
            written.expect("a String takes everything");
        }
        for byte in chunk.invalid() {
            write!(out, "{mark}\\x{byte:02x}{unmark}").expect("a String takes everything");
        }
    }
}

fn steers(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Marks, embeddings and isolates that let text look like other text.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        character => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn only_harmless_characters_are_left() {
        for (bytes, expected) in [
            (&b"plain\ttext\n"[..], "plain\ttext\n"),
            ("h\u{e9}llo \u{1f980}".as_bytes(), "h\u{e9}llo \u{1f980}"),
            (b"\x1b[2J\x07\x7f", "<\\x1b>[2J<\\x07><\\x7f>"),
            (b"over\rwritten\0", "over<\\r>written<\\x00>"),
            (b"\xff\xfea\xc3", "<\\xff><\\xfe>a<\\xc3>"),
            // A control sequence introducer of one character, and text that runs backwards.
            ("\u{9b}2J\u{202e}".as_bytes(), "<\\u{9b}>2J<\\u{202e}>"),
        ] {
            let mut out = String::new();
            append(bytes, "<", ">", &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn every_byte_alone_is_harmless() {
        for byte in 0..=u8::MAX {
            let mut out = String::new();
            append(&[byte, byte], "", "", &mut out);
            assert!(out.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{byte:#x}");
        }
    }
}
