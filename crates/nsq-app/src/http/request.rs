//! A request as a handler sees it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use nsq_net::Peer;

use super::body::Body;
use super::connection::Connection;
use super::{BodyError, Failure, Form, InvalidQuery, Query};

/// What browsers send a form as, unless files are in it.
const FORM: &str = "application/x-www-form-urlencoded";

/// One request on its way through a handler.
#[derive(Debug)]
pub struct Request {
    head: Parts,
    parameter: Option<String>,
    body: Body,
    connection: Arc<Connection>,
}

impl Request {
    pub(super) fn new(
        head: Parts,
        parameter: Option<String>,
        body: Body,
        connection: Arc<Connection>,
    ) -> Self {
        Self { head, parameter, body, connection }
    }

    /// Reads the whole body into one piece, at most `limit_bytes` of it. Only for routes that
    /// said [`reads_body`](super::Route::reads_body); others find it empty.
    ///
    /// # Errors
    ///
    /// When it is longer or cannot be read; the connection is closed after the response.
    pub async fn read_body(&mut self, limit_bytes: u64) -> Result<Bytes, BodyError> {
        self.body.read(limit_bytes).await
    }

    /// The same behind `room` bytes of zeros, for the caller to fill.
    ///
    /// # Errors
    ///
    /// As for [`read_body`](Self::read_body), whose limit it is.
    pub async fn read_body_behind(
        &mut self,
        room: usize,
        limit_bytes: u64,
    ) -> Result<BytesMut, BodyError> {
        self.body.read_behind(room, limit_bytes).await
    }

    /// Reads the body as a form, at most `limit_bytes` of it. For routes as for
    /// [`read_body`](Self::read_body).
    ///
    /// # Errors
    ///
    /// `400 INVALID_REQUEST` when it is malformed, `413 BODY_TOO_BIG`, and
    /// `415 UNSUPPORTED_MEDIA_TYPE` when it says that it is no form. `500` when it breaks off.
    pub async fn form(&mut self, limit_bytes: u64) -> Result<Form, Failure> {
        let says_otherwise = self.headers().get(CONTENT_TYPE).is_some_and(|content_type| {
            let mut parts = content_type.as_bytes().split(|byte| *byte == b';');
            let media_type = parts.next().unwrap_or_default().trim_ascii();
            !media_type.eq_ignore_ascii_case(FORM.as_bytes())
        });
        if says_otherwise {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Failure::new(status, "UNSUPPORTED_MEDIA_TYPE"));
        }
        let body = self.read_body(limit_bytes).await;
        Form::parse(&body.map_err(|error| error.refuse("BODY_TOO_BIG"))?)
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.head.uri
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The path as sent, escapes and all.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// What stands in the place of the route's `:name`, unescaped.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }

    /// What stands in the places of a route's two names, unescaped.
    #[must_use]
    pub fn two_parameters(&self) -> Option<(&str, &str)> {
        self.parameter.as_deref()?.split_once('/')
    }

    /// The query, checked.
    ///
    /// # Errors
    ///
    /// When it is malformed; converts into `400 INVALID_REQUEST`.
    pub fn query(&self) -> Result<Query<'_>, InvalidQuery> {
        Query::parse(self.head.uri.query().unwrap_or_default())
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// Who sent it.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.connection.peer()
    }
}
