//! There is a change log, and room in it for the next change.

use super::{Finding, Source};

const CHANGELOG: &str = "CHANGELOG.md";

/// Looks for the change log and its section for what is not released.
pub(super) fn check(sources: &[Source]) -> Option<Finding> {
    let Some(changelog) = sources.iter().find(|source| source.path == CHANGELOG) else {
        return Some(Finding::in_file(CHANGELOG, "is missing"));
    };
    let has_section = changelog.text.lines().any(|line| line == "## Unreleased");
    (!has_section).then(|| Finding::in_file(CHANGELOG, "has no section `## Unreleased`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changelog_must_be_there() {
        assert!(check(&[]).is_some());
        assert!(check(&[Source::new(CHANGELOG, "# Changes\n")]).is_some());
        assert!(check(&[Source::new(CHANGELOG, "# Changes\n\n## Unreleased\n")]).is_none());
    }
}
