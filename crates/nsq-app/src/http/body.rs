//! Request bodies: read whole up to a limit, or discarded.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body as _, Incoming};

use super::Failure;
use super::connection::Connection;

/// How much of an unwanted body is read to keep the connection usable. What is larger costs the
/// client its connection instead of the daemon its time.
const DISCARD_LIMIT_BYTES: u64 = 1 << 20;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Longer than the limit, whether announced or found out.
    #[error("body too big")]
    TooBig,
    /// Broken chunked coding, or the client went away.
    #[error("body read error")]
    Unreadable,
}

impl BodyError {
    /// As NSQ answers it: `413` with the endpoint's own code, or `500 INTERNAL_ERROR`.
    #[must_use]
    pub fn refuse(self, too_big_message: &'static str) -> Failure {
        match self {
            Self::TooBig => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, too_big_message),
            Self::Unreadable => Failure::internal(),
        }
    }
}

/// The body of one request.
#[derive(Debug)]
pub(super) struct Body {
    incoming: Incoming,
    connection: Arc<Connection>,
}

impl Body {
    pub(super) fn new(incoming: Incoming, connection: Arc<Connection>) -> Self {
        connection.note_body(!incoming.is_end_stream());
        Self { incoming, connection }
    }

    /// Reads everything there is into one piece of its own: a part of the connection's buffer
    /// would keep all of that in memory.
    pub(super) async fn read(&mut self, limit_bytes: u64) -> Result<Bytes, BodyError> {
        Ok(self.read_behind(0, limit_bytes).await?.freeze())
    }

    /// Reads everything there is behind `room` bytes that are left for the caller to fill: what
    /// is to be framed is copied once, from the connection's buffer to its place.
    pub(super) async fn read_behind(
        &mut self,
        room: usize,
        limit_bytes: u64,
    ) -> Result<BytesMut, BodyError> {
        // An announced length is exact, and checked before anything is read or reserved.
        let announced = self.incoming.size_hint().exact();
        if announced.is_some_and(|length| length > limit_bytes) {
            return Err(BodyError::TooBig);
        }
        let expected = announced.and_then(|length| usize::try_from(length).ok());
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            let length = whole.len().saturating_sub(room) + piece.len();
            if length as u64 > limit_bytes {
                return Err(BodyError::TooBig);
            }
            if whole.is_empty() {
                // Something has come: now there is reason to believe in the rest of it.
                whole.reserve(room + expected.unwrap_or(length));
                whole.resize(room, 0);
            }
            whole.extend_from_slice(&piece);
        }
        whole.resize(whole.len().max(room), 0);
        Ok(whole)
    }

    /// Reads a body nobody wants, so that the connection can go on. Stops at a limit or error;
    /// the connection is then marked as not reusable.
    pub(super) async fn discard(&mut self) {
        let mut discarded: u64 = 0;
        while discarded <= DISCARD_LIMIT_BYTES {
            match self.next().await {
                Ok(Some(bytes)) => discarded += bytes.len() as u64,
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if self.incoming.is_end_stream() {
                self.connection.note_body(false);
                return Ok(None);
            }
            self.connection.set_busy(false);
            let frame = self.incoming.frame().await;
            self.connection.set_busy(true);
            let Some(frame) = frame else {
                self.connection.note_body(false);
                return Ok(None);
            };
            // Frames that are no data are trailers, which mean nothing to NSQ.
            if let Ok(data) = frame.map_err(|_| BodyError::Unreadable)?.into_data() {
                return Ok(Some(data));
            }
        }
    }
}
