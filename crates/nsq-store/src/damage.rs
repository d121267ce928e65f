//! What could not be read.

use std::fmt;
use std::path::PathBuf;

use nsq_broker::Sequence;

/// A part of a log that was skipped because it is damaged or missing.
///
/// The file itself is left as it is. Reading over the same place again reports it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment file, or the log's directory when the file itself is missing.
    pub path: PathBuf,
    /// Where the damage begins, in bytes.
    pub offset: u64,
    /// How much was skipped, in bytes; 0 when there was nothing to skip.
    pub bytes: u64,
    /// The first message that is missing.
    pub first: Sequence,
    /// How many messages are missing, as far as it is known.
    pub messages: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, offset, bytes, first, messages } = self;
        write!(
            f,
            "{}: {bytes} bytes at offset {offset} cannot be read, \
             {messages} messages from number {} on are skipped",
            path.display(),
            first.0
        )
    }
}
