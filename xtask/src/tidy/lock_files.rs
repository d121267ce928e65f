//! Lock files of other package managers name versions and checksums, but no place to download
//! from: everybody has another mirror.

use super::{Finding, Source};

/// Looks for addresses in npm's lock files.
pub(super) fn check(source: &Source) -> Option<Finding> {
    let names_a_place =
        source.name() == "package-lock.json" && source.text.contains("\"resolved\"");
    names_a_place.then(|| Finding::in_file(&source.path, "it names where packages come from"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_a_lock_file() {
        let with = r#"{"node_modules/a": {"resolved": "https://example.org/a.tgz"}}"#;
        assert!(check(&Source::new("a/package-lock.json", with)).is_some());
        assert!(check(&Source::new("a/package-lock.json", "{}")).is_none());
    }
}
