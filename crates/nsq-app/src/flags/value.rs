//! Types a flag can have.

use std::time::Duration;

use super::integer;
use crate::duration::{DurationText, parse_nanoseconds};

/// A type that flags can have. Daemons implement it for types of their own.
pub trait FlagValue {
    /// Kind of value in the usage text: `int`, `string`, `duration`, or `value` for others.
    /// Empty for booleans.
    const TYPE_WORD: &'static str;

    /// Whether the flag alone means `=true`, and a value needs `=`.
    const IS_BOOLEAN: bool = false;

    /// Takes the text of one occurrence: a scalar is replaced, a list grows.
    ///
    /// # Errors
    ///
    /// When the text is no value of the type.
    fn set(&mut self, text: &str) -> Result<(), ValueError>;

    /// The value as a default in the usage text; `None` if it is zero, empty or false.
    fn default_text(&self) -> Option<String>;
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

    fn default_text(&self) -> Option<String> {
        self.then(|| "true".to_owned())
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

            fn default_text(&self) -> Option<String> {
                (*self != 0).then(|| self.to_string())
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

    fn default_text(&self) -> Option<String> {
        (!self.is_zero()).then(|| DurationText(*self).to_string())
    }
}

impl FlagValue for String {
    const TYPE_WORD: &'static str = "string";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        self.clear();
        self.push_str(text);
        Ok(())
    }

    fn default_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| format!("{self:?}"))
    }
}

/// One element per occurrence, never split.
impl FlagValue for Vec<String> {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        self.push(text.to_owned());
        Ok(())
    }

    fn default_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.join(","))
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

    fn default_text(&self) -> Option<String> {
        let texts: Vec<String> = self.iter().map(|number| format!("{number:.6}")).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    }
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
