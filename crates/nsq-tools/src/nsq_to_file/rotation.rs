//! When one file ends and which the next one is.
//!
//! ```text
//!            begin ── opened ──┐
//! closed ──────────> open <────┘
//!    ^                │ due: another name, too old, too large
//!    └──── close ─────┘
//! ```

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nsq_app::duration::DurationText;

use super::file_names::DatedName;

/// `--rotate-size` and `--rotate-interval`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RotationLimits {
    pub(super) size_bytes: Option<u64>,
    pub(super) age: Option<Duration>,
}

/// The names and revisions of a topic's files, one after the other.
#[derive(Debug)]
pub(super) struct Rotation {
    limits: RotationLimits,
    /// Of the file that is open, else of the last one.
    name: Option<DatedName>,
    revision: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    /// Before compression.
    size_bytes: u64,
}

/// Why there has to be another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RotationReason {
    NotOpen,
    NewName(DatedName),
    TooOld(Duration),
    TooLarge(TooLarge),
}

/// More bytes than there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) size_bytes: u64,
    pub(super) limit_bytes: u64,
}

impl Rotation {
    pub(super) fn new(limits: RotationLimits) -> Self {
        Self { limits, name: None, revision: 0, open: None }
    }

    /// A file of this name is to be opened: the first revision of a new name, the next one of the
    /// name that there was before.
    pub(super) fn begin(&mut self, name: DatedName) {
        self.revision = match &self.name {
            Some(last) if *last == name => self.revision + 1,
            _ => 0,
        };
        self.name = Some(name);
    }

    /// This revision cannot be used.
    pub(super) fn skip_revision(&mut self) {
        self.revision += 1;
    }

    /// The file was opened and has so many bytes already.
    ///
    /// # Errors
    ///
    /// With the size, if that is too much to go on with it.
    pub(super) fn opened(&mut self, now: Instant, size_bytes: u64) -> Result<(), TooLarge> {
        self.too_large(size_bytes).map_or(Ok(()), Err)?;
        self.open = Some(Open { since: now, size_bytes });
        Ok(())
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.size_bytes = open.size_bytes.saturating_add(bytes as u64);
        }
    }

    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Whether the next message belongs to another file. `name` is what a file of now is called.
    pub(super) fn due(&self, name: &DatedName, now: Instant) -> Option<RotationReason> {
        let Some(open) = &self.open else { return Some(RotationReason::NotOpen) };
        if self.name.as_ref() != Some(name) {
            return Some(RotationReason::NewName(name.clone()));
        }
        let age = now.saturating_duration_since(open.since);
        if self.limits.age.is_some_and(|limit| age > limit) {
            return Some(RotationReason::TooOld(age));
        }
        self.too_large(open.size_bytes).map(RotationReason::TooLarge)
    }

    /// The name of the file that is open or to be opened.
    pub(super) fn file_name(&self) -> PathBuf {
        self.name.as_ref().map(|name| name.with_revision(self.revision)).unwrap_or_default()
    }

    fn too_large(&self, size_bytes: u64) -> Option<TooLarge> {
        let limit_bytes = self.limits.size_bytes?;
        (size_bytes > limit_bytes).then_some(TooLarge { size_bytes, limit_bytes })
    }
}

impl RotationReason {
    /// What the log says of it, where there is a file that ends.
    pub(super) fn text(&self, path: &std::path::Path) -> Option<String> {
        Some(match self {
            Self::NotOpen => return None,
            Self::NewName(name) => format!("new filename {name}, rotating..."),
            Self::TooOld(age) => format!("{} since last open, rotating...", DurationText(*age)),
            Self::TooLarge(sizes) => format!("{} {sizes}, rotating...", path.display()),
        })
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "currently {} bytes (> {})", self.size_bytes, self.limit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::SystemTime;

    use nsq_app::local_time::LocalTime;

    use super::*;
    use crate::nsq_to_file::file_names::{FileNames, NameParts};

    fn name(topic: &str) -> DatedName {
        let parts = NameParts {
            format: "<TOPIC><REV>",
            datetime_format: "",
            topic,
            host: "",
            process_id: 1,
            has_revisions: true,
            is_gzip: false,
        };
        FileNames::new(&parts).expect("valid").at(&LocalTime::utc(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn revisions_count_per_name() {
        let mut rotation = Rotation::new(RotationLimits::default());
        let mut begin = |topic: &str, expected: &str| {
            rotation.begin(name(topic));
            assert_eq!(rotation.file_name(), Path::new(expected));
        };
        begin("a", "a-000000");
        begin("a", "a-000001");
        begin("b", "b-000000");
        begin("a", "a-000000");
        rotation.skip_revision();
        assert_eq!(rotation.file_name(), Path::new("a-000001"));
    }

    #[test]
    fn a_file_ends_by_name_age_or_size() {
        let limits = RotationLimits { size_bytes: Some(10), age: Some(Duration::from_secs(60)) };
        let mut rotation = Rotation::new(limits);
        let (start, path) = (Instant::now(), Path::new("/w/a-000000"));
        assert_eq!(rotation.due(&name("a"), start), Some(RotationReason::NotOpen));
        rotation.begin(name("a"));
        rotation.opened(start, 4).expect("small enough");
        let text = |rotation: &Rotation, topic: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            rotation.due(&name(topic), now).map(|reason| reason.text(path).unwrap_or_default())
        };
        rotation.wrote(6);
        assert_eq!(text(&rotation, "a", 60), None);
        assert_eq!(text(&rotation, "a", 61).as_deref(), Some("1m1s since last open, rotating..."));
        assert_eq!(text(&rotation, "b", 0).as_deref(), Some("new filename b<REV>, rotating..."));
        rotation.wrote(1);
        let large = "/w/a-000000 currently 11 bytes (> 10), rotating...";
        assert_eq!(text(&rotation, "a", 0).as_deref(), Some(large));
        rotation.close();
        assert_eq!(text(&rotation, "a", 0).as_deref(), Some(""));
    }

    #[test]
    fn a_file_that_is_too_large_already_is_not_gone_on_with() {
        let limits = RotationLimits { size_bytes: Some(10), age: None };
        let mut rotation = Rotation::new(limits);
        rotation.begin(name("a"));
        let (now, sizes) = (Instant::now(), TooLarge { size_bytes: 11, limit_bytes: 10 });
        assert_eq!(rotation.opened(now, 11), Err(sizes));
        assert_eq!(rotation.due(&name("a"), now), Some(RotationReason::NotOpen));
        assert_eq!(rotation.opened(now, 10), Ok(()));
    }
}
