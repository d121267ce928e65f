//! What handlers return, and the form NSQ gives it on the wire.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION,
    WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use nsq_api::{ErrorBody, to_json};
use serde::Serialize;

use super::escape::{escape_html, escape_location};
use super::response_body::ResponseBody;
use super::route::Style;
use super::stream::{Stream, StreamSender};

/// A finished HTTP response.
pub(super) type Wire = Response<ResponseBody>;

/// What a handler returns.
pub type HandlerResult = Result<Answer, Failure>;

const NSQ_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-nsq-content-type");
const NSQ_CONTENT_TYPE_VALUE: HeaderValue = HeaderValue::from_static("nsq; version=1.0");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Go's phrase for 413, from before the status was renamed.
const TOO_LARGE: ReasonPhrase = ReasonPhrase::from_static(b"Request Entity Too Large");
const NO_HOST: ReasonPhrase =
    ReasonPhrase::from_static(b"Bad Request: missing required Host header");

/// An outcome that the handler has a body for; mostly a success.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: ResponseBody,
    /// Without one, text if there is a body.
    content_type: Option<HeaderValue>,
    headers: Headers,
}

/// Headers that a handler adds; mostly there are none.
type Headers = Vec<(HeaderName, HeaderValue)>;

impl Answer {
    fn new(body: ResponseBody, content_type: Option<HeaderValue>) -> Self {
        Self { status: StatusCode::OK, body, content_type, headers: Vec::new() }
    }

    /// Nothing to say.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(ResponseBody::empty(), None)
    }

    /// Plain text. Empty text is like [`empty`](Self::empty).
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::new(ResponseBody::Whole(text.into()), None)
    }

    /// A value as JSON.
    ///
    /// # Errors
    ///
    /// `500 INTERNAL_ERROR` when the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> HandlerResult {
        Ok(Self::of_json(to_json(value).map_err(|_| Failure::internal())?))
    }

    /// JSON text.
    #[must_use]
    pub fn of_json(text: impl Into<Bytes>) -> Self {
        Self::new(ResponseBody::Whole(text.into()), Some(JSON))
    }

    /// A body in any other form.
    ///
    /// # Panics
    ///
    /// When `content_type` is no header value: it is written by us.
    #[must_use]
    pub fn of_type(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_static(content_type);
        Self::new(ResponseBody::Whole(body.into()), Some(content_type))
    }

    /// A body with the content type that somebody else gave it.
    #[must_use]
    pub fn passed_on(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self::new(ResponseBody::Whole(body.into()), Some(content_type))
    }

    /// A body that is sent piece by piece through the sender, which a task of its own keeps. The
    /// request's line in the log is written when the head goes out. `room` is how many pieces may
    /// wait to be written, at least one.
    ///
    /// # Panics
    ///
    /// As [`of_type`](Self::of_type).
    #[must_use]
    pub fn stream(content_type: &'static str, room: usize) -> (Self, StreamSender) {
        let (stream, sender) = Stream::new(room);
        let content_type = HeaderValue::from_static(content_type);
        (Self::new(ResponseBody::Stream(stream), Some(content_type)), sender)
    }

    /// `303`: what was asked for is done, and the page to go on with is there. What no header can
    /// hold is percent-escaped in `location`, all that is no printable ASCII.
    #[must_use]
    pub fn see_other(location: &str) -> Self {
        match HeaderValue::try_from(escape_location(location)) {
            Ok(location) => {
                let headers = vec![(LOCATION, location)];
                Self { status: StatusCode::SEE_OTHER, headers, ..Self::empty() }
            }
            // Printable ASCII always is a header value.
            Err(_) => Self::empty().with_status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The same with another status, such as `404` for a page that says so.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same with one more header. A name that is added twice is sent twice; that of the
    /// content type is none to add.
    ///
    /// # Panics
    ///
    /// When `name` is no header name in lower case: it is written by us.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }
}

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    /// The message is the whole body already.
    is_body: bool,
    headers: Headers,
}

