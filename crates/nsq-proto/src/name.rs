//! Names of topics and channels.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// Longest name in bytes, `#ephemeral` included.
pub const MAX_NAME_LENGTH: usize = 64;

const EPHEMERAL: &str = "#ephemeral";

/// Why something is not a name. NSQ gives no finer reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a name is 1 to 64 of a-z A-Z 0-9 . _ - and may end in #ephemeral")]
pub struct InvalidName;

/// Topic and channel names follow one rule but must never be mistaken for each other.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// A name is 1 to [`MAX_NAME_LENGTH`] bytes: one or more of `a-z A-Z 0-9 . _ -`, then
        /// optionally `#ephemeral`. Cloning shares the text.
        #[derive(Clone)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name that these bytes spell.
            pub fn parse(name: &[u8]) -> Result<Self, InvalidName> {
                checked(name).map(|name| Self(name.into()))
            }

            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the name ends in `#ephemeral`: never on disk, gone with its last user.
            pub fn is_ephemeral(&self) -> bool {
                self.0.ends_with(EPHEMERAL)
            }
        }

        // Comparing the addresses first makes a run of publishes to one topic cheap to recognize.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.cmp(&other.0)
            }
        }

        // As `str` hashes, which `Borrow<str>` promises.
        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::parse(name.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

name_type! {
    /// The name of a topic.
    TopicName
}

name_type! {
    /// The name of a channel.
    ChannelName
}

fn checked(name: &[u8]) -> Result<&str, InvalidName> {
    let base = name.strip_suffix(EPHEMERAL.as_bytes()).unwrap_or(name);
    let is_valid = name.len() <= MAX_NAME_LENGTH
        && !base.is_empty()
        && base.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
    if !is_valid {
        return Err(InvalidName);
    }
    std::str::from_utf8(name).map_err(|_| InvalidName)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_names() {
        let longest = "x".repeat(64);
        let longest_ephemeral = format!("{}#ephemeral", "x".repeat(54));
        for name in ["a", ".", "..", "A-z_0.9", "-", "a#ephemeral", &longest, &longest_ephemeral] {
            assert_eq!(name.parse::<TopicName>().unwrap().as_str(), name);
            assert_eq!(name.parse::<ChannelName>().unwrap().to_string(), name);
        }
        let too_long = "x".repeat(65);
        let too_long_ephemeral = format!("{}#ephemeral", "x".repeat(55));
        for name in [
            "",
            "#ephemeral",
            "a#ephemera",
            "a#Ephemeral",
            "a#ephemeral#ephemeral",
            "#ephemerala",
            "a b",
            "a!",
            "a/b",
            "é",
            "a\n",
            "a\0",
            &too_long,
            &too_long_ephemeral,
        ] {
            assert_eq!(name.parse::<TopicName>(), Err(InvalidName), "{name:?}");
        }
        assert_eq!(TopicName::parse(b"a\xff"), Err(InvalidName));
    }

    #[test]
    fn ephemeral_is_a_suffix() {
        assert!("a#ephemeral".parse::<ChannelName>().unwrap().is_ephemeral());
        assert!(!"ephemeral".parse::<ChannelName>().unwrap().is_ephemeral());
    }

    #[test]
    fn names_are_found_by_their_text() {
        let topics = std::collections::HashMap::from([("b".parse::<TopicName>().unwrap(), 1)]);
        assert_eq!(topics.get("b"), Some(&1));
        assert!("a".parse::<TopicName>().unwrap() < "b".parse::<TopicName>().unwrap());
    }
}
