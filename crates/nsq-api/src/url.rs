//! Where a request goes.

use std::fmt;

use hyper::Uri;

/// A URL of HTTP or HTTPS. Displays without its query, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl {
    is_https: bool,
    /// As given: with a port, unless it is the usual one.
    host: String,
    /// Path and query.
    target: String,
}

impl HttpUrl {
    /// Reads a whole URL, with its scheme. None if it is none of HTTP or HTTPS, or has a user name,
    /// which is not supported.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_https = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = uri.authority()?.as_str();
        if host.contains('@') || uri.host()?.is_empty() {
            return None;
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        Some(Self { is_https, host: host.to_owned(), target: format!("{slash}{target}") })
    }

    /// `http(s)://<host><target>`
    #[must_use]
    pub fn new(is_https: bool, host: &str, target: &str) -> Self {
        Self { is_https, host: host.to_owned(), target: target.to_owned() }
    }

    /// The same with a query behind it, even if it has one already.
    #[must_use]
    pub fn with_query(&self, query: &str) -> Self {
        Self { target: format!("{}?{query}", self.target), ..self.clone() }
    }

    /// The same with HTTPS at another port of the same host.
    #[must_use]
    pub fn on_https_port(&self, port: u16) -> Self {
        let (name, _) = self.split();
        Self { is_https: true, host: format!("{name}:{port}"), target: self.target.clone() }
    }

    /// Whether it is spoken to in TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// For the header `Host`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// What to connect to.
    pub(crate) fn address(&self) -> String {
        let usual = if self.is_https { "443" } else { "80" };
        let (name, port) = self.split();
        format!("{name}:{}", port.unwrap_or(usual))
    }

    fn split(&self) -> (&str, Option<&str>) {
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        match self.host.rsplit_once(':') {
            Some((name, port)) if is_port(port) => (name, Some(port).filter(|p| !p.is_empty())),
            _ => (&self.host, None),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        write!(out, "{scheme}://{}{path}", self.host)
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::HttpUrl;

    #[test]
    fn urls() {
        for (text, address, host, target) in [
            ("http://a:1/auth", "a:1", "a:1", "/auth"),
            ("http://a", "a:80", "a", "/"),
            ("https://a/p?x=1", "a:443", "a", "/p?x=1"),
            ("https://[::1]/", "[::1]:443", "[::1]", "/"),
            ("http://[::1]:8/", "[::1]:8", "[::1]:8", "/"),
            ("http://a?x", "a:80", "a", "/?x"),
            ("http://a/p#f", "a:80", "a", "/p"),
        ] {
            let url = HttpUrl::parse(text).expect(text);
            let found = (&*url.address(), url.host(), url.target());
            assert_eq!(found, (address, host, target), "{text}");
        }
        for text in
            ["", "a:1", "ftp://a/", "http://", "http:///auth", "http://u:p@a/", "http://a b/"]
        {
            assert_eq!(HttpUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn queries_are_added_and_not_shown() {
        let url = HttpUrl::parse("http://a:1/p?x=1").expect("a URL").with_query("secret=s");
        assert_eq!(url.target(), "/p?x=1?secret=s");
        assert_eq!(format!("{url} {url:?}"), "http://a:1/p http://a:1/p");
        let secure = url.on_https_port(2);
        assert_eq!((&*secure.address(), secure.target()), ("a:2", "/p?x=1?secret=s"));
        assert_eq!(secure.to_string(), "https://a:2/p");
    }
}
