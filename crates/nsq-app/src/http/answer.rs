//! What handlers return, and the form NSQ gives it on the wire.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue, LOCATION,
    WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use nsq_api::{ErrorBody, to_json};
use serde::Serialize;

use super::escape::escape_html;
use super::route::Style;

/// A finished HTTP response.
pub(super) type Wire = Response<Full<Bytes>>;

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

/// A successful outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    body: Bytes,
    /// Without one, text if there is a body.
    content_type: Option<HeaderValue>,
    extra: Option<ExtraHeader>,
}

/// A header of ours with a number.
type ExtraHeader = (&'static str, u64);

impl Answer {
    /// Nothing to say.
    #[must_use]
    pub fn empty() -> Self {
        Self { body: Bytes::new(), content_type: None, extra: None }
    }

    /// Plain text. Empty text is like [`empty`](Self::empty).
    #[must_use]
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self { body: text.into(), content_type: None, extra: None }
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
        Self { body: text.into(), content_type: Some(JSON), extra: None }
    }

    /// A body in any other form.
    ///
    /// # Panics
    ///
    /// When `content_type` is no header value: it is written by us.
    #[must_use]
    pub fn of_type(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content_type = Some(HeaderValue::from_static(content_type));
        Self { body: body.into(), content_type, extra: None }
    }

    /// The same with a header of ours, whose name is in lower case.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: u64) -> Self {
        Self { extra: Some((name, value)), ..self }
    }
}

/// A refused or failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    /// The message is the whole body already.
    is_body: bool,
    extra: Option<ExtraHeader>,
}

impl Failure {
    /// `status` with `message`, which is a code such as `TOPIC_NOT_FOUND` on all but plain
    /// endpoints.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), is_body: false, extra: None }
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

    /// The same with a header of ours, whose name is in lower case.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: u64) -> Self {
        Self { extra: Some((name, value)), ..self }
    }
}

/// The response of an endpoint.
pub(super) fn of_handler(style: Style, result: HandlerResult) -> Wire {
    let extra = match &result {
        Ok(answer) => answer.extra,
        Err(failure) => failure.extra,
    };
    let mut response = match result {
        Ok(answer) => success(style, answer),
        Err(failure) => refusal(style, &failure),
    };
    if let Some((name, value)) = extra {
        response.headers_mut().insert(HeaderName::from_static(name), value.into());
    }
    response
}

fn success(style: Style, answer: Answer) -> Wire {
    let text = Some(TEXT).filter(|_| !answer.body.is_empty());
    let content_type = answer.content_type.or(text);
    let mut response = Response::new(Full::new(answer.body));
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
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = failure.status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if style == Style::Nsq {
        response.headers_mut().insert(NSQ_CONTENT_TYPE, NSQ_CONTENT_TYPE_VALUE);
    }
    if failure.status == StatusCode::PAYLOAD_TOO_LARGE {
        response.extensions_mut().insert(TOO_LARGE);
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
    let mut response = Response::new(Full::default());
    response.headers_mut().insert(ALLOW, HeaderValue::from_str(allowed)?);
    Ok(response)
}

/// The answer to `OPTIONS *`.
pub(super) fn empty() -> Wire {
    Response::new(Full::default())
}

/// Sends a client to the right spelling of its path: 301 with a page for GET, bare 307 for others.
pub(super) fn redirect(location: &str, is_get: bool) -> Result<Wire, InvalidHeaderValue> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if is_get {
        let page = format!("<a href=\"{}\">Moved Permanently</a>.\n\n", escape_html(location));
        *response.body_mut() = Full::new(page.into());
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        response.headers_mut().insert(CONTENT_TYPE, HTML);
    }
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(location)?);
    Ok(response)
}

/// A request that is no proper HTTP, in Go's words.
pub(super) fn malformed() -> Wire {
    let mut response = Response::new(Full::new(Bytes::from_static(b"400 Bad Request")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    close_after(&mut response);
    response
}

/// HTTP/1.1 demands a `Host` header.
pub(super) fn host_missing() -> Wire {
    let mut response = malformed();
    *response.body_mut() =
        Full::new(Bytes::from_static(b"400 Bad Request: missing required Host header"));
    response.extensions_mut().insert(NO_HOST);
    response
}

/// Tells the client that this is the connection's last response.
pub(super) fn close_after(response: &mut Wire) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
