//! Sizes. The length of functions and their nesting are clippy's.

use super::{Finding, Source};

/// Lines of a file of product code, unit tests aside.
const MAX_LINES: usize = 600;
/// Columns of a line of Rust, also where rustfmt gives up: in macros and comments.
const MAX_COLUMNS: usize = 100;

/// Measures a file.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.has_extension("rs") {
        return findings;
    }
    if source.is_product_code() {
        let lines = source.lines_before_tests().count();
        if lines > MAX_LINES {
            let text =
                format!("{lines} lines are more than {MAX_LINES}: split where the idea does");
            findings.push(Finding::in_file(&source.path, text));
        }
    }
    for (line, number) in source.text.lines().zip(1..) {
        let columns = line.chars().count();
        // Golden texts of tests stay whole: whoever compares them should not have to put them
        // together first.
        let is_golden = !source.is_product_code() && line.contains('"');
        if columns > MAX_COLUMNS && !is_golden {
            let text = format!("{columns} columns are more than {MAX_COLUMNS}");
            findings.push(Finding::in_line(&source.path, number, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, expected: usize) {
        assert_eq!(check(&Source::new(path, text)).len(), expected, "{path}");
    }

    #[test]
    fn long_files() {
        check_text("src/a.rs", &"a\n".repeat(600), 0);
        check_text("src/a.rs", &"a\n".repeat(601), 1);
        check_text("tests/a.rs", &"a\n".repeat(601), 0);
        let tested = format!("{}#[cfg(test)]\n{}", "a\n".repeat(600), "b\n".repeat(100));
        check_text("src/a.rs", &tested, 0);
    }

    #[test]
    fn wide_lines_are_measured_in_characters() {
        check_text("tests/a.rs", &"ä".repeat(100), 0);
        check_text("tests/a.rs", &"a".repeat(101), 1);
        check_text("docs/a.md", &"a".repeat(101), 0);
    }

    #[test]
    fn golden_texts_of_tests_may_be_wide() {
        let golden = format!("    const ANSWER: &str = \"{}\";", "a".repeat(101));
        check_text("tests/a.rs", &golden, 0);
        check_text("src/a.rs", &golden, 1);
    }
}
