//! Pure crates name no runtime, socket, file, thread or clock. Clippy's `disallowed-*` lists say
//! the same; this also sees what is only imported or is behind a `cfg`.

use super::{Finding, Source};

const PURE: &[&str] = &["crates/nsq-proto/src/", "crates/nsq-broker/src/"];
const IMPURE: &[&str] =
    &["tokio", "std::net", "std::fs", "std::thread", "std::process", "Instant", "SystemTime"];

/// Looks for the names of what is not pure.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    if !PURE.iter().any(|folder| source.path.starts_with(folder)) || !source.has_extension("rs") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines_before_tests() {
        let code = Source::code(line);
        let found = IMPURE.iter().filter(|name| names(code, name));
        let text = |name| format!("a pure crate must not name {name}");
        findings.extend(found.map(|name| Finding::in_line(&source.path, number, text(name))));
    }
    findings
}

/// Whether the line has the name as a word of its own.
fn names(code: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let behind = code[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !behind.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_line(path: &str, line: &str, expected: usize) {
        assert_eq!(check(&Source::new(path, line)).len(), expected, "{line}");
    }

    #[test]
    fn clocks_and_sockets_are_found() {
        let path = "crates/nsq-broker/src/topic.rs";
        check_line(path, "let now = Instant::now();", 1);
        check_line(path, "use std::net::SocketAddr;", 1);
        check_line(path, "use std::time::{Instant, SystemTime};", 2);
        check_line(path, "/// Not a tokio task.", 0);
        check_line(path, "let instants = Instantaneous;", 0);
        check_line(path, "#[cfg(test)]\nuse std::fs;", 0);
    }

    #[test]
    fn other_crates_may() {
        check_line("crates/nsqd/src/clock.rs", "let now = Instant::now();", 0);
        check_line("crates/nsq-broker/tests/law.rs", "let now = Instant::now();", 0);
    }
}
