//! What somebody at a terminal sees while messages go out.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is written anew.
const EVERY: Duration = Duration::from_secs(1);

/// How many messages were published, and the line that says so.
#[derive(Debug)]
pub(super) struct Progress {
    published: Cell<u64>,
    is_shown: bool,
}

impl Progress {
    /// Shown to a terminal only, and not to one that messages are typed at.
    pub(super) fn new() -> Self {
        let is_shown = io::stderr().is_terminal() && !io::stdin().is_terminal();
        Self { published: Cell::new(0), is_shown }
    }

    /// One more.
    pub(super) fn count(&self) {
        self.published.set(self.published.get() + 1);
    }

    /// Shows the line for as long as this is waited for.
    pub(super) async fn show(&self) -> Infallible {
        if !self.is_shown {
            return std::future::pending().await;
        }
        let (mut before, mut at) = (self.published.get(), Instant::now());
        loop {
            tokio::time::sleep(EVERY).await;
            let (now, count) = (Instant::now(), self.published.get());
            write(&format!("\r{}", line(count, count - before, now - at)));
            (before, at) = (count, now);
        }
    }

    /// Leaves the last line behind.
    pub(super) fn end(&self) {
        if self.is_shown {
            write(&format!("\r{:<50}\n", format!("{} messages", self.published.get())));
        }
    }
}

/// As long whatever it says, so that it covers the one before.
fn line(count: u64, new: u64, elapsed: Duration) -> String {
    let rate = new as f64 / elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
    format!("{:<50}", format!("{count} messages, {rate:.0} per second"))
}

fn write(text: &str) {
    if io::stderr().write_all(text.as_bytes()).is_err() {
        // The terminal is gone; publishing goes on.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let text = line(12_345, 300, Duration::from_millis(1500));
        assert_eq!(text.trim_end(), "12345 messages, 200 per second");
        assert_eq!(text.len(), 50);
        assert_eq!(line(1, 0, Duration::ZERO).trim_end(), "1 messages, 0 per second");
    }
}
