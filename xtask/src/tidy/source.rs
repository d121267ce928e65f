//! The files of the project.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// From the root of the project, with `/`.
    pub(super) path: String,
    /// Empty if it is a picture, or anything else that is no text.
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the name ends so.
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Whether this is Rust that is part of a product: no test, no example.
    pub(super) fn is_product_code(&self) -> bool {
        let folders = ["tests", "examples", "benches", "fuzz"];
        self.has_extension("rs") && !self.path.split('/').any(|part| folders.contains(&part))
    }

    /// The name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The lines before the unit tests, with their numbers from 1.
    pub(super) fn lines_before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().zip(1..).map(|(line, number)| (number, line));
        lines.take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// The lines of code among these: comments are blanked out, strings are not.
    pub(super) fn code(line: &str) -> &str {
        let is_comment = line.trim_start().starts_with("//");
        let (code, _) = line.split_once(" // ").unwrap_or((line, ""));
        if is_comment { "" } else { code }
    }
}

/// All files that git knows or would add.
pub(super) fn all(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.current_dir(workspace.root()).output().context("cannot start git")?;
    ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr));
    let mut sources = Vec::new();
    for path in String::from_utf8(output.stdout)?.split('\0').filter(|path| !path.is_empty()) {
        // A file that is deleted but not committed yet is still listed.
        if let Ok(content) = fs::read(workspace.path(path)) {
            let text = String::from_utf8(content).unwrap_or_default();
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    ensure!(!sources.is_empty(), "git lists no files");
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn product_code_is_what_is_no_test_and_no_example() {
        for path in ["src/up.rs", "crates/nsqd/src/http/stats.rs", "xtask/src/tidy.rs"] {
            assert!(Source::new(path, "").is_product_code(), "{path}");
        }
        for path in ["tests/up.rs", "crates/a/tests/world/mod.rs", "fuzz/a.rs", "docs/a.md"] {
            assert!(!Source::new(path, "").is_product_code(), "{path}");
        }
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(Source::code("    // a.b()"), "");
        assert_eq!(Source::code("a(); // b"), "a();");
        assert_eq!(Source::code("http://a"), "http://a");
    }

    #[test]
    fn unit_tests_do_not_count() {
        let source = Source::new("a.rs", "a\nb\n#[cfg(test)]\nmod tests {}\n");
        assert_eq!(source.lines_before_tests().collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
    }
}
