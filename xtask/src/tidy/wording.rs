//! Words that must not be in the code.

use super::{Finding, Source};

/// What is unfinished is absent, not noted. Put together so that this file is not found itself.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const CODE: &[&str] = &["rs", "toml", "py", "js", "sh", "txt"];

/// Looks for notes on unfinished work, results thrown away, and tests that do not run.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !CODE.iter().any(|extension| source.has_extension(extension)) {
        return findings;
    }
    let mut found = |number, text: String| {
        findings.push(Finding::in_line(&source.path, number, text));
    };
    for (line, number) in source.text.lines().zip(1..) {
        let words: Vec<_> = line.split(|character: char| !character.is_alphanumeric()).collect();
        if let Some(word) = UNFINISHED.iter().find(|word| words.contains(word)) {
            found(number, format!("{word}: finish it, or open an issue"));
        }
        let code = Source::code(line).trim_start();
        if source.has_extension("rs") && code.starts_with(concat!("let ", "_ =")) {
            found(number, "handle the result, return it, or log what it means".to_owned());
        }
        if source.has_extension("rs") && code.starts_with(concat!("#[", "ignore")) {
            found(number, "a test that does not run shows nothing".to_owned());
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(path: &str, line: &str, expected: usize) {
        assert_eq!(check(&Source::new(path, line)).len(), expected, "{line}");
    }

    #[test]
    fn unfinished_work() {
        let (note, other) = (UNFINISHED[0], UNFINISHED[1]);
        check_line("src/a.rs", &format!("// {note}: later"), 1);
        check_line("tests/a.py", &format!("# {other}(me)"), 1);
        check_line("src/a.rs", &format!("// {note}S are words"), 0);
        check_line("docs/a.md", &format!("No {note}s, no {note}."), 0);
    }

    #[test]
    fn results_thrown_away() {
        let thrown = concat!("    let ", "_ = file.sync();");
        check_line("src/a.rs", thrown, 1);
        check_line("src/a.rs", &format!("// {thrown}"), 0);
        check_line("src/a.rs", "    let _one_at_a_time = lock.lock();", 0);
    }

    #[test]
    fn tests_that_do_not_run() {
        check_line("tests/a.rs", concat!("#[", "ignore = \"slow\"]"), 1);
    }
}
