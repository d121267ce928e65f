//! The client's log lines, as go-nsq writes them:
//!
//! ```text
//! 2026/11/22 18:49:16 INF    1 [orders/archive] (127.0.0.1:4150) connecting to nsqd
//! date                level, the client's number, topic and channel, text
//! ```

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::say;

struct ClientLog;

impl Log for ClientLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("nsq_client")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Error => "ERR",
            Level::Warn => "WRN",
            Level::Info => "INF",
            Level::Debug | Level::Trace => "DBG",
        };
        say(format_args!("{level:<4} {}", record.args()));
    }

    fn flush(&self) {}
}

/// From here on, what the client logs from `level` up is said on standard error.
pub(crate) fn log_to_stderr(level: LevelFilter) {
    // It is set already where several tools run in one process, as in tests.
    match log::set_logger(&ClientLog) {
        Ok(()) | Err(_) => log::set_max_level(level),
    }
}
