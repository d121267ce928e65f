//! From a request to its response.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri, Version};
use nsq_net::Peer;

use super::answer::{self, Wire};
use super::bearer::take_token;
use super::body::Body;
use super::coding::Coding;
use super::compressor::Compressor;
use super::connection::Connection;
use super::escape::unescape;
use super::path::clean;
use super::route::Style;
use super::{Failure, HandlerResult, Request, Route};
use crate::duration::DurationText;
use crate::{ConnectionMeter, LogLevel, Logger, TokenFile};

/// A daemon's endpoints over its state `S`.
pub struct Router<S> {
    state: Arc<S>,
    routes: Vec<Route<S>>,
    log: Logger,
    connections: Arc<ConnectionMeter>,
    /// What every request is answered.
    closed: Option<Failure>,
    /// Who is answered; everybody without.
    tokens: Option<Arc<TokenFile>>,
    compressor: Option<Compressor>,
    answers_half_closed: bool,
}

/// What can be said about a path without an endpoint for the request's method.
enum Elsewhere {
    /// It is a misspelling of this one.
    Corrected(String),
    /// It exists for these methods, e.g. `GET, OPTIONS`.
    OtherMethods(String),
    Nowhere,
}

impl<S: Send + Sync + 'static> Router<S> {
    /// Where two routes match, the first wins.
    #[must_use]
    pub fn new(state: Arc<S>, log: Logger, routes: Vec<Route<S>>) -> Self {
        let connections = Arc::default();
        Self {
            state,
            routes,
            log,
            connections,
            closed: None,
            tokens: None,
            compressor: None,
            answers_half_closed: false,
        }
    }

    /// Counts the connections of its listeners with `meter`.
    #[must_use]
    pub fn metered(self, meter: Arc<ConnectionMeter>) -> Self {
        Self { connections: meter, ..self }
    }

    /// All endpoints are below this path, which begins with a slash and does not end with one; `/`
    /// is none.
    #[must_use]
    pub fn below(self, base: &str) -> Self {
        if base == "/" {
            return self;
        }
        let routes = self.routes.into_iter().map(|route| route.below(base));
        Self { routes: routes.collect(), ..self }
    }

    /// Answers every request with this, whatever it asks for, and logs none.
    #[must_use]
    pub fn closed(self, failure: Failure) -> Self {
        Self { closed: Some(failure), ..self }
    }

    /// Answers only those who present one of these tokens, but for open routes.
    #[must_use]
    pub fn guarded(self, tokens: Option<Arc<TokenFile>>) -> Self {
        Self { tokens, ..self }
    }

    /// Compresses responses for those who accept `gzip` or `deflate`, but for streams and what is
    /// short or compressed already.
    #[must_use]
    pub fn compressed(self) -> Self {
        Self { compressor: Some(Compressor::new()), ..self }
    }

    /// Answers clients, too, that close their direction as soon as they have asked, as `nc -N`
    /// does. Not for routers with streams or with handlers that wait: that such a client has gone
    /// altogether is noticed only when it is sent something.
    #[must_use]
    pub fn answering_half_closed(self) -> Self {
        Self { answers_half_closed: true, ..self }
    }

    pub(super) fn answers_half_closed(&self) -> bool {
        self.answers_half_closed
    }

    /// Whether tokens come with requests that are answered.
    pub(super) fn is_guarded(&self) -> bool {
        self.tokens.is_some() && self.closed.is_none()
    }

    pub(super) fn connections(&self) -> &Arc<ConnectionMeter> {
        &self.connections
    }

    pub(super) fn log(&self) -> &Logger {
        &self.log
    }

    /// Answers one request of `connection`.
    pub(super) async fn respond(
        &self,
        connection: &Arc<Connection>,
        request: hyper::Request<Incoming>,
    ) -> Wire {
        let (mut head, incoming) = request.into_parts();
        let mut body = Body::new(incoming, Arc::clone(connection));
        if head.version >= Version::HTTP_11 && !head.headers.contains_key(HOST) {
            return answer::host_missing();
        }
        if let Some(failure) = &self.closed {
            body.discard().await;
            return answer::of_handler(Style::Nsq, Err(failure.clone()));
        }
        let has_token = self.admits(&mut head);
        let Ok(path) = unescape(head.uri.path(), false) else {
            return answer::malformed();
        };
        let coding = self.coding(&head);
        let endpoint = self.endpoint(&head.method, &path);
        let is_open = endpoint.as_ref().is_some_and(|(route, _)| route.is_open);
        let is_admitted = has_token || is_open;
        let mut response = match endpoint {
            _ if !is_admitted => {
                body.discard().await;
                self.refuse(head, connection.peer())
            }
            Some((route, parameter)) => {
                if !route.reads_body {
                    body.discard().await;
                }
                let request = Request::new(head, parameter, body, Arc::clone(connection));
                self.run(route, request).await
            }
            None => {
                body.discard().await;
                self.answer_elsewhere(&head, &path, connection.peer())
            }
        };
        if connection.body_is_unread() {
            answer::close_after(&mut response);
        }
        if let Some(compressor) = &self.compressor {
            // In a box, so that connections of routers without one are not larger for it.
            response = Box::pin(compressor.compress(response, coding)).await;
        }
        response.body_mut().go_to(connection);
        response
    }

    /// Whether a token comes with the request that must come with it.
    fn admits(&self, head: &mut Parts) -> bool {
        let Some(file) = &self.tokens else { return true };
        take_token(&mut head.headers).is_some_and(|token| file.tokens().admit(&token))
    }

    /// How the body of the response may be compressed.
    fn coding(&self, head: &Parts) -> Option<Coding> {
        // What HEAD is answered has no body, whatever its head says.
        let may = self.compressor.is_some() && head.method != Method::HEAD;
        may.then(|| Coding::accepted(&head.headers)).flatten()
    }

    fn refuse(&self, head: Parts, peer: Peer) -> Wire {
        let Parts { method, uri, .. } = head;
        let entry = LogEntry { method, uri, peer, started: Some(Instant::now()) };
        let response = answer::unauthorized();
        entry.finish(&self.log, response.status());
        response
    }

    async fn run(&self, route: &Route<S>, request: Request) -> Wire {
        let is_logged = route.is_logged && self.log.writes(LogLevel::Info);
        let entry = LogEntry {
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer: request.peer(),
            // Unlogged routes are the busy ones: spare them the clock.
            started: is_logged.then(Instant::now),
        };
        let handler = (route.handler)(Arc::clone(&self.state), request);
        let end = End { entry, is_logged, style: route.style };
        if !route.is_detached {
            return end.of(contain_panic(handler).await, &self.log);
        }
        let log = self.log.clone();
        let task = tokio::spawn(async move { end.of(contain_panic(handler).await, &log) });
        // It contains panics, and nobody aborts it.
        task.await.unwrap_or_else(|_| answer::of_handler(route.style, Err(Failure::internal())))
    }

    fn answer_elsewhere(&self, head: &Parts, path: &str, peer: Peer) -> Wire {
        let is_options = head.method == Method::OPTIONS;
        if is_options && path == "*" {
            return answer::empty();
        }
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let entry = LogEntry { method, uri, peer, started: Some(Instant::now()) };
        let response = match self.elsewhere(&head.method, path) {
            Elsewhere::Corrected(path) => {
                let location = match head.uri.query() {
                    Some(query) => format!("{path}?{query}"),
                    None => path,
                };
                return answer::redirect(&location, head.method == Method::GET)
                    .unwrap_or_else(|_| answer::malformed());
            }
            Elsewhere::OtherMethods(allowed) if is_options => {
                return answer::options(&allowed).unwrap_or_else(|_| answer::malformed());
            }
            Elsewhere::OtherMethods(allowed) => {
                answer::method_not_allowed(&allowed).unwrap_or_else(|_| answer::malformed())
            }
            Elsewhere::Nowhere => {
                answer::of_handler(Style::Nsq, Err(Failure::not_found("NOT_FOUND")))
            }
        };
        entry.finish(&self.log, response.status());
        response
    }

    /// The first route that fits, and the text in the place of its `:name`s.
    fn endpoint(&self, method: &Method, path: &str) -> Option<(&Route<S>, Option<String>)> {
        self.routes_of(method).find_map(|route| {
            let parameter = route.pattern.matched(path)?;
            Some((route, (!parameter.is_empty()).then(|| parameter.to_owned())))
        })
    }

    fn elsewhere(&self, method: &Method, path: &str) -> Elsewhere {
        if path != "/" && *method != Method::CONNECT {
            let cleaned = clean(path);
            let corrected = |route: &Route<S>| route.pattern.corrected(&cleaned);
            if let Some(corrected) = self.routes_of(method).find_map(corrected) {
                return Elsewhere::Corrected(corrected);
            }
        }
        let matching = self.routes.iter().filter(|route| route.pattern.matched(path).is_some());
        let mut allowed: Vec<&str> = matching.map(|route| route.method.as_str()).collect();
        if allowed.is_empty() {
            return Elsewhere::Nowhere;
        }
        allowed.push(Method::OPTIONS.as_str());
        allowed.sort_unstable();
        allowed.dedup();
        Elsewhere::OtherMethods(allowed.join(", "))
    }

    fn routes_of(&self, method: &Method) -> impl Iterator<Item = &Route<S>> {
        self.routes.iter().filter(move |route| route.method == *method)
    }
}

