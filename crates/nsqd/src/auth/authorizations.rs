//! What an auth server allows a client; pure.

use std::time::Duration;

use nsq_proto::{ChannelName, TopicName};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// The most expressions of one answer.
const EXPRESSIONS_MAX: usize = 1000;
/// The most memory that one expression may need.
const EXPRESSION_BYTES_MAX: usize = 1 << 20;
/// How much of a wrong word is repeated in the log.
const SHOWN_MAX: usize = 100;

/// The answer of an auth server, in force for a time.
///
/// ```json
/// {"ttl": 3600, "identity": "joe", "identity_url": "https://…", "authorizations": [
///     {"permissions": ["subscribe", "publish"], "topic": "^orders$", "channels": [".*"]}]}
/// ```
///
/// Expressions match anywhere in a name, as in Go NSQ: `foo` permits `xfoox`, too. They take time
/// in proportion to the name, like Go's (RE2), whose syntax they share but for `\Q…\E`, `[` inside
/// a class and a `{` that begins no repetition, which need a backslash, and `\<` and `\>`, which
/// are ends of words.
#[derive(Debug)]
pub(crate) struct Authorizations {
    pub(crate) ttl: Duration,
    pub(crate) identity: String,
    pub(crate) identity_url: String,
    entries: Vec<Authorization>,
}

/// Why an answer is of no use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidAnswer(String);

#[derive(Debug)]
struct Authorization {
    topic: Regex,
    channels: Vec<Regex>,
    may_subscribe: bool,
    may_publish: bool,
}

impl Authorizations {
    /// Reads an answer with the rules of Go's JSON decoder: keys match in any case, `null` is the
    /// same as nothing, integers have neither dot nor exponent.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, InvalidAnswer> {
        // What the parser says may repeat what was sent, and with it the secret.
        let answer: Value = serde_json::from_str(&String::from_utf8_lossy(body))
            .map_err(|error| invalid(format_args!("no JSON, at byte {}", error.column())))?;
        let answer = object(&answer, "the answer")?;
        let seconds = field(answer, "ttl").as_u64().filter(|&seconds| seconds > 0);
        let seconds = seconds.ok_or_else(|| invalid("ttl must be an integer above 0"))?;
        let mut budget = EXPRESSIONS_MAX;
        let entries = list(answer, "authorizations")?.iter();
        let entries = entries.map(|entry| Authorization::of(entry, &mut budget));
        Ok(Self {
            ttl: Duration::from_secs(seconds),
            identity: text(answer, "identity")?.to_owned(),
            identity_url: text(answer, "identity_url")?.to_owned(),
            entries: entries.collect::<Result<_, _>>()?,
        })
    }

    /// How many entries there are; none is good for nothing.
    pub(crate) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Whether a client may subscribe to a channel of a topic, or without channel publish to it.
    /// For publishing, too, an expression for channels must match: the empty name.
    pub(crate) fn permits(&self, topic: &TopicName, channel: Option<&ChannelName>) -> bool {
        let name = channel.map_or("", ChannelName::as_str).as_bytes();
        self.entries.iter().any(|entry| {
            let may = if channel.is_some() { entry.may_subscribe } else { entry.may_publish };
            may && entry.topic.is_match(topic.as_str().as_bytes())
                && entry.channels.iter().any(|expression| expression.is_match(name))
        })
    }
}

impl Authorization {
    fn of(entry: &Value, budget: &mut usize) -> Result<Self, InvalidAnswer> {
        let entry = object(entry, "an authorization")?;
        let (mut may_subscribe, mut may_publish) = (false, false);
        for permission in list(entry, "permissions")? {
            match permission.as_str() {
                Some("subscribe") => may_subscribe = true,
                Some("publish") => may_publish = true,
                _ => {
                    let shown = shortened(&permission.to_string());
                    return Err(invalid(format_args!("unknown permission {shown}")));
                }
            }
        }
        let topic = expression(text(entry, "topic")?, budget)?;
        let channels = list(entry, "channels")?.iter();
        let channels = channels.map(|channel| {
            let channel = channel.as_str().ok_or_else(|| invalid("channels must be strings"))?;
            expression(channel, budget)
        });
        let channels = channels.collect::<Result<_, _>>()?;
        Ok(Self { topic, channels, may_subscribe, may_publish })
    }
}

