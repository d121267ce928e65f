//! Server-sent events: `event: <name>`, `data: <JSON>`, an empty line.
//!
//! The data is one line whatever is in a message: JSON text has no line break, so that no body can
//! end an event or begin one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

/// A longer body is cut.
pub(super) const SHOWN_BYTES_MAX: usize = 16 << 10;

/// The beginning of a body, in memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    bytes: Bytes,
    is_cut: bool,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event<'a> {
    Message(MessageView<'a>),
    /// So many messages came and were not shown.
    Skipped(u64),
    /// Something that the reader should know.
    Notice(&'a str),
    /// Nothing follows; asking again would begin anew.
    End(&'a str),
}

/// A message as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct MessageView<'a> {
    pub(super) id: String,
    /// `address:port` of its HTTP.
    pub(super) node: &'a str,
    /// Nanoseconds since 1970.
    pub(super) timestamp: i64,
    pub(super) attempts: u16,
    #[serde(flatten)]
    pub(super) body: BodyView<'a>,
}

/// The body, or the beginning of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct BodyView<'a> {
    /// The text, or base64 of what is no text.
    body: std::borrow::Cow<'a, str>,
    is_text: bool,
    truncated: bool,
}

#[derive(Serialize)]
struct Count {
    count: u64,
}

#[derive(Serialize)]
struct Said<'a> {
    message: &'a str,
}

impl Excerpt {
    pub(super) fn of(body: &[u8]) -> Self {
        let shown = body.get(..SHOWN_BYTES_MAX).unwrap_or(body);
        Self { bytes: Bytes::copy_from_slice(shown), is_cut: shown.len() < body.len() }
    }
}

impl<'a> From<&'a Excerpt> for BodyView<'a> {
    fn from(excerpt: &'a Excerpt) -> Self {
        let (shown, truncated) = (&*excerpt.bytes, excerpt.is_cut);
        let text = match str::from_utf8(shown) {
            Ok(text) => Some(text),
            // The cut went through a character.
            Err(error) if truncated && error.error_len().is_none() => {
                shown.get(..error.valid_up_to()).and_then(|whole| str::from_utf8(whole).ok())
            }
            Err(_) => None,
        };
        match text {
            Some(text) => Self { body: text.into(), is_text: true, truncated },
            None => Self { body: STANDARD.encode(shown).into(), is_text: false, truncated },
        }
    }
}

impl Event<'_> {
    /// As it is sent; empty if it has no JSON form, which cannot be.
    pub(super) fn encode(&self) -> Bytes {
        let (name, json) = match self {
            Self::Message(message) => ("message", nsq_api::to_json(message)),
            Self::Skipped(count) => ("skipped", nsq_api::to_json(&Count { count: *count })),
            Self::Notice(message) => ("notice", nsq_api::to_json(&Said { message })),
            Self::End(message) => ("end", nsq_api::to_json(&Said { message })),
        };
        let json = json.unwrap_or_default();
        assert!(!json.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "JSON is one line");
        let mut text = format!("event: {name}\ndata: ").into_bytes();
        text.extend(json);
        text.extend(b"\n\n");
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8]) -> (String, bool, bool) {
        let excerpt = Excerpt::of(body);
        let BodyView { body, is_text, truncated } = BodyView::from(&excerpt);
        (body.clone().into_owned(), is_text, truncated)
    }

    #[test]
    fn bodies() {
        assert_eq!(shown("grüß\0".as_bytes()), ("grüß\0".to_owned(), true, false));
        assert_eq!(shown(b"\xff\xfe"), ("//4=".to_owned(), false, false));
        // Not cut, but incomplete.
        assert_eq!(shown(b"a\xc3"), ("YcM=".to_owned(), false, false));
        let long = "x".repeat(SHOWN_BYTES_MAX + 1);
        assert_eq!(shown(long.as_bytes()), ("x".repeat(SHOWN_BYTES_MAX), true, true));
        assert!(!shown(&long.as_bytes()[1..]).2);
        let wide = format!("x{}", "ü".repeat(SHOWN_BYTES_MAX));
        let (text, is_text, truncated) = shown(wide.as_bytes());
        assert_eq!((text.len(), is_text, truncated), (SHOWN_BYTES_MAX - 1, true, true));
        let (base64, is_text, truncated) = shown(&vec![0xff; SHOWN_BYTES_MAX * 2]);
        assert_eq!(
            (base64.len(), is_text, truncated),
            (SHOWN_BYTES_MAX.div_ceil(3) * 4, false, true)
        );
    }

    /// Whatever a body holds, it is one event with one line of data.
    #[test]
    fn bodies_do_not_leave_their_event() {
        let everything: Vec<u8> = (0..=255).collect();
        for body in [
            &b"\n\nevent: end\ndata: x\n\n"[..],
            b"\r\n\r\ndata: x\r\r",
            b"</script><img src=x onerror=alert(1)>",
            "\u{2028}\u{2029}\u{85}\u{feff}:".as_bytes(),
            &everything,
            b"",
        ] {
            let excerpt = Excerpt::of(body);
            let message = MessageView {
                id: "0123456789abcdef".to_owned(),
                node: "n:1",
                timestamp: 1,
                attempts: 2,
                body: BodyView::from(&excerpt),
            };
            let event = Event::Message(message).encode();
            let text = str::from_utf8(&event).expect("text");
            let data = text.strip_prefix("event: message\ndata: ").expect("a message");
            let data = data.strip_suffix("\n\n").expect("an end");
            assert!(!data.contains(['\n', '\r', '<', '>', '\u{2028}']), "{data}");
            let json: serde_json::Value = serde_json::from_str(data).expect("JSON");
            let body_text = json["body"].as_str().expect("text");
            let found = match json["is_text"].as_bool() {
                Some(true) => body_text.as_bytes().to_vec(),
                _ => STANDARD.decode(body_text).expect("base64"),
            };
            assert_eq!(found, body);
        }
        let said = Event::Notice("a\nb").encode();
        assert_eq!(&said[..], b"event: notice\ndata: {\"message\":\"a\\nb\"}\n\n");
        let count = Event::Skipped(7).encode();
        assert_eq!(&count[..], b"event: skipped\ndata: {\"count\":7}\n\n");
    }
}
