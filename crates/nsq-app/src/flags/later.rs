//! Options of Go NSQ whose feature does not exist here yet.

use toml::Value;

use super::FlagValue;

/// An option that is known and refused, so that nobody relies on what does nothing. With a value
/// that switches the feature off it is accepted: then there is nothing to miss.
#[derive(Debug, Clone, Copy)]
pub struct LaterFlag {
    /// Name without dashes.
    pub name: &'static str,
    /// Name in configuration files.
    pub config_key: &'static str,
    /// Values that are fine without the feature.
    pub accepted: Accepted,
    /// The feature, e.g. `TLS`.
    pub needs: &'static str,
}

/// Which values of a [`LaterFlag`] are fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// All: it only matters together with an option that is refused.
    Any,
    /// The empty string or list.
    Empty,
    /// False; the flag takes a value only after `=`.
    False,
}

impl LaterFlag {
    /// Whether the flag alone means `=true`.
    pub(super) fn is_boolean(&self) -> bool {
        self.accepted == Accepted::False
    }

    pub(super) fn accepts(&self, text: &str) -> bool {
        match self.accepted {
            Accepted::Any => true,
            Accepted::Empty => text.is_empty(),
            Accepted::False => {
                let mut is_on = true;
                is_on.set(text).is_ok() && !is_on
            }
        }
    }

    pub(super) fn accepts_config(&self, value: &Value) -> bool {
        match (self.accepted, value) {
            (Accepted::Any, _) => true,
            (_, Value::String(text)) => self.accepts(text),
            (Accepted::Empty, Value::Array(elements)) => elements.is_empty(),
            (Accepted::False, Value::Boolean(is_on)) => !is_on,
            (Accepted::False, Value::Integer(number)) => *number == 0,
            _ => false,
        }
    }
}
