//! One line of a daemon's table of endpoints.

use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;

use super::path::PathPattern;
use super::{HandlerResult, Request};

/// What a handler is while it runs. The box is the frame's one allocation per request.
pub(super) type HandlerFuture = Pin<Box<dyn Future<Output = HandlerResult> + Send>>;

/// The form of an endpoint's responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// With `X-Nsq-Content-Type`; errors are `{"message":"CODE"}`.
    Nsq,
    /// Bare text.
    Plain,
}

/// A method and path with the handler that answers it, over a daemon's state `S`.
pub struct Route<S> {
    pub(super) method: Method,
    pub(super) pattern: PathPattern,
    pub(super) style: Style,
    pub(super) is_logged: bool,
    pub(super) reads_body: bool,
    pub(super) is_open: bool,
    pub(super) is_detached: bool,
    pub(super) handler: Box<dyn Fn(Arc<S>, Request) -> HandlerFuture + Send + Sync>,
}

/// A route for GET. Last elements `:name` of the path stand for any text.
pub fn get<S, F>(
    path: &'static str,
    handler: impl Fn(Arc<S>, Request) -> F + Send + Sync + 'static,
) -> Route<S>
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Route::new(Method::GET, path, handler)
}

/// A route for POST.
pub fn post<S, F>(
    path: &'static str,
    handler: impl Fn(Arc<S>, Request) -> F + Send + Sync + 'static,
) -> Route<S>
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Route::new(Method::POST, path, handler)
}

/// A route for PUT.
pub fn put<S, F>(
    path: &'static str,
    handler: impl Fn(Arc<S>, Request) -> F + Send + Sync + 'static,
) -> Route<S>
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Route::new(Method::PUT, path, handler)
}

/// A route for DELETE.
pub fn delete<S, F>(
    path: &'static str,
    handler: impl Fn(Arc<S>, Request) -> F + Send + Sync + 'static,
) -> Route<S>
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    Route::new(Method::DELETE, path, handler)
}

impl<S> Route<S> {
    /// A route for any method, in NSQ's response form, logged, with its body discarded.
    pub fn new<F>(
        method: Method,
        path: &'static str,
        handler: impl Fn(Arc<S>, Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        Self {
            method,
            pattern: PathPattern::new(path),
            style: Style::Nsq,
            is_logged: true,
            reads_body: false,
            is_open: false,
            is_detached: false,
            handler: Box::new(move |state, request| Box::pin(handler(state, request))),
        }
    }

    /// Answers in bare text without NSQ's header, errors too.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { style: Style::Plain, ..self }
    }

    /// Leaves no line in the log: for publishing, where one per request would be most of the work.
    #[must_use]
    pub fn unlogged(self) -> Self {
        Self { is_logged: false, ..self }
    }

    /// The same below a path, which has no final slash.
    pub(super) fn below(self, base: &str) -> Self {
        Self { pattern: self.pattern.below(base), ..self }
    }

    /// Answers without a token, too: for probes, which have none.
    #[must_use]
    pub fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// Runs the handler to its end even when the client goes meanwhile, and leaves its line in the
    /// log: for what consists of several steps, of which none may be missing.
    #[must_use]
    pub fn detached(self) -> Self {
        Self { is_detached: true, ..self }
    }

    /// Leaves the body to the handler instead of discarding it first.
    #[must_use]
    pub fn reads_body(self) -> Self {
        Self { reads_body: true, ..self }
    }
}
