//! Which messages pass, and what is left of them.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::go_json;

/// What is asked of messages that are JSON objects.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonFilter {
    required: Option<Required>,
    /// Pass only these fields; all if there are none.
    whitelist: Vec<String>,
    /// Leave the fields as they are, instead of sorting them and writing their values anew.
    keep_text: bool,
}

#[derive(Clone, Debug)]
struct Required {
    field: String,
    value: Option<RequiredValue>,
}

#[derive(Clone, Debug)]
struct RequiredValue {
    text: String,
    number: Option<f64>,
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on, with this body.
    Pass(Bytes),
    /// It does not match, and is finished.
    Drop,
    /// The field whose value is asked for is missing.
    FieldMissing,
    /// It is not a JSON object.
    Undecodable,
}

impl JsonFilter {
    /// Empty texts ask for nothing. A value without a field has no effect.
    pub(super) fn new(field: &str, value: &str, whitelist: &[String], keep_text: bool) -> Self {
        let text = value.to_owned();
        let value = RequiredValue { number: text.parse().ok(), text };
        let value = (!value.text.is_empty()).then_some(value);
        let required = (!field.is_empty()).then(|| Required { field: field.to_owned(), value });
        Self { required, whitelist: whitelist.to_vec(), keep_text }
    }

    /// Looks at a message. Without anything to ask for, it may be anything.
    pub(super) fn judge(&self, body: &Bytes) -> Verdict {
        if self.required.is_none() && self.whitelist.is_empty() {
            return Verdict::Pass(body.clone());
        }
        let text = go_json::text_of(body);
        let Some(fields) = go_json::decode_object(&text) else { return Verdict::Undecodable };
        let refusal = self.required.as_ref().and_then(|required| required.refusal(&fields));
        if let Some(refusal) = refusal {
            return refusal;
        }
        if self.whitelist.is_empty() {
            return Verdict::Pass(body.clone());
        }
        if !self.keep_text {
            return Verdict::Pass(go_json::encode_fields(&fields, &self.whitelist).into());
        }
        match self.cut(&text) {
            Some(cut) => Verdict::Pass(cut.into()),
            None => Verdict::Undecodable,
        }
    }

    /// The object with the whitelisted fields in the order in which they came, byte for byte.
    fn cut(&self, text: &str) -> Option<Vec<u8>> {
        // `null` is an empty object here, too.
        let fields: Option<RawFields<'_>> = serde_json::from_str(text).ok()?;
        let fields = fields.map(|fields| fields.0).unwrap_or_default();
        // Of a key that is there twice the last one counts, as for every reader.
        let last_at: BTreeMap<&String, usize> =
            fields.iter().map(|(key, _)| key).zip(0..).collect();
        let mut out = vec![b'{'];
        for (at, (key, value)) in fields.iter().enumerate() {
            if !self.whitelist.contains(key) || last_at.get(key) != Some(&at) {
                continue;
            }
            if out.len() > 1 {
                out.push(b',');
            }
            go_json::append_text(&mut out, key);
            out.push(b':');
            out.extend(value.get().as_bytes());
        }
        out.push(b'}');
        Some(out)
    }
}

impl Required {
    /// Why these fields do not pass.
    fn refusal(&self, fields: &Map<String, Value>) -> Option<Verdict> {
        match (fields.get(&self.field), &self.value) {
            (Some(found), Some(value)) => (!value.equals(found)).then_some(Verdict::Drop),
            (Some(_), None) => None,
            (None, Some(_)) => Some(Verdict::FieldMissing),
            (None, None) => Some(Verdict::Drop),
        }
    }
}

impl RequiredValue {
    /// Texts are compared as they are, numbers as `float64`; nothing else ever matches.
    fn equals(&self, found: &Value) -> bool {
        match found {
            Value::String(text) => *text == self.text,
            Value::Number(number) => self.number == Some(go_json::float(number)),
            _ => false,
        }
    }
}

