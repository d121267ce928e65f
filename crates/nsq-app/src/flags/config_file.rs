//! Configuration files, and how they meet the command line.

use std::path::Path;

use toml::{Table, Value};

use super::{CommandLine, ConfigFault, FlagSet};

/// The options a program runs with: what was given as a flag, else what the file says, else the
/// default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings<O> {
    /// The options.
    pub options: O,
    /// What was understood in an unexpected way or not at all; one log line each.
    pub warnings: Vec<String>,
}

/// Why a configuration file cannot be used. Displays as Go NSQ's fatal line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Missing, unreadable or a directory.
    #[error("failed to load config file {path} - open {path}: {reason}")]
    Unreadable {
        /// As given.
        path: String,
        /// The system's text.
        reason: String,
    },
    /// Not TOML.
    #[error("failed to load config file {path} - toml: line {line}: {reason}")]
    Syntax {
        /// As given.
        path: String,
        /// From 1.
        line: usize,
        /// The parser's text.
        reason: String,
    },
    /// A type with a notation of its own.
    #[error("failed parsing {key} {value}")]
    Special {
        /// The option.
        key: &'static str,
        /// As in the file.
        value: String,
    },
    /// Not a value of the option's type.
    #[error("failed to coerce value {value} for {key} - {reason}")]
    Value {
        /// The option.
        key: &'static str,
        /// As in the file.
        value: String,
        /// The type's complaint.
        reason: String,
    },
}

impl<O: FlagSet + Clone> CommandLine<O> {
    /// Reads the configuration file at `path`, if that is not empty, and puts it below the
    /// command line. Reading it again later is calling this again.
    ///
    /// # Errors
    ///
    /// At the first thing in the file that cannot be used. Unknown keys are only warned of: files
    /// that were made for other versions must keep loading.
    pub fn settings(&self, path: &str) -> Result<Settings<O>, ConfigError> {
        let mut settings = Settings { options: self.options.clone(), warnings: self.warnings() };
        if !path.is_empty() {
            let values = read(path)?;
            for (key, value) in &values {
                self.apply(path, key, value, &mut settings)?;
            }
        }
        Ok(settings)
    }

    fn apply(
        &self,
        path: &str,
        key: &str,
        value: &Value,
        settings: &mut Settings<O>,
    ) -> Result<(), ConfigError> {
        let Some(flag) = O::FLAGS.iter().find(|flag| flag.config_key == Some(key)) else {
            settings.warnings.push(unknown::<O>(path, key, value));
            return Ok(());
        };
        let is_given = self.given.contains(&flag.name);
        // A value that a flag overrides is still read, because Go NSQ always reads the special
        // ones; other mistakes in it do not matter.
        let mut overridden;
        let target = if is_given {
            overridden = O::default();
            &mut overridden
        } else {
            &mut settings.options
        };
        let key = flag.config_key.unwrap_or_default();
        match (flag.set_config)(target, value) {
            Ok(_) | Err(ConfigFault::Expected(_) | ConfigFault::Value(_)) if is_given => {}
            Ok(warning) => {
                let effect = flag.without_effect.map(|why| format!("it has no effect: {why}"));
                let all = warning.into_iter().chain(effect);
                settings.warnings.extend(all.map(|text| format!("{path}: {key}: {text}")));
            }
            Err(fault) => return Err(refusal(key, value, fault)),
        }
        Ok(())
    }

    /// What the command line alone gives reason to warn of.
    fn warnings(&self) -> Vec<String> {
        let flags = O::FLAGS.iter().filter(|flag| self.given.contains(&flag.name));
        let without_effect = flags.filter_map(|flag| Some((flag.name, flag.without_effect?)));
        let mut warnings: Vec<_> =
            without_effect.map(|(name, why)| format!("--{name} has no effect: {why}")).collect();
        if !self.rest.is_empty() {
            let rest = self.rest.join(" ");
            warnings.push(format!("ignored on the command line, for it is no flag: {rest}"));
        }
        warnings
    }
}

/// The keys in which two sets of options differ.
pub fn changed_keys<O: FlagSet>(before: &O, after: &O) -> Vec<&'static str> {
    let changed = O::FLAGS.iter().filter(|flag| {
        let (before, after) = ((flag.config_value)(before), (flag.config_value)(after));
        before != after
    });
    changed.filter_map(|flag| flag.config_key).collect()
}

fn read(path: &str) -> Result<Table, ConfigError> {
    let bytes = std::fs::read(Path::new(path)).map_err(|error| {
        let text = error.to_string();
        // As Go writes it: in lower case, without the number.
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        ConfigError::Unreadable { path: path.to_owned(), reason }
    })?;
    let syntax = |at: usize, reason: &str| {
        let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        let reason = reason.trim().replace('\n', "; ");
        ConfigError::Syntax { path: path.to_owned(), line, reason }
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| syntax(error.valid_up_to(), "this is not UTF-8"))?;
    text.parse().map_err(|error: toml::de::Error| {
        syntax(error.span().map_or(0, |span| span.start), error.message())
    })
}

/// What to say of a key that is no option.
fn unknown<O: FlagSet>(path: &str, key: &str, value: &Value) -> String {
    let mut known = O::FLAGS.iter().filter_map(|flag| flag.config_key);
    let underscored = key.replace('-', "_");
    if value.is_table() {
        format!("{path}: ignoring the table [{key}]: options stand at the top level")
    } else if key.contains('-') && known.any(|known| known == underscored) {
        format!("{path}: ignoring {key}: the key is {underscored}")
    } else {
        format!("{path}: ignoring {key}: no such option in a file")
    }
}

fn refusal(key: &'static str, value: &Value, fault: ConfigFault) -> ConfigError {
    let kind = match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Float(_) => "a float",
        Value::Boolean(_) => "a boolean",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    let value = match value {
        Value::String(text) => text.clone(),
        Value::Table(_) => "{…}".to_owned(),
        value => value.to_string(),
    };
    let reason = match fault {
        ConfigFault::Special => return ConfigError::Special { key, value },
        ConfigFault::Expected(expected) => format!("expected {expected}, not {kind}"),
        ConfigFault::Value(reason) => reason.to_string(),
    };
    ConfigError::Value { key, value, reason }
}
