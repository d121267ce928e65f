//! One noun per file: names that say nothing attract code that belongs elsewhere.

use super::{Finding, Source};

const SAYS_NOTHING: &[&str] = &["common", "helper", "helpers", "misc", "types", "util", "utils"];

/// Looks at the name of a file and of its folder.
pub(super) fn check(source: &Source) -> Option<Finding> {
    if !source.has_extension("rs") {
        return None;
    }
    let mut parts = source.path.trim_end_matches(".rs").split('/');
    let name = parts.find(|part| SAYS_NOTHING.contains(part))?;
    Some(Finding::in_file(&source.path, format!("`{name}` says nothing: name what it holds")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_path(path: &str, expected: bool) {
        assert_eq!(check(&Source::new(path, "")).is_some(), expected, "{path}");
    }

    #[test]
    fn names_that_say_nothing() {
        check_path("crates/nsqd/src/utils.rs", true);
        check_path("crates/nsqd/tests/common/mod.rs", true);
        check_path("crates/nsqd/src/topic.rs", false);
        check_path("docs/common.md", false);
    }
}
