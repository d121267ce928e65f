//! The names of a topic's files, relative to the directory they are in.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use nsq_app::local_time::LocalTime;
use regex::Regex;
use thiserror::Error;

const REVISION: &str = "<REV>";
const DATETIME: &str = "<DATETIME>";

/// What names are made of.
#[derive(Clone, Debug)]
pub(super) struct NameParts<'a> {
    /// `--filename-format`
    pub(super) format: &'a str,
    /// `--datetime-format`
    pub(super) datetime_format: &'a str,
    /// The topic.
    pub(super) topic: &'a str,
    /// `--host-identifier`, filled in.
    pub(super) host: &'a str,
    /// The number of this process.
    pub(super) process_id: u32,
    /// Whether files may have to be told apart by `<REV>`.
    pub(super) has_revisions: bool,
    /// Whether names end with `.gz`.
    pub(super) is_gzip: bool,
}

/// Why a topic cannot have files.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum InvalidFileNames {
    #[error("missing <REV> in --filename-format when gzip, rotation, or work dir enabled")]
    NoRevision,
    /// Topics may be called `..`, and anybody may create one.
    #[error("file name {0} leaves the directory")]
    LeavesDirectory(String),
}

/// The format of a topic's names, with everything filled in that does not change.
#[derive(Clone, Debug)]
pub(super) struct FileNames {
    /// Has `<DATETIME>` and `<REV>` left.
    format: String,
    datetime_format: String,
    /// Names that any process of this format may have made.
    pattern: Regex,
}

/// The name of files that were begun at one time; only `<REV>` is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DatedName(String);

impl FileNames {
    pub(super) fn new(parts: &NameParts<'_>) -> Result<Self, InvalidFileNames> {
        let mut format = parts.format.trim_start_matches('/').to_owned();
        if !parts.has_revisions {
            format = format.replace(REVISION, "");
        } else if !format.contains(REVISION) {
            return Err(InvalidFileNames::NoRevision);
        }
        if parts.is_gzip && !format.ends_with(".gz") {
            format.push_str(".gz");
        }
        let format = format.replace("<TOPIC>", parts.topic).replace("<HOST>", parts.host);
        let pattern = pattern(&format);
        let format = format.replace("<PID>", &parts.process_id.to_string());
        let is_parent = |component| component == Component::ParentDir;
        if Path::new(&format).components().any(is_parent) {
            return Err(InvalidFileNames::LeavesDirectory(format));
        }
        Ok(Self { format, datetime_format: parts.datetime_format.to_owned(), pattern })
    }

    /// The name for a file that is begun now.
    pub(super) fn at(&self, time: &LocalTime, now: SystemTime) -> DatedName {
        if !self.format.contains(DATETIME) {
            return DatedName(self.format.clone());
        }
        let datetime = time.strftime(now, &self.datetime_format);
        DatedName(self.format.replace(DATETIME, &datetime))
    }

    /// Whether this or another process may have given the name to a file of the topic.
    pub(super) fn may_have_made(&self, name: &str) -> bool {
        self.pattern.is_match(name)
    }
}

impl DatedName {
    pub(super) fn with_revision(&self, revision: u64) -> PathBuf {
        let name = self.0.replace(REVISION, &format!("-{revision:06}"));
        // A date may begin with a slash.
        PathBuf::from(name.trim_start_matches('/'))
    }
}

impl fmt::Display for DatedName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// `--host-identifier` with its placeholders filled in; the host's short name if there is none.
pub(super) fn host_identifier(identifier: &str, hostname: &str) -> String {
    let short = hostname.split('.').next().unwrap_or_default();
    if identifier.is_empty() {
        return short.to_owned();
    }
    identifier.replace("<SHORT_HOST>", short).replace("<HOSTNAME>", hostname)
}

fn pattern(format: &str) -> Regex {
    let escaped = regex::escape(format)
        .replace(&regex::escape("<PID>"), "[0-9]+")
        .replace(&regex::escape(REVISION), "-[0-9]{6,}")
        .replace(&regex::escape(DATETIME), ".*");
    Regex::new(&format!("^{escaped}$")).expect("escaped text and correct parts are correct")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DEFAULT: &str = "<TOPIC>.<HOST><REV>.<DATETIME>.log";

    fn parts(format: &str) -> NameParts<'_> {
        NameParts {
            format,
            datetime_format: "%Y-%m-%d_%H",
            topic: "orders",
            host: "host1",
            process_id: 12_382,
            has_revisions: true,
            is_gzip: false,
        }
    }

    fn dated(parts: &NameParts<'_>) -> Result<DatedName, InvalidFileNames> {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_371_610);
        Ok(FileNames::new(parts)?.at(&LocalTime::utc(), moment))
    }

    #[track_caller]
    fn check(parts: &NameParts<'_>, revision: u64, expected: &str) {
        let name = dated(parts).expect("valid").with_revision(revision);
        assert_eq!(name, Path::new(expected));
    }

    #[test]
    fn placeholders_are_filled_in() {
        let plain = parts(DEFAULT);
        check(&plain, 0, "orders.host1-000000.2026-11-22_18.log");
        check(&plain, 1_234_567, "orders.host1-1234567.2026-11-22_18.log");
        let alone = NameParts { has_revisions: false, ..plain.clone() };
        check(&alone, 7, "orders.host1.2026-11-22_18.log");
        let gzip = NameParts { is_gzip: true, ..parts("<TOPIC>/<HOST>.<PID><REV>.<DATETIME>") };
        check(&gzip, 0, "orders/host1.12382-000000.2026-11-22_18.gz");
        let named = NameParts { is_gzip: true, ..parts("<TOPIC><REV>.gz") };
        check(&named, 1, "orders-000001.gz");
        check(&parts("/a/<TOPIC><REV>"), 1, "a/orders-000001");
        let slash = NameParts { datetime_format: "/%H", ..parts("<DATETIME><REV>") };
        check(&slash, 1, "18-000001");
    }

    #[test]
    fn formats_that_cannot_be() {
        let missing = dated(&parts("<TOPIC>.<DATETIME>.log"));
        assert_eq!(missing, Err(InvalidFileNames::NoRevision));
        let alone = NameParts { has_revisions: false, ..parts("<TOPIC>") };
        assert!(dated(&alone).is_ok());
        let parent = NameParts { topic: "..", ..parts("<TOPIC>/a<REV>") };
        let text = "file name ../a<REV> leaves the directory";
        assert_eq!(dated(&parent).expect_err("a parent").to_string(), text);
        assert!(dated(&NameParts { topic: "..", ..parts(DEFAULT) }).is_ok());
    }

    #[test]
    fn names_of_this_topic_are_known_again() {
        let names = FileNames::new(&parts("<TOPIC>/<PID>.<HOST><REV>.<DATETIME>")).expect("valid");
        for (name, expected) in [
            ("orders/1.host1-000000.2026-11-22_18", true),
            ("orders/77.host1-1000000.", true),
            ("orders/.host1-000000.2026-11-22_18", false),
            ("ordersX1.host1-000000.2026", false),
            ("orders/1.host2-000000.2026", false),
            ("other/1.host1-000000.2026", false),
        ] {
            assert_eq!(names.may_have_made(name), expected, "{name}");
        }
    }

    #[test]
    fn hosts_are_identified() {
        for (identifier, expected) in [
            ("", "a"),
            ("x", "x"),
            ("H-<SHORT_HOST>", "H-a"),
            ("<HOSTNAME>/<SHORT_HOST>", "a.example.org/a"),
        ] {
            assert_eq!(host_identifier(identifier, "a.example.org"), expected);
        }
    }
}
