//! Asking a daemon over HTTP.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::http::request::Builder;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use nsq_net::{Address, TlsClient, dial};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::HttpUrl;

pub use hyper::header::{HeaderMap, HeaderValue};

/// The media type that NSQ's clients ask for.
const NSQ_JSON: &str = "application/vnd.nsq; version=1.0";
/// What this client calls itself.
const PRODUCT: &str = concat!("nsq-rust/", env!("CARGO_PKG_VERSION"));
const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";

/// How requests are made; each has a connection of its own.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// How long connecting may take, looking up the name included.
    pub connect_timeout: Duration,
    /// How long the whole request may take, connecting included.
    pub request_timeout: Duration,
    /// A longer answer is an error.
    pub max_body_bytes: u64,
    /// How HTTPS is spoken.
    pub tls: Option<TlsClient>,
    /// What shows that this client may ask: the value of `Authorization`.
    pub authorization: Option<HeaderValue>,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Where it goes.
    pub url: &'a HttpUrl,
    /// What a form says, encoded already; then the request is a POST.
    pub form: Option<&'a str>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: StatusCode,
    /// The header.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not within the time allowed.
    #[error("no answer in time")]
    TimedOut,
    /// The connection was not made within the time allowed, so that nothing was asked.
    #[error("no answer in time")]
    ConnectTimedOut,
    /// The connection could not be made.
    #[error("{0}")]
    Connect(io::Error),
    /// The URL is one of HTTPS, and there is no TLS for it.
    #[error("HTTPS is not set up")]
    NoTls,
    /// The connection failed, or what came is no HTTP.
    #[error("{0}")]
    Http(#[from] hyper::Error),
    /// The address or the target is none.
    #[error("{0}")]
    Malformed(#[from] hyper::http::Error),
    /// The daemon refused; its status and the beginning of what it said.
    #[error("got response {0} {1:?}")]
    Status(StatusCode, String),
    /// Longer than allowed, or the end is missing.
    #[error("body too long or broken - {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    /// Not the JSON that was expected.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// JSON that would need many times its own size in memory.
    #[error("body has too many objects for its length")]
    TooManyObjects,
}

/// No JSON of a daemon has smaller objects, on average: each costs hundreds of bytes in memory,
/// even `{}`.
const OBJECT_BYTES_MIN: usize = 24;
/// So many are allowed in any body.
const OBJECTS_FREE: usize = 1024;

impl RequestError {
    /// Whether what was asked for is certainly not done: it was refused, or never sent.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::ConnectTimedOut | Self::Connect(_) | Self::NoTls | Self::Malformed(_) => true,
            Self::Status(status, _) => !status.is_success(),
            Self::TimedOut | Self::Http(_) | Self::Body(_) => false,
            Self::Json(_) | Self::TooManyObjects => false,
        }
    }
}

impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::ConnectTimedOut,
            _ => Self::Connect(error),
        }
    }
}

