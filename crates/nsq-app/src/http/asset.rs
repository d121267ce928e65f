//! Files that come with the program: scripts, styles, images.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use sha2::{Digest, Sha256};

use super::{Answer, Request};

/// How much of the hash of a file tells it from its other versions.
const TAG_BYTES: usize = 8;

/// A file that does not change while the daemon runs, and a tag by which clients that have it
/// know it again.
#[derive(Debug, Clone)]
pub struct Asset {
    content_type: &'static str,
    body: Bytes,
    /// In quotes. Sent as a weak one: what is compressed differs in its bytes.
    tag: String,
}

impl Asset {
    /// Reads all of `body` to make its tag, so it is made once and kept.
    #[must_use]
    pub fn new(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let hash = Sha256::digest(&body);
        let digits: String =
            hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
        Self { content_type, body, tag: format!("\"{digits}\"") }
    }

    /// The file, or `304` when the client has it.
    ///
    /// # Panics
    ///
    /// As [`Answer::of_type`].
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let answer = if self.is_held(request.headers()) {
            Answer::empty().with_status(StatusCode::NOT_MODIFIED)
        } else {
            Answer::of_type(self.content_type, self.body.clone())
        };
        match HeaderValue::try_from(format!("W/{}", self.tag)) {
            Ok(tag) => answer.with_header("etag", tag),
            // Quotes and digits always are a header value; without a tag all works as well.
            Err(_) => answer,
        }
    }

    /// Whether the client names the tag, weak or not, or says that any will do.
    fn is_held(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).iter();
        let mut tags = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
        tags.any(|tag| {
            let tag = tag.trim_ascii();
            tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let asset = Asset::new("text/css", "a{}");
        assert_ne!(asset.tag, Asset::new("text/css", "b{}").tag);
        let tag = &asset.tag;
        for (value, expected) in [
            (tag.clone(), true),
            (format!("W/{tag}"), true),
            (format!("\"x\",W/\"y\" ,\tW/{tag} "), true),
            ("*".to_owned(), true),
            (tag.replace('"', ""), false),
            (format!("w/{tag}"), false),
            (format!("W/W/{tag}"), false),
            (tag.to_uppercase(), false),
            ("\"".to_owned(), false),
            (",".to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::try_from(&value).expect("a value"));
            assert_eq!(asset.is_held(&headers), expected, "{value}");
        }
        assert!(!asset.is_held(&HeaderMap::new()));
    }
}
