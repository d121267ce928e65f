//! One HTTP request for one message.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use nsq_app::version::NSQ_VERSION;
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use thiserror::Error;

use super::url_template::UrlTemplate;

/// A longer body of a response is not read to its end; its connection is closed instead.
const RESPONSE_BYTES_MAX: usize = 1 << 20;
/// How often a request is redirected at most, as in Go.
const REDIRECTS_MAX: usize = 10;
/// How long a connection waits for the next request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What requests have in common.
#[derive(Debug)]
pub(super) struct RequestOptions {
    /// Zero is without limit.
    pub(super) connect_timeout: Duration,
    /// From the first byte to the last. Zero is without limit.
    pub(super) request_timeout: Duration,
    /// Of what is posted.
    pub(super) content_type: HeaderValue,
    /// They override ours, the content type as well.
    pub(super) headers: HeaderMap,
    /// How many requests there are at a time.
    pub(super) concurrency: usize,
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub(super) enum Endpoint {
    /// It is the body of a POST.
    Post(Url),
    /// It is in the URL of a GET, which succeeds with 200 only, or with any 2xx.
    Get { template: UrlTemplate, takes_any_2xx: bool },
}

/// Why a message was not taken.
#[derive(Debug, Error)]
pub(super) enum RequestError {
    /// Something was answered, but nothing good.
    #[error("got status code {}", .0.as_u16())]
    Status(StatusCode),
    /// Nothing was answered.
    #[error("{}", chain(.0))]
    Failed(#[from] reqwest::Error),
    /// The message does not make a URL.
    #[error("invalid URL: {0}")]
    InvalidUrl(String),
}

/// Makes requests. Connections are kept and used again.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    client: Client,
    /// Unless it is among the headers of every request.
    content_type: Option<HeaderValue>,
}

impl Requests {
    /// # Errors
    ///
    /// When TLS cannot be set up.
    pub(super) fn new(options: RequestOptions) -> reqwest::Result<Self> {
        let is_overridden = options.headers.contains_key(header::CONTENT_TYPE);
        let content_type = (!is_overridden).then_some(options.content_type);
        let mut builder = Client::builder()
            .default_headers(headers(options.headers))
            .redirect(redirect::Policy::limited(REDIRECTS_MAX))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(options.concurrency)
            .tcp_keepalive(KEEPALIVE)
            // Like Go's. Names mean the same in any case, but not every server knows.
            .http1_title_case_headers()
            // As NSQ's tool, whatever is in the environment.
            .no_proxy();
        if !options.connect_timeout.is_zero() {
            builder = builder.connect_timeout(options.connect_timeout);
        }
        if !options.request_timeout.is_zero() {
            builder = builder.timeout(options.request_timeout);
        }
        Ok(Self { client: builder.build()?, content_type })
    }

    /// Sends a message; `Ok` once it was taken.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        message: &Bytes,
    ) -> Result<(), RequestError> {
        let request = match endpoint {
            Endpoint::Post(url) => {
                let request = self.client.post(url.clone()).body(message.clone());
                match &self.content_type {
                    Some(content_type) => request.header(header::CONTENT_TYPE, content_type),
                    None => request,
                }
            }
            Endpoint::Get { template, .. } => {
                let url = Url::parse(&template.fill(message));
                let url = url.map_err(|error| RequestError::InvalidUrl(error.to_string()))?;
                self.client.get(url)
            }
        };
        let response = request.send().await?;
        let status = response.status();
        read(response).await;
        match endpoint.is_success(status) {
            true => Ok(()),
            false => Err(RequestError::Status(status)),
        }
    }
}

impl Endpoint {
    fn is_success(&self, status: StatusCode) -> bool {
        match self {
            Self::Get { takes_any_2xx: false, .. } => status == StatusCode::OK,
            Self::Post(_) | Self::Get { .. } => status.is_success(),
        }
    }
}

/// The body is of no interest, but only behind it the connection can be used again. What counts is
/// the status: if the body breaks off, the message was taken all the same.
async fn read(mut response: Response) {
    let mut left = RESPONSE_BYTES_MAX;
    while let Ok(Some(chunk)) = response.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn headers(custom: HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let user_agent = HeaderValue::from_str(&format!("nsq_to_http v{NSQ_VERSION}"));
    headers.extend(user_agent.map(|name| (header::USER_AGENT, name)));
    // Go asks for it. Nobody looks at the body, so nothing here has to unpack it.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, value) in &custom {
        headers.insert(name, value.clone());
    }
    headers
}

/// An error with its causes: the first alone says little more than that there was one.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_success() {
        let url = Url::parse("http://h/").expect("a URL");
        let template = UrlTemplate::parse("http://h/%s").expect("a place");
        let get = |takes_any_2xx| Endpoint::Get { template: template.clone(), takes_any_2xx };
        for (status, by_post, by_get, by_lenient_get) in [
            (200, true, true, true),
            (201, true, false, true),
            (299, true, false, true),
            (300, false, false, false),
            (404, false, false, false),
            (500, false, false, false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Endpoint::Post(url.clone()).is_success(status), by_post, "{status}");
            assert_eq!(get(false).is_success(status), by_get, "{status}");
            assert_eq!(get(true).is_success(status), by_lenient_get, "{status}");
        }
    }
}
