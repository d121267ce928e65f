//! Rates from graphite.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nsq_api::{HeaderValue, HttpClient, HttpRequest, HttpUrl, RequestError};
use serde::Deserialize;

/// Where graphite is.
#[derive(Clone, Debug)]
pub(crate) struct Graphite {
    /// Without user and password, and without a slash at its end.
    url: String,
    authorization: Option<HeaderValue>,
}

/// A series of graphite.
#[derive(Deserialize)]
struct Series {
    datapoints: Vec<(Option<f64>, Option<f64>)>,
}

impl Graphite {
    /// Reads `--graphite-url`.
    ///
    /// # Errors
    ///
    /// With Go's form of text.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("parse {url:?}: {what}");
        let (scheme, rest) = url.split_once("://").ok_or(wrong("missing protocol scheme"))?;
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let url = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        if HttpUrl::parse(&url).is_none() {
            return Err(wrong("no URL of HTTP or HTTPS"));
        }
        let authorization = user.map(|user| {
            let colon = if user.contains(':') { "" } else { ":" };
            HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}{colon}"))))
        });
        let authorization = authorization.transpose().map_err(|_| wrong("invalid userinfo"))?;
        Ok(Self { url, authorization })
    }

    /// Where a query goes.
    fn render(&self, query: &str) -> Option<HttpUrl> {
        HttpUrl::parse(&format!("{}/render?{query}", self.url))
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
        let Some(url) = self.render(&query) else { return Ok(None) };
        let client = HttpClient { authorization: self.authorization.clone(), ..client.clone() };
        let answer = client.exchange(HttpRequest { url: &url, form: None }).await?;
        let series: Vec<Series> = answer.json()?;
        Ok(series.first().and_then(|series| series.datapoints.first()?.0))
    }
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
        assert_eq!(parse(":bad"), Err("parse \":bad\": missing protocol scheme".to_owned()));
        assert_eq!(parse("ftp://g"), Err("parse \"ftp://g\": no URL of HTTP or HTTPS".to_owned()));
    }

    #[test]
    fn rates() {
        assert_eq!(rate(120.6, 60), "2.01");
        assert_eq!(rate(-1.0, 60), "N/A");
        assert_eq!(rate(0.0, 60), "0.00");
    }
}
