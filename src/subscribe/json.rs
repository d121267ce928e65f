//! JSON laid out for people.
//!
//! The text is laid out anew and not parsed into values: fields keep their order, and numbers all
//! of their digits.

/// The kinds of things in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The name of a field, with its quotes.
    Name,
    /// A string, with its quotes.
    Text,
    /// A number, `true`, `false` or `null`.
    Literal,
    /// Braces, commas, line breaks and the like.
    Frame,
}

/// The body as text, if it is a JSON object or list.
pub(super) fn of_body(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_composed = text.starts_with(['{', '[']);
    // Also bounds how deep it goes.
    let is_json = is_composed && serde_json::from_str::<serde_json::Value>(text).is_ok();
    is_json.then_some(text)
}

/// Gives the parts of a valid JSON text in order, laid out over several lines.
pub(super) fn lay_out<'a>(text: &'a str, mut part: impl FnMut(Kind, &'a str)) {
    let mut depth = 0;
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = length_of_token(rest);
        let (token, behind) = rest.split_at(length);
        let behind = behind.trim_start();
        match first {
            '"' if behind.starts_with(':') => part(Kind::Name, token),
            '"' => part(Kind::Text, token),
            '{' | '[' if behind.starts_with(['}', ']']) => {
                part(Kind::Frame, if first == '{' { "{}" } else { "[]" });
                rest = behind.get(1..).unwrap_or_default().trim_start();
                continue;
            }
            '{' | '[' => {
                depth += 1;
                part(Kind::Frame, token);
                part(Kind::Frame, line_break(depth));
            }
            '}' | ']' => {
                depth -= 1;
                part(Kind::Frame, line_break(depth));
                part(Kind::Frame, token);
            }
            ',' => {
                part(Kind::Frame, token);
                part(Kind::Frame, line_break(depth));
            }
            ':' => part(Kind::Frame, ": "),
            _ => part(Kind::Literal, token),
        }
        rest = behind;
    }
}

/// How many bytes belong to what the text begins with.
fn length_of_token(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'"') => {
            let mut is_escaped = false;
            let end = text.bytes().skip(1).position(|byte| {
                let is_end = byte == b'"' && !is_escaped;
                is_escaped = byte == b'\\' && !is_escaped;
                is_end
            });
            end.map_or(text.len(), |end| end + 2)
        }
        Some(b'{' | b'}' | b'[' | b']' | b',' | b':') => 1,
        _ => text.find([',', ':', '}', ']', ' ', '\t', '\r', '\n']).unwrap_or(text.len()).max(1),
    }
}

/// The start of a line at this depth.
fn line_break(depth: usize) -> &'static str {
    /// serde_json takes no more than 128 levels.
    const DEEPEST: &str = concat!(
        "\n",
        "                                                                ",
        "                                                                ",
        "                                                                ",
        "                                                                ",
    );
    DEEPEST.get(..=depth * 2).unwrap_or(DEEPEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(text: &str) -> String {
        let mut out = String::new();
        lay_out(text, |_, part| out.push_str(part));
        out
    }

    #[test]
    fn only_objects_and_lists_are_laid_out() {
        for (body, expected) in [
            (&b" {\"a\":1}\n"[..], Some("{\"a\":1}")),
            (b"[]", Some("[]")),
            (b"5", None),
            (b"\"text\"", None),
            (b"{\"a\":1", None),
            (b"{\"a\":1} {}", None),
            (b"{\"a\":\"\xff\"}", None),
            (b"", None),
        ] {
            assert_eq!(of_body(body), expected);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(of_body(deep.as_bytes()), None);
    }

    #[test]
    fn order_and_digits_are_kept() {
        let text =
            r#"{"z":12345678901234567890.10,"a":[1,{"b" : null}],"e":{},"l":[ ],"s":"a\"}:,"}"#;
        let expected = r#"{
  "z": 12345678901234567890.10,
  "a": [
    1,
    {
      "b": null
    }
  ],
  "e": {},
  "l": [],
  "s": "a\"}:,"
}"#;
        assert_eq!(laid_out(text), expected);
        assert_eq!(laid_out(expected), expected);
        assert_eq!(laid_out("[\"\\\\\", true]"), "[\n  \"\\\\\",\n  true\n]");
    }

    #[test]
    fn kinds() {
        let mut kinds = Vec::new();
        lay_out(r#"{"a":"b","c":-1e5}"#, |kind, part| {
            if kind != Kind::Frame {
                kinds.push((kind, part));
            }
        });
        let expected = [
            (Kind::Name, "\"a\""),
            (Kind::Text, "\"b\""),
            (Kind::Name, "\"c\""),
            (Kind::Literal, "-1e5"),
        ];
        assert_eq!(kinds, expected);
    }
}
