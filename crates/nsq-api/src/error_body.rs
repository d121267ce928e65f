//! The body of every refused request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// `{"message":"CODE"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody<'a> {
    /// Upper-case code such as `MISSING_ARG_TOPIC`.
    pub message: Cow<'a, str>,
}
