//! Links between documents lead somewhere.

use std::collections::BTreeSet;

use super::{Finding, Source};

/// Follows all relative links of all documents.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let documents = || sources.iter().filter(|source| source.has_extension("md"));
    let mut findings = Vec::new();
    for document in documents() {
        for (number, target) in links(&document.text) {
            if let Some(problem) = problem(sources, document, target) {
                findings.push(Finding::in_line(&document.path, number, problem));
            }
        }
    }
    findings
}

/// What is wrong with a link, if anything.
fn problem(sources: &[Source], from: &Source, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { from.path.clone() } else { resolve(&from.path, file) };
    let folder = format!("{}/", path.trim_end_matches('/'));
    let Some(source) = sources.iter().find(|source| source.path == path) else {
        let is_folder = sources.iter().any(|source| source.path.starts_with(&folder));
        return (!is_folder).then(|| format!("there is no {path}"));
    };
    let is_there = anchor.is_empty() || anchors(&source.text).contains(anchor);
    (!is_there).then(|| format!("{path} has no heading #{anchor}"))
}

/// Path of `file` as seen from the document at `from`.
fn resolve(from: &str, file: &str) -> String {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The targets of `[text](target)` outside code, with their lines from 1.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        // Every second part is between backticks.
        for part in line.split('`').step_by(2) {
            let targets = part.split("](").skip(1);
            links.extend(targets.filter_map(|rest| Some((number, rest.split_once(')')?.0))));
        }
    }
    links
}

/// The names that headings can be linked by, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter(|(_, line)| line.starts_with('#'));
    headings.map(|(_, line)| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = |character: char| match character {
        ' ' => Some('-'),
        '-' | '_' => Some(character),
        character if character.is_alphanumeric() => Some(character),
        _ => None,
    };
    heading.to_lowercase().chars().filter_map(kept).collect()
}

/// The lines outside code blocks, with their numbers from 1.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((number, line));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_link(link: &str, expected: Option<usize>) {
        let sources = [
            Source::new("README.md", &format!("# A\n\n{link}\n")),
            Source::new("docs/b.md", "# B\n\n## What, `then`?\n\n```\n# code\n```\n"),
        ];
        let found = check(&sources);
        assert_eq!(found.first().and_then(Finding::line), expected, "{link}: {found:?}");
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        check_link("[b](docs/b.md)", None);
        check_link("[b](./docs/b.md#what-then)", None);
        check_link("[folder](docs) and [folder](docs/)", None);
        check_link("[self](#a)", None);
        check_link("[elsewhere](https://nsq.io)", None);
        check_link("[c](docs/c.md)", Some(3));
        check_link("[b](docs/b.md) and [c](c.md)", Some(3));
        check_link("[b](docs/b.md#code)", Some(3));
    }

    #[test]
    fn code_has_no_links() {
        check_link("`[c](c.md)`", None);
        check_link("```\n[c](c.md)\n```", None);
    }

    #[test]
    fn links_are_relative_to_their_document() {
        assert_eq!(resolve("docs/b.md", "../README.md"), "README.md");
        assert_eq!(resolve("docs/b.md", "c.md"), "docs/c.md");
    }
}
