//! How many reports are wanted.

use std::num::IntErrorKind;

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

/// The value of `--count`: none for no end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub Option<u32>);

impl FlagValue for Count {
    const TYPE_WORD: &'static str = "value";

    /// Decimal only, in 32 bits, and worded as by the Go function that reads it there. What is
    /// below zero is refused in the same way as zero, by a check of the tool.
    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        match text.parse::<i32>() {
            Ok(count) => {
                self.0 = Some(u32::try_from(count).unwrap_or(0));
                Ok(())
            }
            Err(error) => {
                let reason = match error.kind() {
                    IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
                    _ => "invalid syntax",
                };
                Err(ValueError::Refused(format!("strconv.ParseInt: parsing {text:?}: {reason}")))
            }
        }
    }

    fn set_config(&mut self, _: &toml::Value) -> Result<Option<String>, ConfigFault> {
        // The tools have no configuration files.
        Err(ConfigFault::Special)
    }

    fn default_text(&self) -> Option<String> {
        self.0.map(|count| count.to_string())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Integer(self.0.map_or(0, i64::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_in_go() {
        for (text, expected) in [
            ("1", Ok(Some(1))),
            ("+5", Ok(Some(5))),
            ("0", Ok(Some(0))),
            ("-3", Ok(Some(0))),
            ("x", Err("strconv.ParseInt: parsing \"x\": invalid syntax")),
            ("0x10", Err("strconv.ParseInt: parsing \"0x10\": invalid syntax")),
            ("", Err("strconv.ParseInt: parsing \"\": invalid syntax")),
            ("2147483648", Err("strconv.ParseInt: parsing \"2147483648\": value out of range")),
        ] {
            let mut count = Count::default();
            let set = count.set(text).map(|()| count.0);
            assert_eq!(set.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        }
    }
}