/// The fields of an object as they are written.
struct RawFields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for RawFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawFields<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawFields(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &JsonFilter, body: &str, expected: Result<&str, Verdict>) {
        let verdict = filter.judge(&Bytes::copy_from_slice(body.as_bytes()));
        let expected = match expected {
            Ok(text) => Verdict::Pass(Bytes::copy_from_slice(text.as_bytes())),
            Err(verdict) => verdict,
        };
        assert_eq!(verdict, expected, "{body}");
    }

    fn whitelist(keys: &[&str], keep_text: bool) -> JsonFilter {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        JsonFilter::new("", "ignored", &keys, keep_text)
    }

    #[test]
    fn without_options_everything_passes() {
        let filter = JsonFilter::new("", "5", &[], false);
        for body in ["no json", "{\"b\": 1, \"a\": 2}", "[]"] {
            check(&filter, body, Ok(body));
        }
    }

    #[test]
    fn a_required_field() {
        let filter = JsonFilter::new("f", "", &[], false);
        for (body, expected) in [
            ("{ \"f\":null }", Ok("{ \"f\":null }")),
            ("{\"g\":1}", Err(Verdict::Drop)),
            ("null", Err(Verdict::Drop)),
            ("[\"f\"]", Err(Verdict::Undecodable)),
            ("{\"f\":1", Err(Verdict::Undecodable)),
        ] {
            check(&filter, body, expected);
        }
    }

    #[test]
    fn a_required_value() {
        let number = JsonFilter::new("f", "1.50", &[], false);
        let text = JsonFilter::new("f", "x", &[], false);
        let truth = JsonFilter::new("f", "true", &[], false);
        let infinite = JsonFilter::new("f", "inf", &[], false);
        for (filter, body, expected) in [
            (&number, "{\"f\":15e-1}", None),
            (&number, "{\"f\":\"1.50\"}", None),
            (&number, "{\"f\":\"1.5\"}", Some(Verdict::Drop)),
            (&number, "{\"f\":1}", Some(Verdict::Drop)),
            (&number, "{\"g\":1.5}", Some(Verdict::FieldMissing)),
            (&number, "{\"f\":2,\"f\":1.5}", None),
            (&text, "{\"f\":\"\\u0078\"}", None),
            (&text, "{\"f\":[\"x\"]}", Some(Verdict::Drop)),
            (&text, "{\"f\":0}", Some(Verdict::Drop)),
            (&truth, "{\"f\":true}", Some(Verdict::Drop)),
            (&truth, "{\"f\":\"true\"}", None),
            (&infinite, "{\"f\":1e308}", Some(Verdict::Drop)),
            (&infinite, "{\"f\":1e309}", Some(Verdict::Undecodable)),
        ] {
            check(filter, body, expected.map_or(Ok(body), Err));
        }
    }

    #[test]
    fn whitelisted_fields() {
        let body = r#"{"h":"<&>", "a":1.0,"b":"x", "e":1.50,"g":{"z":1,"y":2e0}}"#;
        let sorted = r#"{"a":1,"e":1.5,"g":{"y":2,"z":1},"h":"\u003c\u0026\u003e"}"#;
        check(&whitelist(&["e", "a", "h", "g", "no"], false), body, Ok(sorted));
        let kept = r#"{"h":"<&>","a":1.0,"e":1.50,"g":{"z":1,"y":2e0}}"#;
        check(&whitelist(&["e", "a", "h", "g", "no"], true), body, Ok(kept));
        for keep_text in [false, true] {
            check(&whitelist(&["no"], keep_text), body, Ok("{}"));
            check(&whitelist(&["no"], keep_text), " null ", Ok("{}"));
            check(&whitelist(&["a"], keep_text), "{\"a\":1,\"a\":2}", Ok("{\"a\":2}"));
            check(&whitelist(&["a"], keep_text), "[]", Err(Verdict::Undecodable));
        }
    }

    #[test]
    fn first_the_filter_then_the_whitelist() {
        let filter = JsonFilter::new("f", "1", &["g".to_owned()], false);
        check(&filter, "{\"f\":1,\"g\":2}", Ok("{\"g\":2}"));
        check(&filter, "{\"f\":2,\"g\":2}", Err(Verdict::Drop));
    }
}
