//! Compression of responses.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use tokio::sync::Semaphore;
use tokio::task;

use super::answer::Wire;
use super::coding::Coding;
use super::response_body::ResponseBody;

/// A body that is shorter saves nothing: it goes in one packet anyway.
const BYTES_MIN: usize = 256;

/// A longer body is compressed on a thread that may take its time: this is less than a millisecond.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// How many of the longer ones are compressed at once. Others wait for their turn, so that pages
/// of megabytes leave processors to the requests that are short.
const LONG_AT_ONCE: usize = 2;

/// What has been compressed before.
const DENSE_TYPES: [&str; 8] = [
    "application/gzip",
    "application/zip",
    "font/woff",
    "font/woff2",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
];

/// Compresses what gains by it.
#[derive(Debug)]
pub(super) struct Compressor {
    long: Arc<Semaphore>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self { long: Arc::new(Semaphore::new(LONG_AT_ONCE)) }
    }

    /// The response as its client likes it. It says in any case that others may get another form
    /// of it; Go NSQ says so only when it has compressed, which misleads caches.
    pub(super) async fn compress(&self, mut response: Wire, coding: Option<Coding>) -> Wire {
        let ResponseBody::Whole(body) = response.body() else { return response };
        let body = body.clone();
        let coding = coding.filter(|_| body.len() >= BYTES_MIN && !is_dense(&response));
        response.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
        let Some(coding) = coding else { return response };
        let shorter = if body.len() > INLINE_BYTES_MAX {
            self.shorten_aside(coding, body).await
        } else {
            coding.shorten(&body)
        };
        if let Some(shorter) = shorter {
            *response.body_mut() = ResponseBody::Whole(shorter);
            response.headers_mut().insert(CONTENT_ENCODING, coding.name());
        }
        response
    }

    /// Nothing if the runtime stops, or by a defect: the body then goes as it is.
    async fn shorten_aside(&self, coding: Coding, body: Bytes) -> Option<Bytes> {
        let turn = Arc::clone(&self.long).acquire_owned().await.ok()?;
        let work = task::spawn_blocking(move || {
            let shorter = coding.shorten(&body);
            // Held here, as the work goes on when the client has gone.
            drop(turn);
            shorter
        });
        work.await.ok().flatten()
    }
}

fn is_dense(response: &Wire) -> bool {
    let headers = response.headers();
    let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    headers.contains_key(CONTENT_ENCODING)
        || DENSE_TYPES.iter().any(|dense| dense.as_bytes() == content_type)
}
