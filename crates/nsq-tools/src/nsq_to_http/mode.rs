//! `--mode`.

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

use crate::host_pool::PoolMode;

/// Where each message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To every address, one after the other.
    All,
    /// To one address.
    One(PoolMode),
}

impl Mode {
    fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::One(mode) => mode.word(),
        }
    }
}

impl FlagValue for Mode {
    const TYPE_WORD: &'static str = "value";

    /// NSQ takes any unknown word for `all`, so that a slip of the finger sends everything
    /// everywhere.
    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let refusal = || "must be round-robin, hostpool, epsilon-greedy or all".to_owned();
        *self = match (text, PoolMode::of_word(text)) {
            ("all", _) => Self::All,
            (_, Some(mode)) => Self::One(mode),
            (_, None) => return Err(ValueError::Refused(refusal())),
        };
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
