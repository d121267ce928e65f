//! Types a flag can have.

use std::time::Duration;

use toml::Value;

use super::integer;
use crate::duration::{DurationText, parse_nanoseconds};

/// A type that flags can have. Daemons implement it for types of their own.
pub trait FlagValue {
    /// Kind of value in the usage text: `int`, `string`, `duration`, or `value` for others.
    /// Empty for booleans.
    const TYPE_WORD: &'static str;

    /// Whether the flag alone means `=true`, and a value needs `=`.
    const IS_BOOLEAN: bool = false;

    /// Whether a bare number behind the flag belongs to it although it is a boolean.
    const TOLERATES_NUMBER: bool = false;

    /// Takes the text of one occurrence: a scalar is replaced, a list grows.
    ///
    /// # Errors
    ///
    /// When the text is no value of the type.
    fn set(&mut self, text: &str) -> Result<(), ValueError>;

    /// Takes a value of a configuration file, which replaces what was there. Returns what the
    /// user should be warned of: how the value was understood.
    ///
    /// # Errors
    ///
    /// When it cannot be understood as a value of the type.
    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault>;

    /// The value as a default in the usage text; `None` if it is zero, empty or false.
    fn default_text(&self) -> Option<String>;

    /// The value as `/config/<key>` shows it.
    fn config_value(&self) -> ConfigValue;
}

/// The value of an option in the form in which `/config/<key>` answers it.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigValue {
    /// Shown bare.
    Text(String),
    /// JSON; nanoseconds for durations.
    Integer(i64),
    /// JSON.
    Boolean(bool),
    /// A JSON array.
    Texts(Vec<String>),
    /// A JSON array.
    Numbers(Vec<f64>),
}

/// Why a value of a configuration file is none of an option's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigFault {
    /// Another kind of TOML value; holds what it has to be, with its article.
    Expected(&'static str),
    /// The right kind, but not understood.
    Value(ValueError),
    /// The type is one of those that Go NSQ reads by itself, with a line of its own.
    Special,
}

impl From<ValueError> for ConfigFault {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

/// Why a text is no value of a flag's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not the type's notation.
    #[error("parse error")]
    Syntax,
    /// The right notation, but too large, too small or negative where it cannot be.
    #[error("value out of range")]
    OutOfRange,
    /// The type has its own way to say it.
    #[error("{0}")]
    Refused(String),
    /// A line that replaces the usual error and usage text: Go NSQ's float lists end the process
    /// with a log line and code 1.
    #[error("{0}")]
    FatalLine(String),
}

impl FlagValue for bool {
    const TYPE_WORD: &'static str = "";
    const IS_BOOLEAN: bool = true;

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        *self = match text {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => return Err(ValueError::Syntax),
        };
        Ok(())
    }

    /// Go NSQ inverts integers: 0 is true and all others are false. Nobody who writes `1` means
    /// that, so it is read as everybody expects, and said.
    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        match value {
            Value::Boolean(value) => *self = *value,
            Value::String(text) => self.set(text)?,
            Value::Integer(number @ (0 | 1)) => {
                *self = *number == 1;
                return Ok(Some(format!(
                    "{number} means {self} here, while Go NSQ took it for {}; write {self}",
                    !*self
                )));
            }
            _ => return Err(ConfigFault::Expected("true or false")),
        }
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        self.then(|| "true".to_owned())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Boolean(*self)
    }
}

/// Go has one flag integer, of 64 bits. A narrower or unsigned type here states what makes sense
/// for the option; anything else is out of range at once instead of somewhere inside.
macro_rules! integer_flags {
    ($($integer:ty),*) => {$(
        impl FlagValue for $integer {
            const TYPE_WORD: &'static str = "int";

            fn set(&mut self, text: &str) -> Result<(), ValueError> {
                let wide = integer::parse(text)?;
                *self = Self::try_from(wide).map_err(|_| ValueError::OutOfRange)?;
                Ok(())
            }

            fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
                let wide = match value {
                    Value::Integer(number) => *number,
                    // In files a text is decimal, whatever the command line takes.
                    Value::String(text) => text.parse().map_err(|_| ValueError::Syntax)?,
                    _ => return Err(ConfigFault::Expected("an integer")),
                };
                *self = Self::try_from(wide).map_err(|_| ValueError::OutOfRange)?;
                Ok(None)
            }

            fn default_text(&self) -> Option<String> {
                (*self != 0).then(|| self.to_string())
            }

            fn config_value(&self) -> ConfigValue {
                // No flag and no file can set more.
                ConfigValue::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

integer_flags!(i64, u64, usize, i32, u32, u16);

impl FlagValue for Duration {
    const TYPE_WORD: &'static str = "duration";

    /// Go accepts negative durations; none of NSQ's options has a use for one.
    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let nanoseconds = parse_nanoseconds(text).ok_or(ValueError::Syntax)?;
        let nanoseconds = u64::try_from(nanoseconds).map_err(|_| ValueError::OutOfRange)?;
        *self = Self::from_nanos(nanoseconds);
        Ok(())
    }

    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        match value {
            Value::Integer(milliseconds) => {
                let nanoseconds = milliseconds.checked_mul(1_000_000);
                let nanoseconds = nanoseconds.and_then(|wide| u64::try_from(wide).ok());
                *self = Self::from_nanos(nanoseconds.ok_or(ValueError::OutOfRange)?);
            }
            Value::String(text) => self.set(text)?,
            _ => return Err(ConfigFault::Expected("a duration such as \"250ms\"")),
        }
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        (!self.is_zero()).then(|| DurationText(*self).to_string())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Integer(i64::try_from(self.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FlagValue for String {
    const TYPE_WORD: &'static str = "string";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        self.clear();
        self.push_str(text);
        Ok(())
    }

    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        *self = text_of(value).ok_or(ConfigFault::Expected("a string"))?;
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| format!("{self:?}"))
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Text(self.clone())
    }
}

/// One element per occurrence, never split.
impl FlagValue for Vec<String> {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        self.push(text.to_owned());
        Ok(())
    }

    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        *self = match value {
            Value::String(text) => split_list(text).map(str::to_owned).collect(),
            Value::Array(elements) => {
                let texts: Option<_> = elements.iter().map(text_of).collect();
                texts.ok_or(ConfigFault::Expected("a list of strings"))?
            }
            value => return no_list(self, value, "a list of strings"),
        };
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.join(","))
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Texts(self.clone())
    }
}

