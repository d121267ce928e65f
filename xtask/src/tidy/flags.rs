//! Every flag is documented, and no other.
//!
//! A flag is declared once, inside `flags! { … }`, as
//!
//! ```text
//! /// number of messages per fsync
//! "sync-every" => sync_every: u64 = 2500;
//! ```
//!
//! and has a line in the table of its program in `docs/flags.md`:
//!
//! ```text
//! | `--sync-every` | int | `2500` | number of messages per fsync |
//! ```
//!
//! Defaults and types are compared by a test, which can ask the program.

use std::collections::BTreeSet;

use super::{Finding, Source};

const DOCUMENT: &str = "docs/flags.md";
/// Which files declare the flags of which section.
const DECLARATIONS: &[(&str, &str)] = &[("crates/nsqd/src/options.rs", "## nsqd")];

/// Compares the declarations with the document.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let find = |path: &str| sources.iter().find(|source| source.path == path);
    let Some(document) = find(DOCUMENT) else {
        return vec![Finding::in_file(DOCUMENT, "is missing")];
    };
    let mut findings = Vec::new();
    for (path, section) in DECLARATIONS {
        let declared = find(path).map(|source| declared(&source.text)).unwrap_or_default();
        if declared.is_empty() {
            findings.push(Finding::in_file(path, "declares no flags"));
        }
        let documented = documented(&document.text, section);
        for flag in declared.difference(&documented) {
            let text = format!("--{flag} has no line under `{section}` in {DOCUMENT}");
            findings.push(Finding::in_file(path, text));
        }
        for flag in documented.difference(&declared) {
            let text = format!("--{flag} under `{section}` is not declared in {path}");
            findings.push(Finding::in_file(DOCUMENT, text));
        }
    }
    findings
}

/// The names in a declaration: each stands at the start of a line, in quotes.
fn declared(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().skip_while(|line| !line.contains("flags! {"));
    let lines = lines.take_while(|line| *line != "}");
    let name = |line: &'_ str| Some(line.trim_start().strip_prefix('"')?.split_once('"')?.0.len());
    lines.filter_map(|line| line.trim_start().get(1..=name(line)?)).collect()
}

/// The names in the table of a section.
fn documented<'a>(text: &'a str, section: &str) -> BTreeSet<&'a str> {
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let lines = lines.take_while(|line| !line.starts_with("## "));
    lines.filter_map(|line| Some(line.strip_prefix("| `--")?.split_once('`')?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARATION: &str = "nsq_app::flags! {
    pub struct Options {
        /// number of messages per fsync
        \"sync-every\" => sync_every: u64 = 2500;
        /// unique part for message IDs
        \"node-id\", key \"id\" => node_id: i64 = 0;
    }
}
        \"not-a-flag\" => 1";

    fn check_document(document: &str, expected: usize) {
        let path = DECLARATIONS[0].0;
        let sources = [Source::new(path, DECLARATION), Source::new(DOCUMENT, document)];
        let findings = check(&sources);
        assert_eq!(findings.len(), expected, "{findings:?}");
    }

    #[test]
    fn the_table_has_exactly_the_declared_flags() {
        let complete = "## nsqd\n\n| `--sync-every` | int |\n| `--node-id` | int |\n";
        check_document(complete, 0);
        check_document("## nsqd\n\n| `--sync-every` | int |\n", 1);
        check_document(&format!("{complete}| `--snappy` | |\n"), 1);
        check_document(&format!("{complete}\n## nsqlookupd\n\n| `--other` | |\n"), 0);
        check_document(&complete.replace("nsqd", "nsqadmin"), 2);
    }

    #[test]
    fn the_document_must_be_there() {
        assert_eq!(check(&[Source::new(DECLARATIONS[0].0, DECLARATION)]).len(), 1);
    }
}
