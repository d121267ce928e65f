//! Who may change things.

use nsq_app::http::{Failure, HeaderMap, StatusCode};

use crate::options::Options;

/// Refuses those who may not change things, whatever they want.
///
/// # Errors
///
/// `403 FORBIDDEN`
pub(crate) fn admit(options: &Options, headers: &HeaderMap) -> Result<(), Failure> {
    if is_admin(options, headers) && !is_cross_site(headers) { Ok(()) } else { Err(forbidden()) }
}

/// Whether the request carries the name of an admin; everybody is one if there is no list.
pub(crate) fn is_admin(options: &Options, headers: &HeaderMap) -> bool {
    let users = &options.admin_users;
    if users.is_empty() {
        return true;
    }
    // Of two, the proxy has added one, and nobody knows which.
    let mut given = headers.get_all(options.acl_http_header.trim()).iter();
    match (given.next(), given.next()) {
        (Some(user), None) => users.iter().any(|admin| user == admin.as_str()),
        _ => false,
    }
}

/// `403 FORBIDDEN`
pub(crate) fn forbidden() -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "FORBIDDEN")
}

/// Whether a browser sent this for a page of somebody else, who may not be seen by it at all: forms
/// are sent anywhere. Browsers say so, over HTTPS and to this host by `Sec-Fetch-Site`, else by
/// `Origin`; other programs say neither.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text("origin") else { return false };
    let host = origin.split_once("://").map_or(origin, |(_, host)| host);
    // A proxy in front may have changed the one and told it in the other.
    text("host") != Some(host) && text("x-forwarded-host") != Some(host)
}

#[cfg(test)]
mod tests {
    use nsq_api::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn admins() {
        let mut options = Options::default();
        let none = headers(&[]);
        assert!(is_admin(&options, &none));
        options.admin_users = vec!["alice".to_owned(), "bob".to_owned()];
        assert!(!is_admin(&options, &none));
        for (name, expected) in
            [("bob", true), ("Bob", false), ("bo", false), ("", false), ("alice, bob", false)]
        {
            assert_eq!(is_admin(&options, &headers(&[("x-forwarded-user", name)])), expected);
        }
        options.acl_http_header = "X-Other".to_owned();
        assert!(!is_admin(&options, &headers(&[("x-forwarded-user", "bob")])));
        assert!(is_admin(&options, &headers(&[("x-other", "bob")])));
    }

    #[test]
    fn pages_of_others() {
        let check = |lines: &[_], expected| {
            assert_eq!(is_cross_site(&headers(lines)), expected, "{lines:?}");
        };
        check(&[("host", "a:1")], false);
        check(&[("host", "a:1"), ("origin", "http://a:1")], false);
        check(&[("host", "a:1"), ("origin", "http://b:1")], true);
        check(&[("host", "a:1"), ("origin", "null")], true);
        check(&[("host", "x"), ("origin", "https://a"), ("x-forwarded-host", "a")], false);
        check(&[("host", "x"), ("origin", "https://a"), ("sec-fetch-site", "same-origin")], false);
        check(&[("host", "a"), ("origin", "https://a"), ("sec-fetch-site", "cross-site")], true);
    }
}
