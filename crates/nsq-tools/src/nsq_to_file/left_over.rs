//! What a killed process left in the work dir. Nothing is done with it but to tell: whether its
//! end is whole, and whether another process is still writing it, cannot be known here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file_names::FileNames;

/// Work dirs may be shared with much else.
const MAX_ENTRIES: usize = 100_000;
/// Of directories inside of each other.
const MAX_DEPTH: usize = 16;

/// The files of a topic in a directory and those inside it, by name.
pub(super) fn left_over(work_dir: &Path, names: &FileNames) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut entries) = (Vec::new(), 0);
    let mut directories = vec![(work_dir.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        let listed = match fs::read_dir(&directory) {
            // There is none before the first run, and others come and go.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            listed => listed?,
        };
        for entry in listed.take(MAX_ENTRIES.saturating_sub(entries)) {
            let entry = entry?;
            entries += 1;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() && depth < MAX_DEPTH {
                directories.push((path, depth + 1));
            } else if kind.is_file() && is_named(&path, work_dir, names) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_named(path: &Path, work_dir: &Path, names: &FileNames) -> bool {
    let name = path.strip_prefix(work_dir).ok().and_then(Path::to_str);
    name.is_some_and(|name| names.may_have_made(name))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::nsq_to_file::file_names::NameParts;

    #[test]
    fn files_of_this_topic_are_found() {
        let home = TempDir::new().expect("a directory");
        let parts = NameParts {
            format: "<TOPIC>/<DATETIME>.<PID><REV>",
            datetime_format: "%Y/%m",
            topic: "orders",
            host: "",
            process_id: 1,
            has_revisions: true,
            is_gzip: true,
        };
        let names = FileNames::new(&parts).expect("valid");
        assert!(left_over(&home.path().join("none"), &names).expect("no error").is_empty());
        for name in [
            "orders/2026/11.7-000002.gz",
            "orders/2026/11.7-000001.gz",
            "orders/2026/11.7-000001",
            "other/2026/11.7-000001.gz",
            "x",
        ] {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("room");
            fs::write(path, "").expect("room");
        }
        let found = left_over(home.path(), &names).expect("it can be read");
        let expected = ["orders/2026/11.7-000001.gz", "orders/2026/11.7-000002.gz"];
        assert_eq!(found, expected.map(|name| home.path().join(name)));
    }
}
