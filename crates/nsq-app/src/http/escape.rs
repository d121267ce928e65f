//! Percent escapes and HTML escapes.

use std::borrow::Cow;

/// A `%` that two hexadecimal digits do not follow. Holds it with what does, as Go shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvalidEscape(pub(super) String);

/// Undoes percent escapes; with `plus_is_blank`, as in a query, `+` stands for a blank.
/// Bytes that are not UTF-8 become U+FFFD: no name or number NSQ knows contains it.
pub(super) fn unescape(text: &str, plus_is_blank: bool) -> Result<Cow<'_, str>, InvalidEscape> {
    let is_special = |byte: &u8| *byte == b'%' || (plus_is_blank && *byte == b'+');
    if !text.as_bytes().iter().any(is_special) {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let Some((decoded, after)) = decode_pair(after) else {
                    let shown = after.get(..2).unwrap_or(after);
                    return Err(InvalidEscape(format!("%{}", String::from_utf8_lossy(shown))));
                };
                plain.push(decoded);
                rest = after;
            }
            b'+' if plus_is_blank => plain.push(b' '),
            byte => plain.push(byte),
        }
    }
    Ok(Cow::Owned(match String::from_utf8(plain) {
        Ok(plain) => plain,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }))
}

fn decode_pair(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let ([high, low], rest) = bytes.split_first_chunk()?;
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

/// Escapes what Go escapes in the path of a URL.
pub(super) fn escape_path(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Escapes what cannot stand in a URL at all: all but printable ASCII.
pub(super) fn escape_location(location: &str) -> String {
    let mut escaped = String::with_capacity(location.len());
    for byte in location.bytes() {
        if byte.is_ascii_graphic() {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// Escapes text inside an HTML attribute, with Go's spellings.
pub(super) fn escape_html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes() {
        for (text, plus_is_blank, expected) in [
            ("", true, Ok("")),
            ("plain", true, Ok("plain")),
            ("a+b", true, Ok("a b")),
            ("a+b", false, Ok("a+b")),
            ("t%23ephemeral%2B", true, Ok("t#ephemeral+")),
            ("%c3%A9", true, Ok("é")),
            ("%ff", true, Ok("\u{fffd}")),
            ("%zz", true, Err("%zz")),
            ("%+1", true, Err("%+1")),
            ("a%4", true, Err("%4")),
            ("%", true, Err("%")),
        ] {
            let outcome = unescape(text, plus_is_blank);
            assert_eq!(outcome.as_deref().map_err(|InvalidEscape(shown)| shown.as_str()), expected);
        }
    }

    #[test]
    fn paths_and_html() {
        assert_eq!(escape_path("/a b/é\r\n%"), "/a%20b/%C3%A9%0D%0A%25");
        assert_eq!(escape_location("/a?b=%20c d\r\né\u{7f}"), "/a?b=%20c%20d%0D%0A%C3%A9%7F");
        assert_eq!(escape_html("/ping?a=<b>&c=\"d'"), "/ping?a=&lt;b&gt;&amp;c=&#34;d&#39;");
    }
}