/// That `\d`, `\w` and `\s` are more than ASCII, which they are not with RE2, makes no difference
/// for names.
fn expression(text: &str, budget: &mut usize) -> Result<Regex, InvalidAnswer> {
    *budget = budget
        .checked_sub(1)
        .ok_or_else(|| invalid(format_args!("more than {EXPRESSIONS_MAX} expressions")))?;
    let built = RegexBuilder::new(text).size_limit(EXPRESSION_BYTES_MAX).build();
    built.map_err(|_| {
        let shown = shortened(text);
        invalid(format_args!("this expression cannot be used: {shown:?}"))
    })
}

fn field<'a>(object: &'a Map<String, Value>, name: &str) -> &'a Value {
    let mut found = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    found.next().map_or(&Value::Null, |(_, value)| value)
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a Map<String, Value>, InvalidAnswer> {
    value.as_object().ok_or_else(|| invalid(format_args!("{what} must be an object")))
}

fn list<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a [Value], InvalidAnswer> {
    match field(object, name) {
        Value::Null => Ok(&[]),
        Value::Array(elements) => Ok(elements),
        _ => Err(invalid(format_args!("{name} must be a list"))),
    }
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, InvalidAnswer> {
    match field(object, name) {
        Value::Null => Ok(""),
        Value::String(text) => Ok(text),
        _ => Err(invalid(format_args!("{name} must be a string"))),
    }
}

fn invalid(reason: impl ToString) -> InvalidAnswer {
    InvalidAnswer(reason.to_string())
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with an answer; empty when nothing is.
    fn fault(body: &str) -> String {
        Authorizations::parse(body.as_bytes()).map_or_else(|error| error.to_string(), |_| "".into())
    }

    /// Whether an answer with this one entry permits.
    fn permits(entry: &str, topic: &str, channel: &str) -> bool {
        let body = format!(r#"{{"ttl":1,"authorizations":[{entry}]}}"#);
        let authorizations = Authorizations::parse(body.as_bytes()).expect("a valid answer");
        let channel = Some(channel).filter(|name| !name.is_empty());
        let channel = channel.map(|name| name.parse().expect("a channel name"));
        authorizations.permits(&topic.parse().expect("a topic name"), channel.as_ref())
    }

    #[test]
    fn times_to_live() {
        for (ttl, is_valid) in [
            ("1", true),
            ("18446744073709551615", true),
            ("0", false),
            ("-1", false),
            ("\"3\"", false),
            ("3.5", false),
            ("3.0", false),
            ("1e2", false),
            ("null", false),
            ("true", false),
        ] {
            assert_eq!(fault(&format!(r#"{{"ttl":{ttl}}}"#)).is_empty(), is_valid, "{ttl}");
        }
        assert_eq!(fault("{}"), "ttl must be an integer above 0");
    }

    #[test]
    fn answers() {
        let entry = |entry: &str| format!(r#"{{"ttl":1,"authorizations":[{entry}]}}"#);
        for (body, expected) in [
            (r#"{"ttl":1,"authorizations":null,"identity":null,"more":[]}"#.to_owned(), ""),
            (r#"{"TTL":1,"Authorizations":[],"Identity":"a"}"#.to_owned(), ""),
            (entry("{}"), ""),
            (entry(r#"{"topic":"","channels":null,"permissions":null}"#), ""),
            ("".to_owned(), "no JSON, at byte 0"),
            (r#"{"ttl":1"#.to_owned(), "no JSON, at byte 8"),
            ("null".to_owned(), "the answer must be an object"),
            ("[1]".to_owned(), "the answer must be an object"),
            (r#"{"ttl":1,"authorizations":{}}"#.to_owned(), "authorizations must be a list"),
            (r#"{"ttl":1,"identity":5}"#.to_owned(), "identity must be a string"),
            (entry("5"), "an authorization must be an object"),
            (entry(r#"{"permissions":["publish","read"]}"#), r#"unknown permission "read""#),
            (entry(r#"{"permissions":["Publish"]}"#), r#"unknown permission "Publish""#),
            (entry(r#"{"permissions":[null]}"#), "unknown permission null"),
            (entry(r#"{"permissions":"publish"}"#), "permissions must be a list"),
            (entry(r#"{"topic":"("}"#), r#"this expression cannot be used: "(""#),
            (entry(r#"{"topic":5}"#), "topic must be a string"),
            (entry(r#"{"channels":["a",")"]}"#), r#"this expression cannot be used: ")""#),
            (entry(r#"{"channels":[5]}"#), "channels must be strings"),
        ] {
            assert_eq!(fault(&body), expected, "{body}");
        }
        let body = b"{\"ttl\":7,\"identity\":\"a\xff\",\"identity_url\":\"u\"}";
        let answer = Authorizations::parse(body).expect("a valid answer");
        assert_eq!((answer.ttl, answer.count()), (Duration::from_secs(7), 0));
        assert_eq!((&*answer.identity, &*answer.identity_url), ("a\u{fffd}", "u"));
    }

    #[test]
    fn what_is_permitted() {
        let both = r#""permissions":["subscribe","publish"]"#;
        for (entry, topic, channel, expected) in [
            (r#""topic":"foo","channels":["ch"]"#, "foo", "ch", true),
            (r#""topic":"foo","channels":["ch"]"#, "xfoox", "xchx", true),
            (r#""topic":"^foo$","channels":["^ch$"]"#, "xfoox", "ch", false),
            (r#""topic":"^foo$","channels":["^ch$"]"#, "foo", "chx", false),
            (r#""topic":"foo","channels":["a","ch"]"#, "foo", "ch", true),
            (r#""topic":"foo","channels":["ch"]"#, "foo", "", false),
            (r#""topic":"foo","channels":["ch","^$"]"#, "foo", "", true),
            (r#""topic":"foo","channels":[".*"]"#, "foo", "", true),
            (r#""topic":"foo","channels":[""]"#, "foo", "", true),
            (r#""topic":"foo","channels":[]"#, "foo", "ch", false),
            (r#""topic":"foo","channels":[]"#, "foo", "", false),
            (r#""topic":"bar","channels":[".*"]"#, "foo", "", false),
            (r#""channels":[".*"]"#, "foo", "", true),
            (r#""topic":"(?i)^FOO#e","channels":["^\\w+\\d$"]"#, "foo#ephemeral", "c1", true),
        ] {
            assert_eq!(
                permits(&format!("{{{entry},{both}}}"), topic, channel),
                expected,
                "{entry}"
            );
        }
        for (permissions, may_subscribe, may_publish) in [
            ("[]", false, false),
            (r#"["subscribe"]"#, true, false),
            (r#"["publish"]"#, false, true),
            (r#"["publish","subscribe"]"#, true, true),
        ] {
            let entry =
                format!(r#"{{"topic":".*","channels":[".*"],"permissions":{permissions}}}"#);
            let found = (permits(&entry, "t", "c"), permits(&entry, "t", ""));
            assert_eq!(found, (may_subscribe, may_publish), "{permissions}");
        }
        let [a, b] = [r#""topic":"^a$","channels":["^$"]"#, r#""topic":"^b$","channels":["c"]"#];
        let two = format!("{{{a},{both}}},{{{b},{both}}}");
        assert!(permits(&two, "a", "") && permits(&two, "b", "c") && !permits(&two, "a", "c"));
    }

    #[test]
    fn expressions_are_bounded() {
        let channels = |count| vec!["\"a\""; count].join(",");
        let body = |count| {
            format!(r#"{{"ttl":1,"authorizations":[{{"channels":[{}]}}]}}"#, channels(count))
        };
        assert_eq!(fault(&body(EXPRESSIONS_MAX - 1)), "");
        assert_eq!(fault(&body(EXPRESSIONS_MAX)), "more than 1000 expressions");
        let large = r#"{"ttl":1,"authorizations":[{"topic":"((a{100}){100}){100}"}]}"#;
        assert!(fault(large).starts_with("this expression cannot be used"));
    }
}
