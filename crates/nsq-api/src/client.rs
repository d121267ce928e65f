//! Asking a daemon over HTTP.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use nsq_net::{Address, TlsClient, dial};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

pub use hyper::header::HeaderValue;

/// The media type that NSQ's clients ask for.
const NSQ_JSON: &str = "application/vnd.nsq; version=1.0";

/// How requests are made; each has a connection of its own.
#[derive(Debug, Clone)]
pub struct HttpClient {
    /// How long connecting may take, looking up the name included.
    pub connect_timeout: Duration,
    /// How long the whole request may take, connecting included.
    pub request_timeout: Duration,
    /// A longer answer is an error.
    pub max_body_bytes: u64,
    /// Ask over HTTPS, and how.
    pub tls: Option<TlsClient>,
    /// What shows that this client may ask: the value of `Authorization`.
    pub authorization: Option<HeaderValue>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not within the time allowed.
    #[error("no answer in time")]
    TimedOut,
    /// The connection could not be made.
    #[error("{0}")]
    Connect(#[from] io::Error),
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
}

impl HttpClient {
    /// `GET http(s)://<host><target>`, read as JSON. `host` has its port, `target` its query.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    pub async fn get_json<T: DeserializeOwned>(
        &self,
        host: &str,
        target: &str,
    ) -> Result<T, RequestError> {
        let body = timeout(self.request_timeout, self.get(host, target)).await;
        let body = body.map_err(|_| RequestError::TimedOut)??;
        Ok(serde_json::from_slice(&body)?)
    }

    async fn get(&self, host: &str, target: &str) -> Result<Bytes, RequestError> {
        let address = Address::Tcp(host.to_owned());
        let stream = dial(&address, self.tls.as_ref(), self.connect_timeout).await;
        let stream = stream.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => RequestError::TimedOut,
            _ => RequestError::Connect(error),
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::get(target)
            .header(HOST, host)
            .header(ACCEPT, NSQ_JSON)
            .body(Empty::<Bytes>::new())?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let answered = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let limit = usize::try_from(self.max_body_bytes).unwrap_or(usize::MAX);
            let body = Limited::new(response.into_body(), limit).collect().await;
            let body = body.map_err(RequestError::Body)?.to_bytes();
            if status.is_success() {
                return Ok(body);
            }
            let said: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            Err(RequestError::Status(status, said))
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
