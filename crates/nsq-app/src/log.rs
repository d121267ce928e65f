//! The daemon's log lines:
//!
//! ```text
//! [nsqd] 2026/11/22 18:20:10.259529 INFO: TOPIC(orders): created
//! <prefix>YYYY/MM/DD HH:MM:SS.microseconds LEVEL: text
//! ```
//!
//! or as JSON:
//!
//! ```text
//! {"time":"2026-11-22T18:20:10.259529Z","level":"info","program":"nsqd","message":"text"}
//! ```

mod format;
mod level;

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::local_time::LocalTime;

use format::Event;

pub use format::LogFormat;
pub use level::{InvalidLogLevel, LogLevel};

/// Writes log lines. Clones are cheap and share the level.
#[derive(Clone)]
pub struct Logger {
    shared: Arc<Shared>,
}

struct Shared {
    prefix: String,
    format: LogFormat,
    threshold: AtomicU8,
    time: LocalTime,
    output: Mutex<Box<dyn Write + Send>>,
}

impl Logger {
    /// Writes to standard error in local time. `prefix` is used verbatim, its blank included.
    #[must_use]
    pub fn to_stderr(prefix: &str, level: LogLevel) -> Self {
        Self::to_stderr_as(LogFormat::Text, prefix, level)
    }

    /// The same in another form than text.
    #[must_use]
    pub fn to_stderr_as(format: LogFormat, prefix: &str, level: LogLevel) -> Self {
        Self::with(format, prefix, level, LocalTime::system(), Box::new(io::stderr()))
    }

    /// Writes text to `output`, one call per line.
    #[must_use]
    pub fn new(
        prefix: &str,
        level: LogLevel,
        time: LocalTime,
        output: Box<dyn Write + Send>,
    ) -> Self {
        Self::with(LogFormat::Text, prefix, level, time, output)
    }

    fn with(
        format: LogFormat,
        prefix: &str,
        level: LogLevel,
        time: LocalTime,
        output: Box<dyn Write + Send>,
    ) -> Self {
        let (prefix, output) = (prefix.to_owned(), Mutex::new(output));
        let threshold = AtomicU8::new(level.number());
        Self { shared: Arc::new(Shared { prefix, format, threshold, time, output }) }
    }

    /// Changes, for all clones and at once, the lowest level that is written.
    pub fn change_level(&self, level: LogLevel) {
        self.shared.threshold.store(level.number(), Ordering::Relaxed);
    }

    /// The lowest level that is written.
    #[must_use]
    pub fn level(&self) -> LogLevel {
        let number = self.shared.threshold.load(Ordering::Relaxed);
        LogLevel::of_number(number).expect("only levels are stored")
    }

    /// Whether lines of `level` are written. Worth asking where a line is costly to put together.
    #[must_use]
    pub fn writes(&self, level: LogLevel) -> bool {
        level.number() >= self.shared.threshold.load(Ordering::Relaxed)
    }

    /// Writes one line if `level` is high enough.
    ///
    /// ```
    /// # let (log, name) = (nsq_app::Logger::to_stderr("", nsq_app::LogLevel::Fatal), "a");
    /// log.info(format_args!("TOPIC({name}): created"));
    /// ```
    pub fn log(&self, level: LogLevel, text: fmt::Arguments<'_>) {
        if self.writes(level) {
            self.write(SystemTime::now(), level, text);
        }
    }

    /// A `DEBUG` line.
    pub fn debug(&self, text: fmt::Arguments<'_>) {
        self.log(LogLevel::Debug, text);
    }

    /// An `INFO` line.
    pub fn info(&self, text: fmt::Arguments<'_>) {
        self.log(LogLevel::Info, text);
    }

    /// A `WARNING` line.
    pub fn warning(&self, text: fmt::Arguments<'_>) {
        self.log(LogLevel::Warning, text);
    }

    /// An `ERROR` line.
    pub fn error(&self, text: fmt::Arguments<'_>) {
        self.log(LogLevel::Error, text);
    }

    /// A `FATAL` line. Ending the program is the caller's.
    pub fn fatal(&self, text: fmt::Arguments<'_>) {
        self.log(LogLevel::Fatal, text);
    }

    fn write(&self, moment: SystemTime, level: LogLevel, text: fmt::Arguments<'_>) {
        let event = Event { prefix: &self.shared.prefix, moment, level, text };
        let line = match self.shared.format {
            LogFormat::Text => event.text_line(&self.shared.time),
            LogFormat::Json => event.json_line(&self.shared.time),
        };
        // The output is valid whatever a panicking writer left behind: keep logging.
        let mut output = self.shared.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.write_all(line.as_bytes()).is_err() {
            // Standard error is gone. There is nowhere left to say so, and no reason to stop.
        }
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Logger").field("prefix", &self.shared.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands over what each single `write` call got.
    struct Calls(mpsc::Sender<String>);

    impl Write for Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(bytes).into_owned()).expect("the test listens");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_level_decides_and_can_change() {
        let (calls, written) = mpsc::channel();
        let time = LocalTime::utc();
        let log = Logger::new("p", LogLevel::Info, time, Box::new(Calls(calls)));
        let clone = log.clone();
        log.debug(format_args!("hidden"));
        log.info(format_args!("a{}", 1));
        clone.change_level(LogLevel::Error);
        assert_eq!(log.level(), LogLevel::Error);
        log.warning(format_args!("hidden"));
        log.fatal(format_args!("b"));
        clone.change_level(LogLevel::Debug);
        log.debug(format_args!("c"));
        let texts: Vec<String> = written
            .try_iter()
            .map(|call| call.split_once(' ').expect("date and time").1[16..].to_owned())
            .collect();
        assert_eq!(texts, ["INFO: a1\n", "FATAL: b\n", "DEBUG: c\n"]);
    }

    #[test]
    fn levels_are_read_in_any_case() {
        for (text, expected) in [
            ("debug", Ok(LogLevel::Debug)),
            ("INFO", Ok(LogLevel::Info)),
            ("Warn", Ok(LogLevel::Warning)),
            ("error", Ok(LogLevel::Error)),
            ("fatal", Ok(LogLevel::Fatal)),
        ] {
            assert_eq!(text.parse::<LogLevel>(), expected);
        }
        for text in ["warning", "", " info", "2"] {
            let error = text.parse::<LogLevel>().expect_err("not a level");
            assert_eq!(
                error.to_string(),
                format!("invalid log level '{text}' (debug, info, warn, error, fatal)")
            );
        }
    }
}
