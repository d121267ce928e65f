//! `--sample`.

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

/// The share of messages that is sent on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample(pub f64);

impl Sample {
    /// Whether it is a share at all.
    pub(super) fn is_valid(self) -> bool {
        (0.0..=1.0).contains(&self.0)
    }

    /// Whether a message is among it, given a random number from 0 to 1, without 1.
    pub(super) fn has(self, random: f64) -> bool {
        random < self.0
    }
}

impl FlagValue for Sample {
    const TYPE_WORD: &'static str = "float";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        self.0 = text.parse().map_err(|_| ValueError::Syntax)?;
        Ok(())
    }

    fn set_config(&mut self, _: &toml::Value) -> Result<Option<String>, ConfigFault> {
        // The tools have no configuration files.
        Err(ConfigFault::Special)
    }

    fn default_text(&self) -> Option<String> {
        (self.0 != 0.0).then(|| self.0.to_string())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Numbers(vec![self.0])
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn nothing_all_and_in_between() {
        let nearly_1 = 1.0 - f64::EPSILON;
        for (share, random, expected) in [
            (0.0, 0.0, false),
            (1.0, nearly_1, true),
            (0.25, 0.0, true),
            (0.25, 0.24, true),
            (0.25, 0.25, false),
        ] {
            assert_eq!(Sample(share).has(random), expected, "{share} {random}");
        }
        for (share, expected) in [(-0.1, false), (1.1, false), (f64::NAN, false), (0.5, true)] {
            assert_eq!(Sample(share).is_valid(), expected, "{share}");
        }
    }
}
