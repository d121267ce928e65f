//! Every flag is documented, and no other; the example of a configuration file has every key.
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
//! and, unless it is declared with `no key`, a line in the example of a configuration file, behind
//! a `#` where it cannot have its default's value:
//!
//! ```text
//! sync_every = 2500
//! ```
//!
//! Defaults and types are compared by tests, which can ask the program.

use std::collections::BTreeSet;

use super::{Finding, Source};

const DOCUMENT: &str = "docs/flags.md";
/// Which files declare the flags of which section and of which example; what has no configuration
/// file has no example.
const DECLARATIONS: &[(&str, &str, Option<&str>)] = &[
    ("crates/nsqd/src/options.rs", "## nsqd", Some("contrib/nsqd.cfg.example")),
    ("crates/nsqlookupd/src/options.rs", "## nsqlookupd", Some("contrib/nsqlookupd.cfg.example")),
    ("crates/nsqadmin/src/options.rs", "## nsqadmin", Some("contrib/nsqadmin.cfg.example")),
    ("crates/nsq-tools/src/nsq_to_file/options.rs", "## nsq_to_file", None),
    ("crates/nsq-tools/src/nsq_stat.rs", "## nsq_stat", None),
    ("crates/nsq-tools/src/nsq_tail.rs", "## nsq_tail", None),
    ("crates/nsq-tools/src/to_nsq.rs", "## to_nsq", None),
    ("crates/nsq-tools/src/nsq_to_http.rs", "## nsq_to_http", None),
    ("crates/nsq-tools/src/nsq_to_nsq.rs", "## nsq_to_nsq", None),
];

/// Compares the declarations with the document.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    if !sources.iter().any(|source| source.path == DOCUMENT) {
        return vec![Finding::in_file(DOCUMENT, "is missing")];
    }
    DECLARATIONS.iter().flat_map(|program| check_program(program, sources)).collect()
}

fn check_program(
    (path, section, example): &(&'static str, &'static str, Option<&'static str>),
    sources: &[Source],
) -> Vec<Finding> {
    let text = |path: &str| {
        let found = sources.iter().find(|source| source.path == path);
        found.map_or("", |source| &source.text)
    };
    let mut findings = Vec::new();
    let declaration = text(path);
    let example_keys = keys_of_example(example.map_or("", text));
    for key in declared_keys(declaration).difference(&example_keys) {
        findings.push(Finding::in_file(example.unwrap_or(path), format!("{key} is missing")));
    }
    let declared = declared(declaration);
    if declared.is_empty() {
        findings.push(Finding::in_file(path, "declares no flags"));
    }
    let documented = documented(text(DOCUMENT), section);
    for flag in declared.difference(&documented) {
        let text = format!("--{flag} has no line under `{section}` in {DOCUMENT}");
        findings.push(Finding::in_file(path, text));
    }
    for flag in documented.difference(&declared) {
        let text = format!("--{flag} under `{section}` is not declared in {path}");
        findings.push(Finding::in_file(DOCUMENT, text));
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

/// The configuration keys in a declaration: given with `key`, else the name of the field.
fn declared_keys(text: &str) -> BTreeSet<&str> {
    let text = text.split_once("flags! {").map_or("", |(_, rest)| rest);
    let text = text.split_once("\n}").map_or(text, |(declaration, _)| declaration);
    // A flag ends with the semicolon behind its default.
    text.split(";\n").filter_map(|flag| key_of(&flag[flag.find("        \"")?..])).collect()
}

/// The key of the flag whose declaration the text starts with.
fn key_of(declaration: &str) -> Option<&str> {
    let (head, field) = declaration.split_once("=>")?;
    if head.contains(", no key") {
        return None;
    }
    match head.split_once(", key \"") {
        Some((_, key)) => Some(key.split_once('"')?.0),
        None => Some(field.split_once(':')?.0.trim()),
    }
}

/// The keys in an example of a configuration file, with and without `#`.
fn keys_of_example(text: &str) -> BTreeSet<&str> {
    text.lines()
        .filter_map(|line| Some(line.trim_start_matches('#').split_once(" = ")?.0))
        .collect()
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
        check_all(document, "sync_every = 2500\n#id = 5\n", expected);
    }

    fn check_all(document: &str, example: &str, expected: usize) {
        let (declaration, _, example_path) = DECLARATIONS[0];
        let sources = [
            Source::new(declaration, DECLARATION),
            Source::new(DOCUMENT, document),
            Source::new(example_path.expect("nsqd has one"), example),
        ];
        let findings = check_program(&DECLARATIONS[0], &sources);
        assert_eq!(findings.len(), expected, "{findings:?}");
    }

    #[test]
    fn the_example_has_every_key() {
        let complete = "## nsqd\n\n| `--sync-every` | int |\n| `--node-id` | int |\n";
        check_all(complete, "# the id\nid = 5\n## a\n#sync_every = 2\n", 0);
        check_all(complete, "# the id = 5\nsync_every = 2\n", 1);
        check_all(complete, "", 2);
    }

    #[test]
    fn keys_are_read_as_declared() {
        let text = concat!(
            "flags! {\n    pub struct O {\n",
            "        \"a-b\", no key\n            => a_b: u8 = 1;\n",
            "        \"c-d\", without effect \"x\"\n            => c_ds: u8 = 1;\n",
            "        \"e\", key \"f\" => e: u8 = 1;\n    }\n}\n        \"g\" => h: u8",
        );
        assert_eq!(declared_keys(text).into_iter().collect::<Vec<_>>(), ["c_ds", "f"]);
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
