//! Comparing the versions of nodes.

use std::cmp::Ordering;

/// A semantic version; what is none counts as `0.0.0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    numbers: [u64; 3],
    /// Behind the dash, split at dots; empty for a release.
    prerelease: Vec<Part>,
}

/// Numbers are below words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Version {
    pub(super) fn parse(text: &str) -> Self {
        Self::try_parse(text).unwrap_or_default()
    }

    fn try_parse(text: &str) -> Option<Self> {
        let (text, _build) = text.split_once('+').unwrap_or((text, ""));
        let (release, prerelease) = match text.split_once('-') {
            Some((release, prerelease)) => (release, prerelease.split('.').map(part).collect()),
            None => (text, Vec::new()),
        };
        let mut parts = release.split('.').map(|number| number.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self { numbers, prerelease })
    }
}

fn part(text: &str) -> Part {
    text.parse().map_or_else(|_| Part::Word(text.to_owned()), Part::Number)
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A release is above all of its own prereleases.
        let is_release = |version: &Self| version.prerelease.is_empty();
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| is_release(self).cmp(&is_release(other)))
            .then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_in_order() {
        let ascending = [
            "unknown",
            "0.2.30",
            "0.3.0",
            "1.3.0-1",
            "1.3.0-alpha",
            "1.3.0-alpha.1",
            "1.3.0-alpha.10",
            "1.3.0-beta",
            "1.3.0",
            "1.10.0",
        ];
        for pair in ascending.windows(2) {
            assert!(Version::parse(pair[0]) < Version::parse(pair[1]), "{pair:?}");
        }
        for (left, right) in [("1.3.0+a", "1.3.0+b"), ("1.3", ""), ("1.2.3.4", "x")] {
            assert_eq!(Version::parse(left), Version::parse(right));
        }
    }
}
