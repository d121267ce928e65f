//! How the next host is chosen.

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

/// The ways to choose among upstream addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// One after the other, also those that fail.
    RoundRobin,
    /// One after the other, without those that failed lately.
    Hostpool,
    /// Without those that failed lately, the faster ones more often.
    EpsilonGreedy,
}

impl PoolMode {
    const ALL: [Self; 3] = [Self::RoundRobin, Self::Hostpool, Self::EpsilonGreedy];

    /// As it is written on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::Hostpool => "hostpool",
            Self::EpsilonGreedy => "epsilon-greedy",
        }
    }

    /// The mode of that word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.word() == word)
    }
}

impl FlagValue for PoolMode {
    const TYPE_WORD: &'static str = "value";

    /// NSQ takes any other word for round-robin.
    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let refusal = || "must be round-robin, hostpool or epsilon-greedy".to_owned();
        *self = Self::of_word(text).ok_or_else(|| ValueError::Refused(refusal()))?;
        Ok(())
    }

    fn set_config(&mut self, _: &toml::Value) -> Result<Option<String>, ConfigFault> {
        // The tools have no configuration files.
        Err(ConfigFault::Special)
    }

    fn default_text(&self) -> Option<String> {
        Some(self.word().to_owned())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Text(self.word().to_owned())
    }
}
