//! Query strings.

use std::borrow::Cow;

use super::Failure;
use super::escape::{InvalidEscape, unescape};

/// A query string known to be well-formed. Nothing is copied until a value is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    raw: &'a str,
}

/// The whole query string is refused. Displays as Go's error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// A `%` without two hexadecimal digits.
    #[error("invalid URL escape {0:?}")]
    Escape(String),
    /// `;` separated pairs once; Go refuses it rather than guess.
    #[error("invalid semicolon separator in query")]
    Semicolon,
}

impl From<InvalidEscape> for InvalidQuery {
    fn from(InvalidEscape(shown): InvalidEscape) -> Self {
        Self::Escape(shown)
    }
}

impl From<InvalidQuery> for Failure {
    fn from(_: InvalidQuery) -> Self {
        Self::bad_request("INVALID_REQUEST")
    }
}

impl<'a> Query<'a> {
    /// Checks `key=value&key=value`; any malformed pair makes the whole invalid.
    ///
    /// # Errors
    ///
    /// At a bad escape or a `;`.
    pub fn parse(raw: &'a str) -> Result<Self, InvalidQuery> {
        let query = Self { raw };
        for (key, value) in query.pairs() {
            if key.contains(';') || value.contains(';') {
                return Err(InvalidQuery::Semicolon);
            }
            unescape(key, true)?;
            unescape(value, true)?;
        }
        Ok(query)
    }

    /// One that [`parse`](Self::parse) has found well-formed before.
    pub(super) fn of_checked(raw: &'a str) -> Self {
        Self { raw }
    }

    /// The value of `key`, the first one if it is repeated. A key without `=` is present and
    /// empty.
    #[must_use]
    pub fn first(&self, key: &str) -> Option<Cow<'a, str>> {
        self.pairs()
            .find(|(name, _)| unescape(name, true).is_ok_and(|name| name == key))
            .and_then(|(_, value)| unescape(value, true).ok())
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, key: &str, expected: Option<&str>) {
        let query = Query::parse(raw).expect("well-formed");
        assert_eq!(query.first(key).as_deref(), expected, "{raw} {key}");
    }

    #[test]
    fn values() {
        check("", "a", None);
        check("a=1", "a", Some("1"));
        check("a=1&a=2", "a", Some("1"));
        check("b=&a", "a", Some(""));
        check("b=&a", "b", Some(""));
        check("&&a=x=y&", "a", Some("x=y"));
        check("a=t%23e+f%2B", "a", Some("t#e f+"));
        check("%61=1", "a", Some("1"));
        check("A=1", "a", None);
        check("=1", "", Some("1"));
    }

    #[test]
    fn one_bad_pair_spoils_the_whole() {
        for (raw, expected) in [
            ("a=1&b=%zz", "invalid URL escape \"%zz\""),
            ("%=1", "invalid URL escape \"%\""),
            ("a=1;b=2", "invalid semicolon separator in query"),
            ("a;b", "invalid semicolon separator in query"),
        ] {
            let error = Query::parse(raw).expect_err(raw);
            assert_eq!(error.to_string(), expected);
            assert_eq!(Failure::from(error), Failure::bad_request("INVALID_REQUEST"));
        }
    }
}
