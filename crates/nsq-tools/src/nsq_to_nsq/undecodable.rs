//! `--undecodable-json`.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use nsq_app::flags::{ConfigFault, ConfigValue, FlagValue, ValueError};

use crate::cli::say;

/// More of a message is not shown.
const SHOWN_BYTES_MAX: usize = 1024;

/// What becomes of messages that should be JSON objects and are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// They are finished, and so lost.
    Drop,
    /// They are requeued with back-off, until they were tried too often.
    Requeue,
    /// They go on as they are.
    Pass,
}

impl Undecodable {
    const ALL: [Self; 3] = [Self::Drop, Self::Requeue, Self::Pass];

    fn word(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Requeue => "requeue",
            Self::Pass => "pass",
        }
    }
}

/// What is done, as a log line has it.
impl fmt::Display for Undecodable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Drop => "dropped",
            Self::Requeue => "requeued",
            Self::Pass => "passed on",
        })
    }
}

impl FlagValue for Undecodable {
    const TYPE_WORD: &'static str = "value";

    fn set(&mut self, text: &str) -> Result<(), ValueError> {
        let found = Self::ALL.into_iter().find(|it| it.word() == text);
        let refusal = || ValueError::Refused("must be drop, requeue or pass".to_owned());
        *self = found.ok_or_else(refusal)?;
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

/// Says what becomes of such messages, and counts them.
#[derive(Debug)]
pub(super) struct UndecodableMessages {
    pub(super) action: Undecodable,
    count: AtomicU64,
}

impl UndecodableMessages {
    pub(super) fn new(action: Undecodable) -> Self {
        Self { action, count: AtomicU64::new(0) }
    }

    /// There is one. The line begins as NSQ's does.
    pub(super) fn report(&self, body: &[u8]) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (shown, more) = match body.split_at_checked(SHOWN_BYTES_MAX) {
            Some((shown, [_, ..])) => (shown, "…"),
            _ => (body, ""),
        };
        let (shown, action) = (String::from_utf8_lossy(shown), self.action);
        let text = "ERROR: Unable to decode json:";
        say(format_args!("{text} {shown}{more} ({action}, {count} so far)"));
    }
}
