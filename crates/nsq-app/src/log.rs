//! The daemon's log lines:
//!
//! ```text
//! [nsqd] 2026/11/22 18:20:10.259529 INFO: TOPIC(orders): created
//! <prefix>YYYY/MM/DD HH:MM:SS.microseconds LEVEL: text
//! ```

mod level;

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::local_time::LocalTime;

pub use level::{InvalidLogLevel, LogLevel};

/// Writes log lines. Clones are cheap and share the level.
#[derive(Clone)]
pub struct Logger {
    shared: Arc<Shared>,
}

struct Shared {
    prefix: String,
    threshold: AtomicU8,
    time: LocalTime,
    output: Mutex<Box<dyn Write + Send>>,
}

impl Logger {
    /// Writes to standard error in local time. `prefix` is used verbatim, its blank included.
    #[must_use]
    pub fn to_stderr(prefix: &str, level: LogLevel) -> Self {
        Self::new(prefix, level, LocalTime::system(), Box::new(io::stderr()))
    }

    /// Writes to `output`, one call per line.
    #[must_use]
    pub fn new(
        prefix: &str,
        level: LogLevel,
        time: LocalTime,
        output: Box<dyn Write + Send>,
    ) -> Self {
        let threshold = AtomicU8::new(level.number());
        let output = Mutex::new(output);
        Self { shared: Arc::new(Shared { prefix: prefix.to_owned(), threshold, time, output }) }
    }

    /// Changes, for all clones and at once, the lowest level that is written.
    pub fn change_level(&self, level: LogLevel) {
        self.shared.threshold.store(level.number(), Ordering::Relaxed);
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
        let line = line(&self.shared.prefix, &self.shared.time, moment, level, text);
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

/// Puts one line together. Line breaks in the text, which may come from a client, are shown as
/// `\n` and `\r`: one event is one line, and nobody can forge another.
fn line(
    prefix: &str,
    time: &LocalTime,
    moment: SystemTime,
    level: LogLevel,
    text: fmt::Arguments<'_>,
) -> String {
    let mut line = String::with_capacity(128);
    line.push_str(prefix);
    time.append_log_date(moment, &mut line);
    line.push(' ');
    line.push_str(level.label());
    line.push_str(": ");
    let text_start = line.len();
    if fmt::write(&mut line, text).is_err() {
        line.push_str("(a part of this line failed to format)");
    }
    if line[text_start..].contains(['\n', '\r']) {
        let text = line[text_start..].replace('\n', "\\n").replace('\r', "\\r");
        line.replace_range(text_start.., &text);
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

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

    fn check_line(level: LogLevel, text: &str, expected: &str) {
        let moment = SystemTime::UNIX_EPOCH + Duration::new(1_795_371_610, 259_529_000);
        let line = line("[nsqd] ", &LocalTime::utc(), moment, level, format_args!("{text}"));
        assert_eq!(line, expected);
    }

    #[test]
    fn lines_have_go_nsqs_form() {
        let version = "nsqd v1.3.0 (built w/go1.27.3)";
        check_line(
            LogLevel::Info,
            version,
            "[nsqd] 2026/11/22 18:20:10.259529 INFO: nsqd v1.3.0 (built w/go1.27.3)\n",
        );
        check_line(LogLevel::Debug, "x", "[nsqd] 2026/11/22 18:20:10.259529 DEBUG: x\n");
        check_line(LogLevel::Warning, "x", "[nsqd] 2026/11/22 18:20:10.259529 WARNING: x\n");
        check_line(LogLevel::Error, "x", "[nsqd] 2026/11/22 18:20:10.259529 ERROR: x\n");
        check_line(LogLevel::Fatal, "", "[nsqd] 2026/11/22 18:20:10.259529 FATAL: \n");
    }

    #[test]
    fn a_text_cannot_forge_a_second_line() {
        check_line(
            LogLevel::Info,
            "a\r\n[nsqd] b\n",
            "[nsqd] 2026/11/22 18:20:10.259529 INFO: a\\r\\n[nsqd] b\\n\n",
        );
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
