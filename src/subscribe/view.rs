//! How a message is shown.

use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use nsq_app::local_time::LocalTime;

use super::json::{self, Kind};
use crate::harmless;

const HEADER: Style = Style::new().dimmed();
const ESCAPE: Style = AnsiColor::Red.on_default();
const NAME: Style = AnsiColor::Blue.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
const LITERAL: Style = AnsiColor::Yellow.on_default();

/// When there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Also in a pipe
    Always,
    /// Nowhere
    Never,
}

/// How JSON is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum JsonChoice {
    /// Laid out on a terminal, as it is in a pipe
    Auto,
    /// Laid out
    Pretty,
    /// As it is
    Raw,
}

/// What can be shown of a message besides its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Field {
    /// Its id
    Id,
    /// When nsqd took it
    Time,
    /// Which delivery this is
    Attempts,
    /// The nsqd it comes from
    Nsqd,
    /// Its topic
    Topic,
}

/// What is known of a message.
#[derive(Clone, Debug)]
pub(super) struct Shown<'a> {
    pub(super) id: String,
    pub(super) timestamp_ns: i64,
    pub(super) attempts: u16,
    pub(super) nsqd: &'a str,
    pub(super) topic: &'a str,
    pub(super) body: &'a [u8],
}

/// Turns messages into what is written.
#[derive(Debug)]
pub(super) struct View {
    pub(super) fields: Vec<Field>,
    pub(super) lays_out_json: bool,
    pub(super) has_colors: bool,
    /// Whether what could steer a terminal is escaped.
    pub(super) is_harmless: bool,
    pub(super) time: LocalTime,
}

impl View {
    /// Appends the message and the end of its line.
    pub(super) fn append(&self, shown: &Shown<'_>, out: &mut Vec<u8>) {
        if !self.fields.is_empty() {
            let mut header = String::new();
            self.append_painted(self.header(shown).as_bytes(), HEADER, &mut header);
            out.extend_from_slice(header.as_bytes());
            out.push(b'\n');
        }
        let text = self.lays_out_json.then(|| json::of_body(shown.body)).flatten();
        match text {
            Some(text) => {
                let mut laid_out = String::with_capacity(text.len() * 2);
                json::lay_out(text, |kind, part| {
                    self.append_painted(part.as_bytes(), style(kind), &mut laid_out);
                });
                out.extend_from_slice(laid_out.as_bytes());
            }
            None if self.is_harmless => {
                let mut text = String::with_capacity(shown.body.len());
                self.append_painted(shown.body, Style::new(), &mut text);
                out.extend_from_slice(text.as_bytes());
            }
            None => out.extend_from_slice(shown.body),
        }
        out.push(b'\n');
    }

    fn header(&self, shown: &Shown<'_>) -> String {
        let field = |field: &Field| match field {
            Field::Id => format!("id={}", shown.id),
            Field::Time => {
                let since_1970 = Duration::from_nanos(shown.timestamp_ns.unsigned_abs());
                let time = SystemTime::UNIX_EPOCH + since_1970;
                format!("time={}", self.time.rfc3339_microseconds(time))
            }
            Field::Attempts => format!("attempts={}", shown.attempts),
            Field::Nsqd => format!("nsqd={}", shown.nsqd),
            Field::Topic => format!("topic={}", shown.topic),
        };
        self.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    fn append_painted(&self, bytes: &[u8], style: Style, out: &mut String) {
        let (painted, plain) = match self.has_colors {
            true => (style.render().to_string(), style.render_reset().to_string()),
            false => Default::default(),
        };
        out.push_str(&painted);
        if self.is_harmless {
            let (mark, unmark) = match self.has_colors {
                true => {
                    (ESCAPE.render().to_string(), format!("{}{painted}", ESCAPE.render_reset()))
                }
                false => Default::default(),
            };
            harmless::append(bytes, &mark, &unmark, out);
        } else {
            out.push_str(&String::from_utf8_lossy(bytes));
        }
        out.push_str(&plain);
    }
}

fn style(kind: Kind) -> Style {
    match kind {
        Kind::Name => NAME,
        Kind::Text => TEXT,
        Kind::Literal => LITERAL,
        Kind::Frame => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> View {
        View {
            fields: Vec::new(),
            lays_out_json: false,
            has_colors: false,
            is_harmless: false,
            time: LocalTime::utc(),
        }
    }

    fn shown(view: &View, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let (nsqd, topic) = ("127.0.0.1:4150", "orders");
        let id = "0d6f1c3b2a000001".to_owned();
        let shown =
            Shown { id, timestamp_ns: 1_795_371_610_259_529_999, attempts: 2, nsqd, topic, body };
        view.append(&shown, &mut out);
        out
    }

    #[track_caller]
    fn check(view: &View, body: &[u8], expected: &str) {
        assert_eq!(String::from_utf8_lossy(&shown(view, body)), expected);
    }

    #[test]
    fn pipes_get_every_byte() {
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(shown(&pipe(), &every), [&every[..], b"\n"].concat());
        check(&pipe(), b"{\"a\":1}", "{\"a\":1}\n");
    }

    #[test]
    fn headers() {
        let fields = vec![Field::Id, Field::Time, Field::Attempts, Field::Nsqd, Field::Topic];
        let header = "id=0d6f1c3b2a000001 time=2026-11-22T18:20:10.259529Z attempts=2 \
                      nsqd=127.0.0.1:4150 topic=orders";
        check(&View { fields, ..pipe() }, b"x", &format!("{header}\nx\n"));
    }

    #[test]
    fn json_is_laid_out() {
        let view = View { lays_out_json: true, ..pipe() };
        check(&view, b"{\"a\":1}", "{\n  \"a\": 1\n}\n");
        check(&view, b"{\"a\":", "{\"a\":\n");
        let view = View { has_colors: true, is_harmless: true, ..view };
        check(
            &view,
            b"{\"a\":\"\x7f\"}",
            "{\n  \x1b[34m\"a\"\x1b[0m: \x1b[32m\"\x1b[31m\\x7f\x1b[0m\x1b[32m\"\x1b[0m\n}\n",
        );
    }

    #[test]
    fn messages_cannot_steer_a_terminal() {
        let view = View { is_harmless: true, ..pipe() };
        check(&view, b"\x1b]0;title\x07\xff", "\\x1b]0;title\\x07\\xff\n");
        let view = View { has_colors: true, ..view };
        check(&view, b"\x1b", "\x1b[31m\\x1b\x1b[0m\n");
    }
}
