//! Tokens: whoever knows one may use an HTTP API.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// A shorter token could be guessed.
const TOKEN_BYTES_MIN: usize = 16;
/// A larger file is no list of tokens.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The tokens of one file. What is shown of them is their number.
///
/// Digests are compared, all of them and to their last byte, so that the time a comparison takes
/// says nothing about a token, its length included.
#[derive(Clone)]
pub struct Tokens {
    /// The one to present to others; there is always one.
    first: String,
    digests: Vec<[u8; 32]>,
}

/// Why a text is no list of tokens. None of it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokens {
    /// The line of this number.
    #[error("line {0}: a token is at least {TOKEN_BYTES_MIN} visible ASCII characters, no blanks")]
    Line(usize),
    /// There is none.
    #[error("there is no token in it")]
    Empty,
}

impl Tokens {
    /// Reads a list: one token a line; empty lines and those that begin with `#` do not count.
    ///
    /// # Errors
    ///
    /// See [`InvalidTokens`].
    pub fn parse(text: &[u8]) -> Result<Self, InvalidTokens> {
        let (mut first, mut digests) = (None, Vec::new());
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            let token = line.trim_ascii();
            if token.is_empty() || token.starts_with(b"#") {
                continue;
            }
            let is_token = token.len() >= TOKEN_BYTES_MIN && token.iter().all(u8::is_ascii_graphic);
            let token = str::from_utf8(token).ok().filter(|_| is_token);
            let token = token.ok_or(InvalidTokens::Line(number))?;
            digests.push(Sha256::digest(token).into());
            first.get_or_insert_with(|| token.to_owned());
        }
        let first = first.ok_or(InvalidTokens::Empty)?;
        Ok(Self { first, digests })
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn admit(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let admitted = self
            .digests
            .iter()
            .fold(Choice::from(0), |admitted, digest| admitted | digest.ct_eq(&presented));
        admitted.into()
    }

    /// The one to present to others.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} tokens", self.digests.len())
    }
}

/// A file of tokens, which can be read again while it is in use.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    tokens: RwLock<Arc<Tokens>>,
}

/// Why there are no tokens. Each text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error("open {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is no list of tokens.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: InvalidTokens,
    },
}

impl TokenFile {
    /// Reads the file; none if the path is empty.
    ///
    /// # Errors
    ///
    /// See [`TokenFileError`].
    pub fn load(path: &str) -> Result<Option<Arc<Self>>, TokenFileError> {
        if path.is_empty() {
            return Ok(None);
        }
        let path = PathBuf::from(path);
        let tokens = RwLock::new(Arc::new(read(&path)?));
        Ok(Some(Arc::new(Self { path, tokens })))
    }

    /// Reads it again.
    ///
    /// # Errors
    ///
    /// See [`TokenFileError`]; then what was read before stays in force.
    pub fn reload(&self) -> Result<(), TokenFileError> {
        *self.tokens.write() = Arc::new(read(&self.path)?);
        Ok(())
    }

    /// What was read last.
    #[must_use]
    pub fn tokens(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.read())
    }
}

fn read(path: &Path) -> Result<Tokens, TokenFileError> {
    let unreadable = |error: io::Error| {
        let text = error.to_string();
        // As Go spells it: lower case, without the number.
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        TokenFileError::Unreadable { path: path.to_owned(), reason }
    };
    // What came through a pipe cannot come again, and waiting for it would hold up signals.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        let text = format!("it is no file of at most {FILE_BYTES_MAX} bytes");
        return Err(unreadable(io::Error::other(text)));
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(unreadable)?;
    Tokens::parse(&text).map_err(|reason| TokenFileError::Invalid { path: path.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |text: &str, expected: Result<(&str, usize), InvalidTokens>| {
            let found = Tokens::parse(text.as_bytes());
            let found = found.as_ref().map(|tokens| (tokens.first(), tokens.digests.len()));
            assert_eq!(found.map_err(|error| *error), expected, "{text:?}");
        };
        check("0123456789abcdef", Ok(("0123456789abcdef", 1)));
        check(
            "# of the console\r\n\r\n  0123456789#~!-_.=\t\r\n#\nfedcba9876543210\n",
            Ok(("0123456789#~!-_.=", 2)),
        );
        check("", Err(InvalidTokens::Empty));
        check("\n # 0123456789abcdef\n", Err(InvalidTokens::Empty));
        check("0123456789abcde", Err(InvalidTokens::Line(1)));
        check("#\n0123456789abcdef\n01234567 89abcdef", Err(InvalidTokens::Line(3)));
        check("0123456789abcdefé", Err(InvalidTokens::Line(1)));
        check("0123456789abcdef\0", Err(InvalidTokens::Line(1)));
    }

    #[test]
    fn only_whole_tokens_are_admitted() {
        let tokens = Tokens::parse(b"0123456789abcdef\nfedcba9876543210").expect("a list");
        for (presented, expected) in [
            ("0123456789abcdef", true),
            ("fedcba9876543210", true),
            ("", false),
            ("0123456789abcde", false),
            ("0123456789abcdefg", false),
            ("0123456789ABCDEF", false),
            ("0123456789abcdef\nfedcba9876543210", false),
        ] {
            assert_eq!(tokens.admit(presented.as_bytes()), expected, "{presented:?}");
        }
    }

    #[test]
    fn nothing_shows_a_token() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("tokens");
        std::fs::write(&path, "0123456789abcdef\n").expect("room for a file");
        let path = path.to_str().expect("plain characters");
        let file = TokenFile::load(path).expect("a list").expect("a path");
        assert!(!format!("{file:?}").contains("0123456789abcdef"), "{file:?}");
        std::fs::write(path, "0123456789abcdef\n\nsecret\n").expect("room for a file");
        let error = file.reload().expect_err("too short").to_string();
        let text = "a token is at least 16 visible ASCII characters, no blanks";
        assert_eq!(error, format!("{path}: line 3: {text}"));
        assert!(file.tokens().admit(b"0123456789abcdef"), "what was read before stays");
    }

    #[test]
    fn files_that_are_none() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().to_str().expect("plain characters");
        let error = TokenFile::load(path).expect_err("a directory").to_string();
        assert_eq!(error, format!("open {path}: it is no file of at most 65536 bytes"));
        let error = TokenFile::load("nofile").expect_err("no file").to_string();
        assert_eq!(error, "open nofile: no such file or directory");
        assert!(TokenFile::load("").expect("no path").is_none());
    }
}
