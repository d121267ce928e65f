//! Log lines about one topic.

use std::fmt;

use nsq_app::Logger;

/// Puts `[topic/channel]` before what is logged.
#[derive(Clone, Debug)]
pub(super) struct TopicLog {
    log: Logger,
    label: String,
}

impl TopicLog {
    pub(super) fn new(log: Logger, topic: &str, channel: &str) -> Self {
        Self { log, label: format!("[{topic}/{channel}]") }
    }

    pub(super) fn info(&self, text: fmt::Arguments<'_>) {
        self.log.info(format_args!("{} {text}", self.label));
    }

    pub(super) fn warning(&self, text: fmt::Arguments<'_>) {
        self.log.warning(format_args!("{} {text}", self.label));
    }

    /// `[topic/channel]`
    pub(super) fn label(&self) -> &str {
        &self.label
    }
}
