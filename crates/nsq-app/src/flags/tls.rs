//! What options of TLS can be.

use toml::Value;

use super::{ConfigFault, ConfigValue, FlagValue, ValueError};

/// Who must speak TLS: `--tls-required`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsRequired {
    /// Nobody.
    #[default]
    No,
    /// TCP clients; plain HTTP is served, too: `tcp-https`.
    TcpHttps,
    /// Everybody.
    Yes,
}

impl FlagValue for TlsRequired {
    const TYPE_WORD: &'static str = "value";
    const IS_BOOLEAN: bool = true;

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let word = text.to_lowercase();
        if word == "tcp-https" {
            *self = Self::TcpHttps;
            return Ok(());
        }
        let mut required = false;
        required.set(&word).map_err(|_| {
            ValueError::Refused(format!("strconv.ParseBool: parsing {word:?}: invalid syntax"))
        })?;
        *self = if required { Self::Yes } else { Self::No };
        Ok(())
    }

    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        let word = match value {
            Value::Boolean(required) => required.to_string(),
            Value::Integer(number @ (0 | 1)) => number.to_string(),
            Value::String(word) => word.clone(),
            _ => return Err(ConfigFault::Special),
        };
        self.set(&word).map_err(|_| ConfigFault::Special)?;
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        (*self != Self::No).then(|| (*self as u8).to_string())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Integer(*self as i64)
    }
}

/// The lowest version of TLS: `--tls-min-version`. Which are served is not for the flag to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsMinVersion {
    number: u16,
    is_given: bool,
}

/// The words and their numbers on the wire. `ssl3.0` is only in Go NSQ's help: it is refused there.
const VERSIONS: [(&str, u16); 5] = [
    ("tls1.0", 0x0301),
    ("tls1.1", 0x0302),
    ("tls1.2", 0x0303),
    ("tls1.3", 0x0304),
    ("ssl3.0", 0x0301),
];

impl TlsMinVersion {
    /// The number on the wire: 0x0303 for TLS 1.2.
    #[must_use]
    pub fn number(self) -> u16 {
        self.number
    }

    /// Whether somebody chose it.
    #[must_use]
    pub fn is_given(self) -> bool {
        self.is_given
    }

    fn word(self) -> &'static str {
        VERSIONS.iter().find(|(_, number)| *number == self.number).map_or("", |(word, _)| word)
    }
}

impl Default for TlsMinVersion {
    /// TLS 1.0, which is Go NSQ's.
    fn default() -> Self {
        Self { number: 0x0301, is_given: false }
    }
}

impl FlagValue for TlsMinVersion {
    const TYPE_WORD: &'static str = "value";

    /// Any case; an empty word changes nothing.
    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let word = text.to_lowercase();
        if word.is_empty() {
            return Ok(());
        }
        let found = VERSIONS.iter().find(|(known, _)| *known == word);
        let unknown = || ValueError::Refused(format!("unknown tlsVersionOption {word:?}"));
        self.number = found.ok_or_else(unknown)?.1;
        self.is_given = true;
        Ok(())
    }

    fn set_config(&mut self, value: &Value) -> Result<Option<String>, ConfigFault> {
        let word = value.as_str().ok_or(ConfigFault::Special)?;
        *self = Self::default();
        self.set(word).map_err(|_| ConfigFault::Special)?;
        Ok(None)
    }

    fn default_text(&self) -> Option<String> {
        Some(self.word().to_owned())
    }

    fn config_value(&self) -> ConfigValue {
        ConfigValue::Integer(i64::from(self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must() {
        for (text, expected) in [
            ("true", Some(TlsRequired::Yes)),
            ("T", Some(TlsRequired::Yes)),
            ("0", Some(TlsRequired::No)),
            ("TCP-https", Some(TlsRequired::TcpHttps)),
            ("2", None),
            ("", None),
        ] {
            let mut required = TlsRequired::TcpHttps;
            let set = required.set(text);
            assert_eq!(set.is_ok().then_some(required), expected, "{text}");
        }
        let configured = |value: Value| {
            let mut required = TlsRequired::No;
            required.set_config(&value).map(|_| required)
        };
        assert_eq!(configured(Value::Boolean(true)), Ok(TlsRequired::Yes));
        assert_eq!(configured(Value::Integer(1)), Ok(TlsRequired::Yes));
        assert_eq!(configured(Value::String("tcp-https".to_owned())), Ok(TlsRequired::TcpHttps));
        assert_eq!(configured(Value::Integer(2)), Err(ConfigFault::Special));
        assert_eq!(TlsRequired::Yes.config_value(), ConfigValue::Integer(2));
    }

    #[test]
    fn versions() {
        for (text, expected) in
            [("tls1.3", Some(0x0304)), ("TLS1.0", Some(0x0301)), ("", Some(0x0303)), ("1.2", None)]
        {
            let mut version = TlsMinVersion { number: 0x0303, is_given: false };
            let set = version.set(text);
            assert_eq!(set.is_ok().then_some(version.number()), expected, "{text}");
        }
        assert_eq!(TlsMinVersion::default().default_text().as_deref(), Some("tls1.0"));
    }
}