impl Failure {
    /// `status` with `message`, which is a code such as `TOPIC_NOT_FOUND` on all but plain
    /// endpoints.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), is_body: false, headers: Vec::new() }
    }

    /// A 400.
    #[must_use]
    pub fn bad_request(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A 404.
    #[must_use]
    pub fn not_found(message: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// `status` with this JSON text.
    #[must_use]
    pub fn of_json(status: StatusCode, text: String) -> Self {
        Self { is_body: true, ..Self::new(status, text) }
    }

    /// `500 INTERNAL_ERROR`.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message, a code on all but plain endpoints.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same with one more header, as [`Answer::with_header`].
    ///
    /// # Panics
    ///
    /// As there.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }
}

/// The response of an endpoint.
pub(super) fn of_handler(style: Style, result: HandlerResult) -> Wire {
    let (mut response, headers) = match result {
        Ok(mut answer) => {
            let headers = std::mem::take(&mut answer.headers);
            (success(style, answer), headers)
        }
        Err(mut failure) => {
            let headers = std::mem::take(&mut failure.headers);
            (refusal(style, &failure), headers)
        }
    };
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
        response.extensions_mut().insert(TOO_LARGE);
    }
    response
}

fn success(style: Style, answer: Answer) -> Wire {
    let text = Some(TEXT).filter(|_| !answer.body.is_empty());
    let content_type = answer.content_type.or(text);
    let mut response = Response::new(answer.body);
    *response.status_mut() = answer.status;
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    if style == Style::Nsq {
        response.headers_mut().insert(NSQ_CONTENT_TYPE, NSQ_CONTENT_TYPE_VALUE);
    }
    response
}

fn refusal(style: Style, failure: &Failure) -> Wire {
    let message = || Bytes::copy_from_slice(failure.message.as_bytes());
    let (body, content_type) = match style {
        _ if failure.is_body => (message(), JSON),
        Style::Plain => (message(), TEXT),
        Style::Nsq => {
            let body = ErrorBody { message: Cow::Borrowed(&failure.message) };
            // A string always has a JSON form; the bare text would still name the problem.
            (to_json(&body).map_or_else(|_| message(), Bytes::from), JSON)
        }
    };
    let mut response = Response::new(ResponseBody::Whole(body));
    *response.status_mut() = failure.status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if style == Style::Nsq {
        response.headers_mut().insert(NSQ_CONTENT_TYPE, NSQ_CONTENT_TYPE_VALUE);
    }
    response
}

/// 405 with the methods that exist.
pub(super) fn method_not_allowed(allowed: &str) -> Result<Wire, InvalidHeaderValue> {
    let failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
    let mut response = refusal(Style::Nsq, &failure);
    response.headers_mut().insert(ALLOW, HeaderValue::from_str(allowed)?);
    Ok(response)
}

/// 401: there is no token, or a wrong one.
pub(super) fn unauthorized() -> Wire {
    let failure = Failure::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
    let mut response = refusal(Style::Nsq, &failure);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer to OPTIONS: empty, with the methods that exist.
pub(super) fn options(allowed: &str) -> Result<Wire, InvalidHeaderValue> {
    let mut response = Response::new(ResponseBody::empty());
    response.headers_mut().insert(ALLOW, HeaderValue::from_str(allowed)?);
    Ok(response)
}

/// The answer to `OPTIONS *`.
pub(super) fn empty() -> Wire {
    Response::new(ResponseBody::empty())
}

/// Sends a client to the right spelling of its path: 301 with a page for GET, bare 307 for others.
pub(super) fn redirect(location: &str, is_get: bool) -> Result<Wire, InvalidHeaderValue> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if is_get {
        let page = format!("<a href=\"{}\">Moved Permanently</a>.\n\n", escape_html(location));
        *response.body_mut() = ResponseBody::Whole(page.into());
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        response.headers_mut().insert(CONTENT_TYPE, HTML);
    }
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(location)?);
    Ok(response)
}

/// A request that is no proper HTTP, in Go's words.
pub(super) fn malformed() -> Wire {
    let mut response = Response::new(ResponseBody::Whole(Bytes::from_static(b"400 Bad Request")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    close_after(&mut response);
    response
}

/// HTTP/1.1 demands a `Host` header.
pub(super) fn host_missing() -> Wire {
    let mut response = malformed();
    *response.body_mut() =
        ResponseBody::Whole(Bytes::from_static(b"400 Bad Request: missing required Host header"));
    response.extensions_mut().insert(NO_HOST);
    response
}

/// Tells the client that this is the connection's last response.
pub(super) fn close_after(response: &mut Wire) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
