//! The HTTP frame: what all endpoints of a daemon have in common.
//!
//! A daemon states its endpoints as a table of [`Route`]s over its own state and hands the
//! [`Router`] to [`serve`]. The frame does what NSQ does around every endpoint: it finds the
//! route (redirects, 404, 405, OPTIONS), reads or limits bodies, turns the handler's outcome into
//! NSQ's response form, writes the request log line and contains panics.
//!
//! ```
//! use std::sync::Arc;
//! use nsq_app::http::{Answer, Failure, Request, Router, get, post};
//!
//! struct Daemon;
//!
//! async fn ping(_: Arc<Daemon>, _: Request) -> Result<Answer, Failure> {
//!     Ok(Answer::text("OK"))
//! }
//!
//! async fn publish(_: Arc<Daemon>, mut request: Request) -> Result<Answer, Failure> {
//!     let body = request.read_body(1_048_576).await.map_err(|e| e.refuse("MSG_TOO_BIG"))?;
//!     let query = request.query()?;
//!     let topic = query.first("topic").ok_or(Failure::bad_request("MISSING_ARG_TOPIC"))?;
//!     Ok(Answer::text(format!("{} bytes for {topic}", body.len())))
//! }
//!
//! fn routes() -> Vec<nsq_app::http::Route<Daemon>> {
//!     vec![
//!         get("/ping", ping).plain(),
//!         post("/pub", publish).reads_body().unlogged(),
//!     ]
//! }
//! ```

mod answer;
mod bearer;
mod body;
mod coding;
mod compressor;
mod connection;
mod escape;
mod form;
mod path;
mod query;
mod request;
mod response_body;
mod route;
mod router;
mod server;
mod stream;

pub use answer::{Answer, Failure, HandlerResult};
pub use body::BodyError;
pub use form::Form;
pub use hyper::header::HeaderValue;
pub use hyper::{HeaderMap, Method, StatusCode};
pub use query::{InvalidQuery, Query};
pub use request::Request;
pub use route::{Route, delete, get, post, put};
pub use router::Router;
pub use server::serve;
pub use stream::{Closed, StreamSender};

/// What somebody gets to read who speaks plain HTTP where TLS is spoken; Go's words.
pub const NOT_HTTPS: nsq_net::Refusal = nsq_net::Refusal {
    text: b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    // Of the methods of HTTP.
    first_bytes: b"CDGHOPT",
};
