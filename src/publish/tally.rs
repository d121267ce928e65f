//! What became of all messages.

use std::fmt::Write;
use std::time::Duration;

use nsq_client::PublishError;

use super::input::Separator;

/// Counts outcomes, which come in the order of the messages.
#[derive(Debug, Default)]
pub(super) struct Tally {
    published: u64,
    /// Empty lines: a message has at least one byte.
    skipped: u64,
    failed: u64,
    first_failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    number: u64,
    error: PublishError,
    /// How many were published by then.
    published_before: u64,
}

impl Tally {
    pub(super) fn note(&mut self, number: u64, result: Result<(), PublishError>) {
        match result {
            Ok(()) => self.published += 1,
            Err(error) => {
                self.failed += 1;
                let published_before = self.published;
                self.first_failure.get_or_insert(Failure { number, error, published_before });
            }
        }
    }

    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    pub(super) fn published(&self) -> u64 {
        self.published
    }

    pub(super) fn has_failed(&self) -> bool {
        self.first_failure.is_some()
    }

    /// The line that is shown meanwhile.
    pub(super) fn progress(&self, elapsed: Duration) -> String {
        let rate = self.published as f64 / elapsed.as_secs_f64().max(0.001);
        format!("{} published, {rate:.0} a second", self.published)
    }

    /// The line at the end.
    pub(super) fn summary(&self) -> String {
        let mut text = format!("{} published", counted(self.published, "message"));
        if self.skipped > 0 {
            text.push_str(&format!(", {} skipped", counted(self.skipped, "empty one")));
        }
        text
    }

    /// The first failure with what else is known, if anything failed. `separator` is how standard
    /// input was read, if it was.
    pub(super) fn failure(&self, separator: Option<Separator>) -> Option<String> {
        let Failure { number, error, published_before } = self.first_failure.as_ref()?;
        let behind = self.published - published_before;
        let mut text = match separator {
            Some(Separator::End) => return Some(error.to_string()),
            Some(Separator::LineBreak) => format!("line {number}: {error}"),
            Some(Separator::Null) | None => format!("message {number}: {error}"),
        };
        let written = match (published_before, behind, self.failed - 1) {
            (0, 0, _) => write!(text, " (none is published)"),
            (before, 0, 0) => write!(text, " ({before} before it published)"),
            (before, behind, 0) => {
                write!(text, " ({before} before it and {behind} behind it published)")
            }
            (before, behind, others) => write!(
                text,
                " ({before} before it and {behind} behind it published, {others} failed as well)"
            ),
        };
        written.expect("a String takes everything");
        Some(text)
    }
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(results: &[bool]) -> Tally {
        let mut tally = Tally::default();
        for (is_published, number) in results.iter().zip(1..) {
            let refused = Err(PublishError::Refused("E_X no".into()));
            tally.note(number, if *is_published { Ok(()) } else { refused });
        }
        tally
    }

    #[test]
    fn summaries() {
        let mut two = tally(&[true, true]);
        assert_eq!(two.summary(), "2 messages published");
        assert_eq!(two.failure(None), None);
        two.skip();
        assert_eq!(two.summary(), "2 messages published, 1 empty one skipped");
        assert_eq!(tally(&[true]).summary(), "1 message published");
        assert_eq!(two.progress(Duration::from_millis(500)), "2 published, 4 a second");
    }

    #[test]
    fn the_first_failure_is_named() {
        let lines = Some(Separator::LineBreak);
        for (results, separator, expected) in [
            (&[false][..], None, "message 1: E_X no (none is published)"),
            (&[false], Some(Separator::End), "E_X no"),
            (&[true, false], lines, "line 2: E_X no (1 before it published)"),
            (
                &[true, false, true, true],
                lines,
                "line 2: E_X no (1 before it and 2 behind it published)",
            ),
            (
                &[true, false, true, false],
                Some(Separator::Null),
                "message 2: E_X no (1 before it and 1 behind it published, 1 failed as well)",
            ),
        ] {
            assert_eq!(tally(results).failure(separator).as_deref(), Some(expected));
        }
    }
}
