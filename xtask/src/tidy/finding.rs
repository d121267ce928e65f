//! A broken rule.

use std::fmt;

/// A broken rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: Option<usize>,
    text: String,
}

impl Finding {
    /// About a whole file.
    pub(super) fn in_file(path: &str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, text: text.into() }
    }

    /// About a line, counted from 1.
    pub(super) fn in_line(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line), text: text.into() }
    }

    /// Where in the file.
    #[cfg(test)]
    pub(super) fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, text } = self;
        match line {
            Some(line) => write!(f, "{path}:{line}: {text}"),
            None => write!(f, "{path}: {text}"),
        }
    }
}
