//! `--consumer-opt` and `--producer-opt`: options of the client by name.

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};
use nsq_client::Config;

/// `name,value` or only `name`, which means `true`; may be given many times.
#[derive(Clone, Debug, Default)]
pub struct ClientOptions(pub Config);

impl ClientOptions {
    /// Those of consumers whose messages must have their effect before they are finished. One that
    /// comes for the sixth time, because a destination was away or this program was killed, is
    /// not finished by the client without it, as go-nsq's default would have it.
    pub(crate) fn never_giving_up() -> Self {
        Self(Config { max_attempts: 0, ..Config::default() })
    }
}

impl FlagValue for ClientOptions {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let (name, value) = text.split_once(',').unwrap_or((text, "true"));
        self.0.set(name, value).map_err(|error| ValueError::Refused(error.to_string()))
    }

    fn set_config(&mut self, _: &toml::Value) -> Result<Option<String>, ConfigFault> {
        // The tools have no configuration files.
        Err(ConfigFault::Special)
    }

    fn default_text(&self) -> Option<String> {
        None
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Texts(Vec::new())
    }
}