/// Commas split and occurrences collect; the whole is sorted downwards.
impl FlagValue for Vec<f64> {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        for element in text.split(',') {
            let number = element
                .parse()
                .map_err(|_| ValueError::FatalLine(format!("Could not parse: {element}")))?;
            self.push(number);
        }
        self.sort_by(|left, right| right.total_cmp(left));
        Ok(())
    }

    /// Unlike flags, files keep the order.
    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        *self = match value {
            Value::String(text) => {
                let numbers = split_list(text).map(|element| element.trim().parse());
                numbers.collect::<Result<_, _>>().map_err(|_| ValueError::Syntax)?
            }
            Value::Array(elements) => {
                let numbers: Option<_> = elements.iter().map(number_of).collect();
                numbers.ok_or(ConfigFault::Expected("a list of numbers"))?
            }
            value => return no_list(self, value, "a list of numbers"),
        };
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        let texts: Vec<String> = self.iter().map(|number| format!("{number:.6}")).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Numbers(self.clone())
    }
}

/// The value of `--worker-id`, which Go NSQ declares as a boolean that does nothing. Command lines
/// from before have a number there, which must neither be an error nor end the flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IgnoredNumber;

impl FlagValue for IgnoredNumber {
    const TYPE_WORD: &'static str = "";
    const IS_BOOLEAN: bool = true;
    const TOLERATES_NUMBER: bool = true;

    fn set(&mut self, _: &str) -> Result<(), ValueError> {
        Ok(())
    }

    fn set_config(&mut self, _: &Value) -> Result<Option<String>, ConfigFault> {
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        None
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Boolean(false)
    }
}

/// The text of a string or number.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) => Some(*number),
        // Those that a float cannot hold exactly are no percentiles either.
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

/// The elements of a list that is written as one string; none in an empty one.
fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|_| !text.is_empty())
}

/// Go NSQ takes a number or boolean for the empty list. A file that says so keeps loading.
fn no_list<T>(
    list: &mut Vec<T>,
    value: &Value,
    expected: &'static str,
) -> Result<Option<String>, ConfigFault> {
    if matches!(value, Value::Table(_) | Value::Datetime(_)) {
        return Err(ConfigFault::Expected(expected));
    }
    list.clear();
    Ok(Some(format!("{value} is taken for the empty list, as in Go NSQ; write [{value}] or []")))
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn check<T: FlagValue + PartialEq + Debug>(start: T, text: &str, expected: Result<T, &str>) {
        let mut value = start;
        match (value.set(text), expected) {
            (Ok(()), Ok(expected)) => assert_eq!(value, expected, "{text:?}"),
            (Err(error), Err(reason)) => assert_eq!(error.to_string(), reason, "{text:?}"),
            (outcome, expected) => panic!("{text:?}: {outcome:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn booleans() {
        for text in ["1", "t", "T", "TRUE", "true", "True"] {
            check(false, text, Ok(true));
        }
        for text in ["0", "f", "F", "FALSE", "false", "False"] {
            check(true, text, Ok(false));
        }
        for text in ["", "yes", "no", "tRUE", "2", " true"] {
            check(false, text, Err("parse error"));
        }
    }

    #[test]
    fn integers_are_limited_by_their_type() {
        check(0_i64, "-9223372036854775808", Ok(i64::MIN));
        check(0_u64, "-1", Err("value out of range"));
        check(0_u16, "65535", Ok(65_535));
        check(0_u16, "0x10000", Err("value out of range"));
        check(0_i64, "1e3", Err("parse error"));
    }

    #[test]
    fn durations() {
        check(Duration::ZERO, "1h30m2.5s", Ok(Duration::from_millis(5_402_500)));
        check(Duration::MAX, "0", Ok(Duration::ZERO));
        check(Duration::ZERO, "5", Err("parse error"));
        check(Duration::ZERO, "", Err("parse error"));
        check(Duration::ZERO, "-1s", Err("value out of range"));
    }

    #[test]
    fn lists() {
        check(vec!["a".to_owned()], "b,c", Ok(vec!["a".to_owned(), "b,c".to_owned()]));
        check(vec![0.99], "0.5,1.0", Ok(vec![1.0, 0.99, 0.5]));
        check(vec![0.5], "abc", Err("Could not parse: abc"));
    }
}
