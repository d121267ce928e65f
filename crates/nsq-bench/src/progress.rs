//! `Progress`: one line a second on a terminal, nothing elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use crate::report::grouped;
use crate::snapshot::per;

/// The progress line on stderr.
pub(crate) struct Progress {
    visible: bool,
    started: Instant,
    shown: Instant,
    published: u64,
    delivered: u64,
}

impl Progress {
    /// Starts with empty counts; shows nothing unless stderr is a terminal.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let visible = stderr().is_terminal();
        Self { visible, started: now, shown: now, published: 0, delivered: 0 }
    }

    /// Shows the counts if the last time is a second ago.
    pub(crate) fn update(&mut self, published: u64, delivered: u64) {
        let since = self.shown.elapsed();
        if !self.visible || since < Duration::from_secs(1) {
            return;
        }
        let rate = |now: u64, before: u64| {
            grouped(per(now.saturating_sub(before) as f64, since.as_secs_f64()) as u64)
        };
        let line = format!(
            "\r{:6.0} s   published {:>12}/s   delivered {:>12}/s ",
            self.started.elapsed().as_secs_f64(),
            rate(published, self.published),
            rate(delivered, self.delivered),
        );
        self.write(&line);
        (self.shown, self.published, self.delivered) = (Instant::now(), published, delivered);
    }

    /// Shows a count that grows towards a goal, if the last time is a second ago.
    pub(crate) fn update_count(&mut self, what: &str, done: u64, goal: u64) {
        if self.visible && self.shown.elapsed() >= Duration::from_secs(1) {
            self.write(&format!("\r{:>12} of {} {what} ", grouped(done), grouped(goal)));
            self.shown = Instant::now();
        }
    }

    /// A terminal that cannot be written to needs no progress line any more.
    fn write(&mut self, line: &str) {
        let mut terminal = stderr();
        self.visible = terminal.write_all(line.as_bytes()).and_then(|()| terminal.flush()).is_ok();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible && self.shown > self.started {
            self.write("\n");
        }
    }
}
