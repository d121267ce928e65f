//! Why a command line was not understood, in Go's words.

use super::ValueError;

/// The first thing wrong with a command line. Displays as the first line on standard error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// `-h` or `-help`. Not a mistake, but nothing else is to be done.
    #[error("help requested")]
    HelpAsked,
    /// `---x`, `-=x`.
    #[error("bad flag syntax: {0}")]
    BadSyntax(String),
    /// Not among the program's flags.
    #[error("flag provided but not defined: -{0}")]
    NotDefined(String),
    /// The command line ended where the value had to come.
    #[error("flag needs an argument: -{0}")]
    NeedsValue(String),
    /// Not a value of the flag's type.
    #[error("{}", invalid_value(name, value, *is_boolean, reason))]
    InvalidValue {
        /// Flag, without dashes.
        name: String,
        /// As given.
        value: String,
        /// Go words it differently for booleans.
        is_boolean: bool,
        /// The type's complaint.
        reason: ValueError,
    },
    /// An argument that cannot be text; shown with replacement characters.
    #[error("argument is not UTF-8: {0}")]
    NotUtf8(String),
    /// A whole line that stands alone; see [`ValueError::FatalLine`].
    #[error("{0}")]
    FatalLine(String),
}

impl FlagError {
    /// 0 for help, 2 for a wrong command line, 1 where Go NSQ's own code gives up.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::HelpAsked => 0,
            Self::FatalLine(_) => 1,
            _ => 2,
        }
    }
}

fn invalid_value(name: &str, value: &str, is_boolean: bool, reason: &ValueError) -> String {
    if is_boolean {
        format!("invalid boolean value {value:?} for -{name}: {reason}")
    } else {
        format!("invalid value {value:?} for flag -{name}: {reason}")
    }
}
