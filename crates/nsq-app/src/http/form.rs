//! What a page's form sends.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Failure, Query};

/// The fields of a form, known to be well-formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    text: String,
}

impl Form {
    /// Checks a body of the type `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    ///
    /// `400 INVALID_REQUEST`, as for a query.
    pub(super) fn parse(body: &Bytes) -> Result<Self, Failure> {
        // Browsers escape all that is not ASCII.
        let text = str::from_utf8(body).map_err(|_| Failure::bad_request("INVALID_REQUEST"))?;
        Query::parse(text)?;
        Ok(Self { text: text.to_owned() })
    }

    /// The value of a field, the first one if it is repeated.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<Cow<'_, str>> {
        self.fields().first(name)
    }

    /// All of them, with what a query can be asked.
    #[must_use]
    pub fn fields(&self) -> Query<'_> {
        Query::of_checked(&self.text)
    }
}
