//! JSON as Go's `encoding/json` reads and writes it.
//!
//! What comes out must be what other tools made of the same message before, byte for byte: keys
//! sorted, numbers as `float64`, and `<`, `>` and `&` escaped, so that it can stand in HTML.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// Integers up to here, and down to its negative, are told from other floats.
const INTEGER_END: f64 = 9_223_372_036_854_775_808.0;
/// Floats from here on are written with an exponent,
const EXPONENT_FROM: f64 = 1e21;
/// and those below.
const EXPONENT_BELOW: f64 = 1e-6;

/// Reads a body that is an object, or `null`, which Go takes for an empty one.
pub(super) fn decode_object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Some(fields),
        Ok(Value::Null) => Some(Map::new()),
        Ok(_) | Err(_) => None,
    }
}

/// The body as text that any JSON reader takes. Go reads bytes that are not UTF-8, and escaped
/// halves of surrogate pairs, as U+FFFD; others refuse the message.
pub(super) fn text_of(body: &[u8]) -> Cow<'_, str> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(replace_bytes(body)),
    };
    match text.contains("\\ud") || text.contains("\\uD") {
        true => Cow::Owned(replace_half_pairs(&text)),
        false => text,
    }
}

/// One U+FFFD for each byte that is not UTF-8, as Go counts them.
fn replace_bytes(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn replace_half_pairs(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        replaced.push_str(before);
        let second = escape.get(6..).and_then(code_unit);
        let (length, is_half) = match (code_unit(escape), second) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, false),
            (Some(0xd800..0xe000), _) => (6, true),
            // The backslash, and what it escapes.
            _ => (escape.chars().take(2).map(char::len_utf8).sum(), false),
        };
        let (escape, behind) = escape.split_at(length);
        replaced.push_str(if is_half { "\\ufffd" } else { escape });
        rest = behind;
    }
    replaced + rest
}

/// The number in `\u1234` at the start of the text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    are_digits.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// Writes an object of some fields of a message, the first `keys` that it has. Numbers directly
/// in it become integers where they can, as NSQ's tool does it.
pub(super) fn encode_fields(fields: &Map<String, Value>, keys: &[String]) -> Vec<u8> {
    let mut chosen: Vec<_> = keys.iter().filter_map(|key| fields.get_key_value(key)).collect();
    sort(&mut chosen);
    let mut out = Vec::new();
    append_object(&mut out, &chosen, |out, value| match value {
        Value::Number(number) => append_integer_or_float(out, number),
        value => append_value(out, value),
    });
    out
}

/// Sorted by key, each key once.
fn sort(fields: &mut Vec<(&String, &Value)>) {
    fields.sort_unstable_by_key(|(key, _)| *key);
    fields.dedup_by_key(|(key, _)| *key);
}

fn append_object(
    out: &mut Vec<u8>,
    fields: &[(&String, &Value)],
    append: impl Fn(&mut Vec<u8>, &Value),
) {
    out.push(b'{');
    for (index, (key, value)) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append_text(out, key);
        out.push(b':');
        append(out, value);
    }
    out.push(b'}');
}

/// Recursion is bounded: the reader refuses what is nested deeper than 128 levels.
fn append_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Number(number) => append_float(out, float(number)),
        Value::String(text) => append_text(out, text),
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                append_value(out, value);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            sort(&mut fields);
            append_object(out, &fields, append_value);
        }
    }
}

/// The number as Go holds it.
pub(super) fn float(number: &Number) -> f64 {
    // Every number of ours is one: it was read without arbitrary precision.
    number.as_f64().unwrap_or_default()
}

fn append_integer_or_float(out: &mut Vec<u8>, number: &Number) {
    let float = float(number);
    let is_integer = float.fract() == 0.0 && (-INTEGER_END..INTEGER_END).contains(&float);
    match is_integer {
        true => out.extend((float as i64).to_string().into_bytes()),
        false => append_float(out, float),
    }
}

/// The shortest digits that read as the same number, with an exponent for the very large and the
/// very small.
fn append_float(out: &mut Vec<u8>, float: f64) {
    let size = float.abs();
    if size == 0.0 || (EXPONENT_BELOW..EXPONENT_FROM).contains(&size) {
        out.extend(float.to_string().into_bytes());
        return;
    }
    // Rust writes 1e21 and Go 1e+21; both write 1e-7.
    let sign = if size >= EXPONENT_FROM { "e+" } else { "e" };
    out.extend(format!("{float:e}").replace('e', sign).into_bytes());
}

