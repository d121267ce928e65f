//! `--header`.

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

/// These follow from the request, whatever is asked for. NSQ leaves them out, too.
const OF_THE_REQUEST: &[HeaderName] =
    &[header::CONTENT_LENGTH, header::HOST, header::TRAILER, header::TRANSFER_ENCODING];

/// The headers that are asked for.
#[derive(Debug, Default)]
pub(super) struct CustomHeaders {
    /// Those that are sent; the last one of a name.
    pub(super) sent: HeaderMap,
    /// Those that are not, because the request itself decides them.
    pub(super) ignored: Vec<HeaderName>,
}

/// Reads `Name: value` each.
///
/// # Errors
///
/// When a name or a value is missing, or cannot be sent.
pub(super) fn parse(texts: &[String]) -> anyhow::Result<CustomHeaders> {
    let mut headers = CustomHeaders::default();
    for text in texts {
        // The first half is what scripts know. NSQ goes on with 'key=value', which it refuses.
        let refusal = || {
            anyhow::anyhow!("--header value format should be 'key: value', which {text:?} is not")
        };
        let (name, value) = pair(text).ok_or_else(refusal)?;
        match OF_THE_REQUEST.contains(&name) {
            true => headers.ignored.push(name),
            false => drop(headers.sent.insert(name, value)),
        }
    }
    Ok(headers)
}

fn pair(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    let value = Some(value.trim()).filter(|value| !value.is_empty())?;
    Some((HeaderName::try_from(name.trim()).ok()?, HeaderValue::try_from(value).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(texts: &[&str]) -> Result<Vec<(String, String)>, String> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        let headers = parse(&texts).map_err(|error| error.to_string())?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(headers.sent.iter().map(|(name, value)| (name.to_string(), text(value))).collect())
    }

    #[test]
    fn names_and_values() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let found = parse_all(&["X-A: 1", "b:c:d ", "x-a:2", "Content-Length: 5", "c: ü"]);
        let expected = [pair("x-a", "2"), pair("b", "c:d"), pair("c", "ü")];
        assert_eq!(found.as_deref(), Ok(expected.as_slice()));
    }

    #[test]
    fn what_is_none() {
        for text in ["", "a", "a=b", ":", "a:", ": b", "a: ", "a b: c", "ü: 1", "a: b\nc: d"] {
            let error = parse_all(&[text]).expect_err("no header");
            let prefix = "--header value format should be 'key: value'";
            assert!(error.starts_with(prefix), "{error}");
        }
    }
}
