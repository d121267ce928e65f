//! The client's log lines on standard error.

use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

struct ClientLog;

impl Log for ClientLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("nsq_client")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let label = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info | Level::Debug | Level::Trace => "",
        };
        // The number that the client begins with tells several clients apart; here is only one.
        let text = record.args().to_string();
        let text = text.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        let line = format!("nsq: {label}{text}\n");
        if io::stderr().write_all(line.as_bytes()).is_err() {
            // Standard error is gone. There is nowhere left to say so, and no reason to stop.
        }
    }

    fn flush(&self) {}
}

/// From here on, what the client logs from `level` up is said on standard error.
pub(crate) fn to_stderr(level: LevelFilter) {
    // One command runs in one process, so nobody has set another one.
    match log::set_logger(&ClientLog) {
        Ok(()) | Err(_) => log::set_max_level(level),
    }
}
