//! The forms a log line can have.

use std::fmt;
use std::time::SystemTime;

use serde::Serialize;

use super::LogLevel;
use crate::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};
use crate::local_time::LocalTime;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// NSQ's.
    Text,
    /// One JSON object a line, for programs that collect logs.
    Json,
}

impl LogFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.word() == word)
    }
}

impl FlagValue for LogFormat {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        *self = Self::of_word(text).ok_or_else(|| {
            ValueError::Refused(format!("invalid log format '{text}' (text, json)"))
        })?;
        Ok(())
    }

    fn set_config(&mut self, value: &toml::Value) -> Result<Option<String>, ConfigFault> {
        *self = value.as_str().and_then(Self::of_word).ok_or(ConfigFault::Special)?;
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        Some(self.word().to_owned())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Text(self.word().to_owned())
    }
}

/// What a line says, and when and by whom it is said.
pub(super) struct Event<'a> {
    pub(super) prefix: &'a str,
    pub(super) moment: SystemTime,
    pub(super) level: LogLevel,
    pub(super) text: fmt::Arguments<'a>,
}

impl Event<'_> {
    /// Puts NSQ's line together. Line breaks in the text, which may come from a client, are shown
    /// as `\n` and `\r`: one event is one line, and nobody can forge another.
    pub(super) fn text_line(&self, time: &LocalTime) -> String {
        let mut line = String::with_capacity(128);
        line.push_str(self.prefix);
        time.append_log_date(self.moment, &mut line);
        line.push(' ');
        line.push_str(self.level.label());
        line.push_str(": ");
        let text_start = line.len();
        if fmt::write(&mut line, self.text).is_err() {
            line.push_str("(a part of this line failed to format)");
        }
        if line[text_start..].contains(['\n', '\r']) {
            let text = line[text_start..].replace('\n', "\\n").replace('\r', "\\r");
            line.replace_range(text_start.., &text);
        }
        line.push('\n');
        line
    }

    /// The same as a JSON object.
    pub(super) fn json_line(&self, time: &LocalTime) -> String {
        let object = JsonLine {
            time: time.rfc3339_microseconds(self.moment),
            level: self.level.word(),
            program: self.program(),
            message: self.text,
        };
        let mut line = serde_json::to_string(&object).unwrap_or_else(|_| {
            r#"{"level":"error","message":"a log line failed to format"}"#.to_owned()
        });
        line.push('\n');
        line
    }

    /// The prefix without its decoration; the name of the running program where nothing is left.
    fn program(&self) -> String {
        let is_decoration = |c: char| c.is_whitespace() || c == '[' || c == ']';
        match self.prefix.trim_matches(is_decoration) {
            "" => {
                let path = std::env::args_os().next().map(std::path::PathBuf::from);
                let name = path.as_deref().and_then(std::path::Path::file_name);
                name.unwrap_or_default().to_string_lossy().into_owned()
            }
            name => name.to_owned(),
        }
    }
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    level: &'static str,
    program: String,
    message: fmt::Arguments<'a>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event<'a>(prefix: &'a str, level: LogLevel, text: fmt::Arguments<'a>) -> Event<'a> {
        let moment = SystemTime::UNIX_EPOCH + Duration::new(1_795_371_610, 259_529_000);
        Event { prefix, moment, level, text }
    }

    fn check_line(level: LogLevel, text: &str, expected: &str) {
        let line = event("[nsqd] ", level, format_args!("{text}")).text_line(&LocalTime::utc());
        assert_eq!(line, expected);
    }

    #[test]
    fn lines_have_go_nsqs_form() {
        let version = "nsqd v1.3.0 (built w/go1.27.3)";
        check_line(
            LogLevel::Info,
            version,
            "[nsqd] 2026/11/22 18:20:10.259529 INFO: nsqd v1.3.0 (built w/go1.27.3)\n",
        );
        check_line(LogLevel::Debug, "x", "[nsqd] 2026/11/22 18:20:10.259529 DEBUG: x\n");
        check_line(LogLevel::Warning, "x", "[nsqd] 2026/11/22 18:20:10.259529 WARNING: x\n");
        check_line(LogLevel::Error, "x", "[nsqd] 2026/11/22 18:20:10.259529 ERROR: x\n");
        check_line(LogLevel::Fatal, "", "[nsqd] 2026/11/22 18:20:10.259529 FATAL: \n");
    }

    #[test]
    fn a_text_cannot_forge_a_second_line() {
        check_line(
            LogLevel::Info,
            "a\r\n[nsqd] b\n",
            "[nsqd] 2026/11/22 18:20:10.259529 INFO: a\\r\\n[nsqd] b\\n\n",
        );
    }

    #[test]
    fn json_lines() {
        for (prefix, level, text, expected) in [
            (
                "[nsqd] ",
                LogLevel::Info,
                "TOPIC(a): created",
                r#""info","program":"nsqd","message":"TOPIC(a): created"}"#,
            ),
            (
                "east/1: ",
                LogLevel::Warning,
                "a \"b\"\r\n\\ \u{1} <é>",
                r#""warn","program":"east/1:","message":"a \"b\"\r\n\\ \u0001 <é>"}"#,
            ),
        ] {
            let line = event(prefix, level, format_args!("{text}")).json_line(&LocalTime::utc());
            let time = r#"{"time":"2026-11-22T18:20:10.259529Z","level":"#;
            assert_eq!(line, format!("{time}{expected}\n"));
        }
    }

    #[test]
    fn without_a_prefix_json_lines_name_the_running_program() {
        let line = event(" ", LogLevel::Info, format_args!("x")).json_line(&LocalTime::utc());
        assert!(line.contains(r#""program":"nsq_app-"#), "{line}");
    }
}