/// A line of the request log in the making.
struct LogEntry {
    method: Method,
    uri: Uri,
    peer: Peer,
    /// `None` where only a panic would be logged; it then shows as taking no time.
    started: Option<Instant>,
}

impl LogEntry {
    fn finish(self, log: &Logger, status: StatusCode) {
        let elapsed = self.started.map_or(Duration::ZERO, |started| started.elapsed());
        let target = self.uri.path_and_query().map_or("", |target| target.as_str());
        let (status, method, peer) = (status.as_u16(), self.method, self.peer);
        log.info(format_args!("{status} {method} {target} ({peer}) {}", DurationText(elapsed)));
    }
}

/// Runs a handler so that its panic ends the request, not the connection's task.
///
/// State the panicking handler was changing is guarded by the daemon's own locks and checks, as
/// with any other task that dies.
async fn contain_panic(
    handler: impl Future<Output = HandlerResult>,
) -> Result<HandlerResult, Box<dyn Any + Send>> {
    let mut handler = pin!(handler);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// What is made of a handler's end.
struct End {
    entry: LogEntry,
    is_logged: bool,
    style: Style,
}

impl End {
    fn of(self, outcome: Result<HandlerResult, Box<dyn Any + Send>>, log: &Logger) -> Wire {
        match outcome {
            Ok(result) => {
                let response = answer::of_handler(self.style, result);
                if self.is_logged {
                    self.entry.finish(log, response.status());
                }
                response
            }
            Err(panic) => {
                log.error(format_args!("panic in HTTP handler - {}", text_of(&*panic)));
                let response = answer::of_handler(Style::Nsq, Err(Failure::internal()));
                self.entry.finish(log, response.status());
                response
            }
        }
    }
}

/// The message of a panic, which is text unless someone went out of their way.
fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Router").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}
