//! Which messages are shown.

use clap::Args;
use regex::bytes::Regex;
use serde_json::Value;

/// All of it has to hold.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Show only messages whose body matches this regular expression; others are finished, too
    #[arg(long = "match", value_name = "REGEX")]
    pattern: Option<Regex>,
    /// Show only JSON messages with this value, as in user.id=5; may be given several times
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = FieldTest::parse)]
    fields: Vec<FieldTest>,
}

/// A field of a JSON message and what it has to be.
#[derive(Clone, Debug)]
struct FieldTest {
    /// The names on the way there; numbers in lists.
    path: Vec<String>,
    value: String,
}

impl Filter {
    /// Whether every message passes.
    pub(super) fn is_open(&self) -> bool {
        self.pattern.is_none() && self.fields.is_empty()
    }

    /// Whether a message with this body is shown.
    pub(super) fn passes(&self, body: &[u8]) -> bool {
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(body)) {
            return false;
        }
        if self.fields.is_empty() {
            return true;
        }
        let parsed = serde_json::from_slice::<Value>(body);
        parsed.is_ok_and(|value| self.fields.iter().all(|field| field.holds(&value)))
    }
}

impl FieldTest {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((path, value)) if !path.is_empty() => Ok(Self {
                path: path.split('.').map(str::to_owned).collect(),
                value: value.to_owned(),
            }),
            _ => Err("it must be FIELD=VALUE".to_owned()),
        }
    }

    fn holds(&self, message: &Value) -> bool {
        let found = self.path.iter().try_fold(message, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(elements) => elements.get(name.parse::<usize>().ok()?),
            _ => None,
        });
        match found {
            Some(Value::String(text)) => *text == self.value,
            // `5` is written as `5`, `null` as `null`.
            Some(value) => {
                let written = value.to_string();
                written == self.value
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pattern: &str, fields: &[&str]) -> Filter {
        let parse = |text: &&str| FieldTest::parse(text).expect("FIELD=VALUE");
        let pattern = (!pattern.is_empty()).then(|| Regex::new(pattern).expect("a pattern"));
        Filter { pattern, fields: fields.iter().map(parse).collect() }
    }

    #[test]
    fn patterns() {
        assert!(filter("", &[]).passes(b"") && filter("", &[]).is_open());
        for (pattern, body, expected) in [
            ("err(or)?$", &b"an err"[..], true),
            ("err(or)?$", b"errors", false),
            ("^b", b"a\xffb", false),
            ("a.b", b"a\xffb", false),
            (r"(?-u)a\xffb", b"a\xffb", true),
        ] {
            assert_eq!(filter(pattern, &[]).passes(body), expected, "{pattern}");
        }
    }

    #[test]
    fn fields() {
        let body = br#"{"id":5,"user":{"name":"ann","tags":["x","y"]},"ok":true,"none":null}"#;
        for (field, expected) in [
            ("id=5", true),
            ("id=05", false),
            ("user.name=ann", true),
            ("user.tags.1=y", true),
            ("user.tags.2=y", false),
            ("user.tags.x=y", false),
            ("ok=true", true),
            ("none=null", true),
            ("absent=null", false),
            ("id.x=5", false),
            (r#"user.tags=["x","y"]"#, true),
        ] {
            assert_eq!(filter("", &[field]).passes(body), expected, "{field}");
        }
        assert!(filter("ann", &["id=5", "ok=true"]).passes(body));
        assert!(!filter("bob", &["id=5"]).passes(body));
        assert!(!filter("", &["id=5", "ok=false"]).passes(body));
        assert!(!filter("", &["id=5"]).passes(b"id=5"));
        assert!(FieldTest::parse("id").is_err() && FieldTest::parse("=5").is_err());
    }
}
