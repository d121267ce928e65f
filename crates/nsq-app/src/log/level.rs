//! How serious a log line is.

use std::fmt;
use std::str::FromStr;

use crate::flags::{FlagValue, ValueError};

/// From chatty to fatal. The numbers are those `/config/log_level` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum LogLevel {
    /// For following the program at work.
    Debug = 1,
    /// For operators: what happened.
    Info = 2,
    /// Something is odd and may need a look.
    Warning = 3,
    /// An operation failed.
    Error = 4,
    /// The program stops.
    Fatal = 5,
}

impl LogLevel {
    /// 1 debug to 5 fatal.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word in a log line.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.label())
    }
}

/// The text is not a log level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid log level '{0}' (debug, info, warn, error, fatal)")]
pub struct InvalidLogLevel(String);

impl FromStr for LogLevel {
    type Err = InvalidLogLevel;

    /// Any case; the word is `warn`, and `warning` is none.
    fn from_str(text: &str) -> Result<Self, InvalidLogLevel> {
        Ok(match text.to_lowercase().as_str() {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warning,
            "error" => Self::Error,
            "fatal" => Self::Fatal,
            _ => return Err(InvalidLogLevel(text.to_owned())),
        })
    }
}

impl FlagValue for LogLevel {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        *self = text
            .parse()
            .map_err(|error: InvalidLogLevel| ValueError::Refused(error.to_string()))?;
        Ok(())
    }

    fn default_text(&self) -> Option<String> {
        Some(self.to_string())
    }
}
