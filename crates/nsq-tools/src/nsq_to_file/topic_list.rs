//! Asking all nsqlookupds which topics there are.

use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use nsq_api::{HeaderValue, HttpClient, HttpRequest, HttpUrl, LookupTopics};
use nsq_app::Logger;
use nsq_client::Config;
use nsq_net::TlsClient;

/// An answer is longer only if somebody lies: 100,000 topics of 64 characters.
const ANSWER_BYTES_MAX: u64 = 8 << 20;

/// Where topics are listed.
#[derive(Debug)]
pub(super) struct TopicList {
    urls: Vec<HttpUrl>,
    client: HttpClient,
}

impl TopicList {
    /// Addresses are `host:port` or URLs, as for consumers. TLS and the secret, too, are those of
    /// consumers; time-outs are the client's.
    pub(super) fn new(
        addresses: &[String],
        config: &Config,
        client: HttpClient,
    ) -> anyhow::Result<Self> {
        let urls = addresses.iter().map(|address| url(address)).collect::<Result<Vec<_>, _>>()?;
        let tls = urls.iter().any(HttpUrl::is_https).then(|| TlsClient::load(&config.tls));
        let sends_secret = config.lookupd_authorization && !config.auth_secret.is_empty();
        let authorization = if sends_secret {
            let value = HeaderValue::try_from(format!("Bearer {}", config.auth_secret));
            let mut value = value.context("auth_secret is no header")?;
            value.set_sensitive(true);
            Some(value)
        } else {
            None
        };
        let client = HttpClient { tls: tls.transpose()?, authorization, ..client };
        Ok(Self { urls, client })
    }

    /// What any of them names. Those that do not answer are told about.
    pub(super) async fn ask(&self, log: &Logger) -> BTreeSet<String> {
        let mut topics = BTreeSet::new();
        for url in &self.urls {
            match self.ask_one(url).await {
                Ok(named) => topics.extend(named),
                Err(error) => {
                    let error = nsq_app::daemon::chain(&error);
                    log.error(format_args!("could not retrieve topic list: {url} - {error}"));
                }
            }
        }
        topics
    }

    async fn ask_one(&self, url: &HttpUrl) -> anyhow::Result<Vec<String>> {
        let answer = self.client.exchange(HttpRequest { url, form: None }).await?;
        ensure!(answer.status.is_success(), "got response {}", answer.status);
        let list: LookupTopics = serde_json::from_slice(&answer.body)?;
        Ok(list.topics)
    }
}

/// A client with these time-outs.
pub(super) fn http_client(options: &super::Options) -> HttpClient {
    HttpClient {
        connect_timeout: options.http_client_connect_timeout,
        request_timeout: options.http_client_request_timeout,
        max_body_bytes: ANSWER_BYTES_MAX,
        tls: None,
        authorization: None,
    }
}

fn url(address: &str) -> anyhow::Result<HttpUrl> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let Some(url) = HttpUrl::parse(&format!("{scheme}://{host}/topics")) else {
        bail!("invalid nsqlookupd address {address}");
    };
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("a:4161", Some("http://a:4161/topics")),
            ("http://a:4161", Some("http://a:4161/topics")),
            ("https://a/", Some("https://a/topics")),
            ("http://a/lookup?x=1", Some("http://a/topics")),
            ("ftp://a", None),
            ("", None),
        ] {
            let found = url(address).ok().map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }
}
