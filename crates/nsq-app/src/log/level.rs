//! How serious a log line is.

use std::fmt;
use std::str::FromStr;

use crate::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

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
    const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warning, Self::Error, Self::Fatal];

    /// 1 debug to 5 fatal.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The level of a number; `None` outside 1 to 5.
    #[must_use]
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// The word for it in options, and in log lines in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
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
        let lower = text.to_lowercase();
        let found = Self::ALL.into_iter().find(|level| level.word() == lower);
        found.ok_or_else(|| InvalidLogLevel(text.to_owned()))
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

    fn set_config(&mut self, value: &toml::Value) -> Result<Option<String>, ConfigFault> {
        let word = value.as_str().and_then(|text| text.parse().ok());
        *self = word.ok_or(ConfigFault::Special)?;
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Integer(i64::from(self.number()))
    }
}
