//! What follows the head of a response.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::connection::Connection;
use super::stream::Stream;

/// The body of a response: one piece, or many that come as they come.
#[derive(Debug)]
pub(super) enum ResponseBody {
    /// Empty once it is handed over.
    Whole(Bytes),
    Stream(Stream),
}

impl ResponseBody {
    pub(super) fn empty() -> Self {
        Self::Whole(Bytes::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    /// A stream ends with the connection that it goes to.
    pub(super) fn go_to(&mut self, connection: &Arc<Connection>) {
        if let Self::Stream(stream) = self {
            stream.go_to(connection);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) => {
                Poll::Ready(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()))
            }
            Self::Stream(stream) => stream.poll_next(context),
        };
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
