//! What graphite knows of what nsqd sends to statsd: rates, and pictures.

mod keys;
mod picture;
mod timeframe;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsq_api::{HeaderMap, HeaderValue, HttpAnswer, HttpClient, HttpUrl, RequestError};
use serde::Deserialize;

pub(crate) use keys::{Figure, Keys, Memory, Nodes, Series};
pub(crate) use picture::{Picture, Size};
pub(crate) use timeframe::{CHOICES, Timeframe};

/// Where graphite is.
#[derive(Clone, Debug)]
pub(crate) struct Graphite {
    /// Without user and password, and without a slash at its end.
    url: String,
    authorization: Option<HeaderValue>,
}

/// The points of a series of graphite.
#[derive(Deserialize)]
struct Points {
    datapoints: Vec<(Option<f64>, Option<f64>)>,
}

/// A URL without its password, in Go's form; any other text as it is.
pub(crate) fn redacted(url: &str) -> Cow<'_, str> {
    let without = || {
        let (scheme, rest) = url.split_once("://")?;
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_end);
        let (user, host) = authority.rsplit_once('@')?;
        let (user, _) = user.split_once(':')?;
        Some(format!("{scheme}://{user}:xxxxx@{host}{rest}"))
    };
    without().map_or(Cow::Borrowed(url), Cow::Owned)
}

impl Graphite {
    /// Reads `--graphite-url`.
    ///
    /// # Errors
    ///
    /// With Go's form of text.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("parse {:?}: {what}", redacted(url));
        let (scheme, rest) = url.split_once("://").ok_or(wrong("missing protocol scheme"))?;
        if rest.contains(['?', '#']) {
            return Err(wrong("there is a query or a fragment"));
        }
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let url = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        // It becomes a part of a policy of the pages.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !host.bytes().all(is_plain) || HttpUrl::parse(&url).is_none() {
            return Err(wrong("no URL of HTTP or HTTPS"));
        }
        let authorization = user.map(|user| {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            let pair = [&*unescaped(user)?, b":", &*unescaped(password)?].concat();
            let mut value =
                HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let authorization = match authorization {
            Some(None) => return Err(wrong("invalid userinfo")),
            Some(authorization) => authorization,
            None => None,
        };
        Ok(Self { url, authorization })
    }

    /// Where its pictures are for everybody: without user and password.
    pub(crate) fn render_url(&self) -> String {
        format!("{}/render", self.url)
    }

    /// `scheme://host:port`
    pub(crate) fn origin(&self) -> &str {
        let begin = self.url.find("://").map_or(0, |at| at + "://".len());
        let length = self.url[begin..].find('/');
        length.map_or(&self.url, |length| &self.url[..begin + length])
    }

    /// Whether it wants user and password.
    pub(crate) fn has_password(&self) -> bool {
        self.authorization.is_some()
    }

    /// Where a query goes.
    fn render(&self, query: &str) -> Option<HttpUrl> {
        HttpUrl::parse(&format!("{}/render?{query}", self.url))
    }

    /// What it answers to a query, whatever that is. None if the query is none.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub(crate) async fn answer(
        &self,
        client: HttpClient,
        query: &str,
        mut headers: HeaderMap,
    ) -> Result<Option<HttpAnswer>, RequestError> {
        let Some(url) = self.render(query) else { return Ok(None) };
        headers.insert("accept", HeaderValue::from_static("*/*"));
        let client = HttpClient { authorization: self.authorization.clone(), ..client };
        client.get_with(&url, headers).await.map(Some)
    }

    /// The first point of a series between two and one intervals ago; none if there is none.
    ///
    /// # Errors
    ///
    /// When there is no such answer.
    pub(crate) async fn first_point(
        &self,
        client: &HttpClient,
        target: &str,
        interval_s: u64,
    ) -> Result<Option<f64>, RequestError> {
        let query = format!(
            "format=json&from=-{}sec&target={}&until=-{interval_s}sec",
            interval_s.saturating_mul(2),
            nsq_api::cluster::query_value(target)
        );
        let answer = self.answer(client.clone(), &query, HeaderMap::new()).await?;
        let Some(answer) = answer else { return Ok(None) };
        let series: Vec<Points> = answer.json()?;
        Ok(series.first().and_then(|series| series.datapoints.first()?.0))
    }
}

/// Without percent escapes; none if there is a wrong one.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // A sign would be taken for a part of the number.
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        plain.push(u8::from_str_radix(digits, 16).ok()?);
        plain.extend_from_slice(rest.as_bytes());
    }
    Some(plain)
}

/// A rate as it is shown: of a point that counts for an interval.
pub(crate) fn rate(point: f64, interval_s: u64) -> String {
    if point < 0.0 { "N/A".to_owned() } else { format!("{:.2}", point / interval_s as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let parse = |url| {
            Graphite::parse(url).map(|graphite| {
                let authorization = graphite.authorization.clone();
                let url = graphite.render("x=1").map(|url| url.to_string());
                (url.unwrap_or_default(), authorization)
            })
        };
        assert_eq!(parse("http://g:8080/"), Ok(("http://g:8080/render".to_owned(), None)));
        assert_eq!(parse("https://g/a/b"), Ok(("https://g/a/b/render".to_owned(), None)));
        let basic = Some(HeaderValue::from_static("Basic dTpw"));
        assert_eq!(parse("http://u:p@g/"), Ok(("http://g/render".to_owned(), basic)));
        let escaped = Some(HeaderValue::from_static("Basic dUB4OnA6Lw=="));
        assert_eq!(parse("http://u%40x:p:%2F@g"), Ok(("http://g/render".to_owned(), escaped)));
        let user = Some(HeaderValue::from_static("Basic dTo="));
        assert_eq!(parse("http://u@g"), Ok(("http://g/render".to_owned(), user)));
        for (wrong, why) in [
            ("http://u%zz@g", "invalid userinfo"),
            ("http://u%4@g", "invalid userinfo"),
            ("http://g/?x", "there is a query or a fragment"),
            ("http://g/#x", "there is a query or a fragment"),
            ("http://g;script-src/", "no URL of HTTP or HTTPS"),
            ("http://", "no URL of HTTP or HTTPS"),
        ] {
            assert_eq!(parse(wrong), Err(format!("parse {wrong:?}: {why}")));
        }
        assert_eq!(parse(":bad"), Err("parse \":bad\": missing protocol scheme".to_owned()));
        assert_eq!(parse("ftp://g"), Err("parse \"ftp://g\": no URL of HTTP or HTTPS".to_owned()));
    }

    #[test]
    fn what_browsers_are_told() {
        for (url, render, origin) in [
            ("http://g", "http://g/render", "http://g"),
            ("https://u:p@g:8080/a/b/", "https://g:8080/a/b/render", "https://g:8080"),
        ] {
            let graphite = Graphite::parse(url).expect("a URL");
            assert_eq!((&*graphite.render_url(), graphite.origin()), (render, origin));
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate(120.6, 60), "2.01");
        assert_eq!(rate(-1.0, 60), "N/A");
        assert_eq!(rate(0.0, 60), "0.00");
    }
}