pub(super) fn append_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            '\u{8}' => out.extend(b"\\b"),
            '\u{c}' => out.extend(b"\\f"),
            '\0'..' ' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.extend(format!("\\u{:04x}", u32::from(character)).into_bytes());
            }
            character => out.extend(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden texts are what nsq_to_nsq 1.3.0 made of the same bodies.
    #[track_caller]
    fn check(body: &[u8], expected: &str) {
        let keys = ["a", "b", "c", "d", "e", "g", "h", "é", "a"].map(str::to_owned);
        let fields = decode_object(&text_of(body)).expect("an object");
        let encoded = encode_fields(&fields, &keys);
        assert_eq!(String::from_utf8(encoded).expect("text"), expected);
    }

    #[test]
    fn fields_are_encoded_as_in_go() {
        for (body, expected) in [
            (
                r#"{"a":1,"b":"x","e":1.5,"g":{"z":1,"y":2},"h":"<&>","z":0}"#,
                r#"{"a":1,"b":"x","e":1.5,"g":{"y":2,"z":1},"h":"\u003c\u0026\u003e"}"#,
            ),
            ("null", "{}"),
            (
                r#"{"a":true,"b":false,"c":null,"d":[],"e":{},"g":[1,[2,{"z":1,"a":2}]]}"#,
                r#"{"a":true,"b":false,"c":null,"d":[],"e":{},"g":[1,[2,{"a":2,"z":1}]]}"#,
            ),
            (r#"{"\u0061":1,"é":2}"#, r#"{"a":1,"é":2}"#),
            (r#"{"a":{"x":1},"a":{"y":2}}"#, r#"{"a":{"y":2}}"#),
            (
                r#"{"g":{"b":1,"a":2,"B":3,"é":4,"":5,"<":6}}"#,
                r#"{"g":{"":5,"\u003c":6,"B":3,"a":2,"b":1,"é":4}}"#,
            ),
        ] {
            check(body.as_bytes(), expected);
        }
    }

    #[test]
    fn numbers_are_encoded_as_in_go() {
        for (body, expected) in [
            (r#" {"a" : 1.0 , "b":1e3} "#, r#"{"a":1,"b":1000}"#),
            (
                r#"{"a":9007199254740993,"b":[9007199254740993]}"#,
                r#"{"a":9007199254740992,"b":[9007199254740992]}"#,
            ),
            // Directly in the object it is an integer, further inside a float.
            (
                r#"{"a":4611686018427387905,"b":[4611686018427387905]}"#,
                r#"{"a":4611686018427387904,"b":[4611686018427388000]}"#,
            ),
            (
                r#"{"a":9223372036854775807,"b":9223372036854775808,"c":-9223372036854775808}"#,
                r#"{"a":9223372036854776000,"b":9223372036854776000,"c":-9223372036854775808}"#,
            ),
            (
                r#"{"d":1e20,"e":1e21,"g":[1e20]}"#,
                r#"{"d":100000000000000000000,"e":1e+21,"g":[100000000000000000000]}"#,
            ),
            (r#"{"a":-0,"b":[-0],"c":-0.0,"d":[0.0]}"#, r#"{"a":0,"b":[-0],"c":0,"d":[0]}"#),
            (
                r#"{"a":1e-6,"b":1e-7,"c":[1.5e-9,1e21,123456789e15,1.5e300],"d":5e-324}"#,
                r#"{"a":0.000001,"b":1e-7,"c":[1.5e-9,1e+21,1.23456789e+23,1.5e+300],"d":5e-324}"#,
            ),
            (
                r#"{"e":1e-400,"g":1.7976931348623157e308}"#,
                r#"{"e":0,"g":1.7976931348623157e+308}"#,
            ),
            (
                r#"{"a":0.1,"b":[0.30000000000000004,1e22,2.5],"c":12345678901234567890123}"#,
                r#"{"a":0.1,"b":[0.30000000000000004,1e+22,2.5],"c":1.2345678901234568e+22}"#,
            ),
        ] {
            check(body.as_bytes(), expected);
        }
    }

    #[test]
    fn texts_are_encoded_as_in_go() {
        for (body, expected) in [
            (
                br#"{"a":"\u0000\u0008\u000c\n\r\t\u001f\u007f\"\\\/"}"#.as_slice(),
                "{\"a\":\"\\u0000\\b\\f\\n\\r\\t\\u001f\u{7f}\\\"\\\\/\"}",
            ),
            (br#"{"b":"\u2028\u2029\u00e9"}"#, r#"{"b":"\u2028\u2029é"}"#),
            (
                br#"{"a":"\ud800","b":"\ud83d\ude00","c":"\udc00\ud83d\ud83d\ude00"}"#,
                "{\"a\":\"\u{fffd}\",\"b\":\"😀\",\"c\":\"\u{fffd}\u{fffd}😀\"}",
            ),
            (
                b"{\"a\":\"\xff\xfe\",\"b\":\"\xf0\x9f\x98\",\"c\":\"\xe2\x28\"}",
                "{\"a\":\"\u{fffd}\u{fffd}\",\"b\":\"\u{fffd}\u{fffd}\u{fffd}\",\
                 \"c\":\"\u{fffd}(\"}",
            ),
        ] {
            check(body, expected);
        }
    }

    #[test]
    fn undecodable() {
        for body in [
            "[1]",
            "1",
            "\"a\"",
            "",
            "{",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1e999}",
            "{a:1}",
            "{\"a\":[[-1e999]]}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\ud8\"}",
            "\\ud800",
            "{\"a\":\"\\",
        ] {
            assert_eq!(decode_object(&text_of(body.as_bytes())), None, "{body}");
        }
    }

    #[test]
    fn halves_of_pairs_and_bytes_that_are_no_text() {
        for (body, expected) in [
            (b"\\ud83d\\ude00 \\u00d8".as_slice(), "\\ud83d\\ude00 \\u00d8"),
            (b"\\ud83d \\ude00", "\\ufffd \\ufffd"),
            (b"\\ud83d\\ud83d\\ude00", "\\ufffd\\ud83d\\ude00"),
            (b"\\\\ud83d\\", "\\\\ud83d\\"),
            (b"\\uD8\xff\\\xff", "\\uD8\u{fffd}\\\u{fffd}"),
            (b"\xf0\x9f\x98a", "\u{fffd}\u{fffd}\u{fffd}a"),
        ] {
            assert_eq!(text_of(body), expected);
        }
    }
}
