//! The token that comes with a request.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// The token of `Authorization: Bearer <token>`, taken out of the headers: no handler needs it.
/// None if there is no such header, more than one, or another scheme.
pub(super) fn take_token(headers: &mut HeaderMap) -> Option<Vec<u8>> {
    let is_single = headers.get_all(AUTHORIZATION).iter().count() == 1;
    let value = headers.remove(AUTHORIZATION).filter(|_| is_single)?;
    let mut parts = value.as_bytes().splitn(2, |byte| *byte == b' ');
    let (scheme, token) = parts.next().zip(parts.next())?;
    scheme.eq_ignore_ascii_case(b"bearer").then(|| token.trim_ascii().to_vec())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn headers() {
        for (values, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&["BEARER a b"], Some("a b")),
            (&["Bearer "], Some("")),
            (&["Bearer"], None),
            (&["Bearerabc"], None),
            (&["Basic abc"], None),
            (&["abc"], None),
            (&[""], None),
            (&[" Bearer abc"], None),
            (&["Bearer abc", "Bearer abc"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            let found = take_token(&mut headers);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{values:?}");
            assert!(!headers.contains_key(AUTHORIZATION), "{values:?}");
        }
    }
}
