//! Asking a daemon over HTTP.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The media type that NSQ's clients ask for.
const NSQ_JSON: &str = "application/vnd.nsq; version=1.0";

/// How requests are made; each has a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpClient {
    /// How long connecting may take, looking up the name included.
    pub connect_timeout: Duration,
    /// How long the whole request may take, connecting included.
    pub request_timeout: Duration,
    /// A longer answer is an error.
    pub max_body_bytes: u64,
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
    /// `GET http://<host><target>`, read as JSON. `host` has its port, `target` its query.
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
        let connected = timeout(self.connect_timeout, TcpStream::connect(host)).await;
        let stream = connected.map_err(|_| RequestError::TimedOut)??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::get(target)
            .header(HOST, host)
            .header(ACCEPT, NSQ_JSON)
            .body(Empty::<Bytes>::new())?;
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
