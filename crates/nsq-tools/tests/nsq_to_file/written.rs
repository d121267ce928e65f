//! What is in the files of a directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::bufread::GzDecoder;

/// The lines by file; those of whole gzip members only.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) files: BTreeMap<String, Vec<String>>,
    /// Files that have more than whole lines and members.
    pub(crate) torn: Vec<String>,
}

impl Written {
    /// Also of directories inside of it; nothing if it is not there. Hidden files are not final.
    pub(crate) fn read(directory: &Path) -> Self {
        let mut written = Self::default();
        written.add(directory, "");
        written
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The lines of all files, sorted.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.files.values().flatten().cloned().collect();
        lines.sort();
        lines
    }

    fn add(&mut self, directory: &Path, prefix: &str) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.path().is_dir() {
                self.add(&entry.path(), &format!("{name}/"));
                continue;
            }
            // It may be moved while this looks.
            let Ok(bytes) = fs::read(entry.path()) else { continue };
            let (lines, is_whole) =
                if name.ends_with(".gz") { of_members(&bytes) } else { of_text(&bytes) };
            if !is_whole {
                self.torn.push(name.clone());
            }
            self.files.insert(name, lines);
        }
    }
}

/// The given texts, sorted.
pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn of_text(bytes: &[u8]) -> (Vec<String>, bool) {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    (lines(&bytes[..whole]), whole == bytes.len())
}

fn of_members(bytes: &[u8]) -> (Vec<String>, bool) {
    let (mut rest, mut found) = (bytes, Vec::new());
    let mut is_whole = !rest.is_empty();
    while is_whole && !rest.is_empty() {
        let mut text = Vec::new();
        is_whole = GzDecoder::new(&mut rest).read_to_end(&mut text).is_ok();
        if is_whole {
            found.extend(lines(&text));
        }
    }
    (found, is_whole)
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}
