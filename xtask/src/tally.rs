//! How many checks passed, read from the closing lines of test runners.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of checks by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// One check that passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    /// One check that failed.
    pub(crate) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    /// One check that was skipped.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// What a test runner counted; nothing if it came to no end.
    ///
    /// ```text
    ///      Summary [   4.1s] 21 tests run: 19 passed (1 slow), 2 failed, 3 skipped     nextest
    /// test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …    cargo test
    /// ℹ pass 5                                       and a line for each other count: node:test
    /// ```
    ///
    /// nextest runs every test by itself and shows the output of those that fail, closing line
    /// included: its own summary is all that counts then.
    pub(crate) fn read(output: &str) -> Self {
        let behind = |words| output.lines().filter_map(move |line| line.split_once(words));
        let summary = behind("tests run: ").chain(behind("test run: ")).last();
        if let Some((_, counts)) = summary {
            return Self::read_counts(counts);
        }
        let mut tally = Self::default();
        for (_, counts) in behind("test result: ") {
            tally += Self::read_counts(counts);
        }
        for line in output.lines().filter_map(|line| line.strip_prefix("\u{2139} ")) {
            tally += Self::read_line(line);
        }
        tally
    }

    /// One count of node's test runner, the word before the number.
    fn read_line(line: &str) -> Self {
        let mut tally = Self::default();
        let Some((word, Ok(count))) = line.split_once(' ').map(|(w, n)| (w, n.parse())) else {
            return tally;
        };
        match word {
            "pass" => tally.passed = count,
            "fail" | "cancelled" => tally.failed = count,
            "skipped" | "todo" => tally.skipped = count,
            _ => {}
        }
        tally
    }

    fn read_counts(counts: &str) -> Self {
        let words: Vec<_> = counts.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let mut tally = Self::default();
        for pair in words.windows(2) {
            let Ok(count) = pair[0].trim_start_matches('(').parse::<u32>() else { continue };
            match pair[1] {
                "passed" => tally.passed += count,
                "failed" | "timed" | "exec" => tally.failed += count,
                "skipped" | "ignored" => tally.skipped += count,
                _ => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn check(output: &str, passed: u32, failed: u32, skipped: u32) {
        assert_eq!(Tally::read(output), Tally { passed, failed, skipped }, "{output}");
    }

    #[test]
    fn closing_lines_of_nextest() {
        check("     Summary [   0.020s] 27 tests run: 27 passed, 0 skipped", 27, 0, 0);
        check("Summary [ 9s] 21/30 tests run: 18 passed (1 slow), 3 failed, 4 skipped", 18, 3, 4);
        check("Summary [ 9s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped", 1, 2, 0);
        check("Summary [ 9s] 1 test run: 1 passed, 2 skipped", 1, 0, 2);
    }

    #[test]
    fn a_failed_test_that_nextest_shows_counts_once() {
        let shown = "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured";
        check(&format!("{shown}\nSummary [ 9s] 2 tests run: 1 passed, 1 failed\n"), 1, 1, 0);
    }

    #[test]
    fn closing_lines_of_cargo_test_add_up() {
        let one = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        let two = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out";
        check(&format!("running\n{one}; finished in 0.00s\n{two}\n"), 6, 2, 1);
        check("error: could not compile", 0, 0, 0);
    }

    #[test]
    fn closing_lines_of_node() {
        let line = |(word, count): (&str, u32)| format!("\u{2139} {word} {count}\n");
        let counts = [("tests", 9), ("suites", 0), ("pass", 5), ("fail", 2), ("cancelled", 1)];
        let closing: String = counts.into_iter().map(line).collect();
        check(&closing, 5, 3, 0);
        let closing: String = [("pass", 1), ("skipped", 2), ("todo", 3)].map(line).concat();
        check(&closing, 1, 0, 5);
        check("\u{2139} duration_ms 12.5\npass 7", 0, 0, 0);
    }
}