impl HttpClient {
    /// `GET http(s)://<host><target>`, read as JSON: over HTTPS if there is TLS for it. `host` has
    /// its port, `target` its query.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        host: &str,
        target: &str,
    ) -> Result<T, RequestError> {
        let url = HttpUrl::new(self.tls.is_some(), host, target);
        let request = HttpRequest { url: &url, form: None };
        self.exchange(request).await?.json()
    }

    /// One request, whatever the status of the answer. Redirections are not followed.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]; not [`RequestError::Status`].
    pub async fn exchange(&self, request: HttpRequest<'_>) -> Result<HttpAnswer, RequestError> {
        let answer = timeout(self.request_timeout, self.converse(request.url, request.encode()?));
        answer.await.map_err(|_| RequestError::TimedOut)?
    }

    /// GETs with these headers, which take the place of those that are sent otherwise. Whatever the
    /// status of the answer; redirections are not followed.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]; not [`RequestError::Status`].
    pub async fn get_with(
        &self,
        url: &HttpUrl,
        headers: HeaderMap,
    ) -> Result<HttpAnswer, RequestError> {
        let mut request = start(Method::GET, url).body(Full::default())?;
        request.headers_mut().extend(headers);
        let answer = timeout(self.request_timeout, self.converse(url, request));
        answer.await.map_err(|_| RequestError::TimedOut)?
    }

    /// POSTs JSON. Redirections are not followed.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]; not [`RequestError::Status`].
    pub async fn post_json(&self, url: &HttpUrl, json: Bytes) -> Result<HttpAnswer, RequestError> {
        self.post(url, JSON, json).await
    }

    /// POSTs bytes as they are. Redirections are not followed.
    ///
    /// # Errors
    ///
    /// See [`RequestError`]; not [`RequestError::Status`].
    pub async fn post_bytes(&self, url: &HttpUrl, body: Bytes) -> Result<HttpAnswer, RequestError> {
        self.post(url, BYTES, body).await
    }

    async fn post(
        &self,
        url: &HttpUrl,
        content_type: &'static str,
        body: Bytes,
    ) -> Result<HttpAnswer, RequestError> {
        let request = start(Method::POST, url).header(CONTENT_TYPE, content_type);
        let request = request.body(Full::new(body))?;
        let answer = timeout(self.request_timeout, self.converse(url, request));
        answer.await.map_err(|_| RequestError::TimedOut)?
    }

    async fn converse(
        &self,
        url: &HttpUrl,
        mut request: Request<Full<Bytes>>,
    ) -> Result<HttpAnswer, RequestError> {
        let tls = match (url.is_https(), &self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls),
            (true, None) => return Err(RequestError::NoTls),
        };
        let address = Address::Tcp(url.address());
        let stream = dial(&address, tls, self.connect_timeout).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let answered = async {
            let response = sender.send_request(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let limit = usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX);
            let body = Limited::new(response.into_body(), limit).collect().await;
            let body = body.map_err(RequestError::Body)?.to_bytes();
            Ok(HttpAnswer { status, headers, body })
        };
        tokio::pin!(answered);
        let connection = async {
            match connection.await {
                // The answer may be here already; if not, the request tells.
                Ok(()) | Err(_) => std::future::pending::<Infallible>().await,
            }
        };
        tokio::select! {
            answered = &mut answered => answered,
            never = connection => match never {},
        }
    }
}

impl HttpAnswer {
    /// The body of a success, read as JSON.
    ///
    /// # Errors
    ///
    /// [`RequestError::Status`], [`RequestError::Json`] and [`RequestError::TooManyObjects`].
    pub fn json<T: DeserializeOwned>(self) -> Result<T, RequestError> {
        let body = self.body.clone();
        self.success()?;
        let objects = body.iter().filter(|byte| **byte == b'{').count();
        if objects > OBJECTS_FREE + body.len() / OBJECT_BYTES_MIN {
            return Err(RequestError::TooManyObjects);
        }
        Ok(serde_json::from_slice(&body)?)
    }

    /// That it is a success, whatever it says.
    ///
    /// # Errors
    ///
    /// [`RequestError::Status`]
    pub fn success(self) -> Result<(), RequestError> {
        let Self { status, body, .. } = self;
        if status.is_success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        Err(RequestError::Status(status, said))
    }
}

impl HttpRequest<'_> {
    fn encode(&self) -> Result<Request<Full<Bytes>>, RequestError> {
        let method = if self.form.is_some() { Method::POST } else { Method::GET };
        let mut request = start(method, self.url);
        if self.form.is_some() {
            request = request.header(CONTENT_TYPE, FORM);
        }
        let form = self.form.unwrap_or_default();
        Ok(request.body(Full::new(Bytes::copy_from_slice(form.as_bytes())))?)
    }
}

fn start(method: Method, url: &HttpUrl) -> Builder {
    Request::builder()
        .method(method)
        .uri(url.target())
        .header(HOST, url.host())
        .header(USER_AGENT, PRODUCT)
        .header(ACCEPT, NSQ_JSON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_of(body: String) -> Result<serde_json::Value, RequestError> {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        HttpAnswer { status, headers, body: body.into() }.json()
    }

    #[test]
    fn objects_that_cost_more_than_they_are_long() {
        let list = |object: &str, count| format!("[{}]", vec![object; count].join(","));
        assert!(json_of(list("{}", 1000)).is_ok());
        assert!(matches!(json_of(list("{}", 2000)), Err(RequestError::TooManyObjects)));
        let smallest = r#"{"quantile":0.5,"value":0}"#;
        assert!(json_of(list(smallest, 100_000)).is_ok());
    }
}
