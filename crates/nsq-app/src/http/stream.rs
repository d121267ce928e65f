//! Bodies that are sent piece by piece, for as long as both sides want.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::connection::Connection;

/// The daemon's end of a body that is sent piece by piece. Dropping it ends the body in order,
/// after the pieces that were sent.
///
/// The body ends before that, also in order, when the daemon begins to stop, or when there are too
/// many connections: a stream counts as idle then, like a connection without a request. It
/// breaks off when the client goes, or takes nothing for as long as any response may wait.
#[derive(Debug)]
pub struct StreamSender {
    pieces: Sender<Bytes>,
}

/// The body has ended, for whatever reason: nobody gets what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream has ended")]
pub struct Closed;

impl StreamSender {
    /// Hands over a piece as soon as there is room for it. That it was handed over does not mean
    /// that the client gets it. An empty piece is none.
    ///
    /// # Errors
    ///
    /// When the body has ended.
    pub async fn send(&mut self, piece: Bytes) -> Result<(), Closed> {
        if piece.is_empty() {
            return if self.pieces.is_closed() { Err(Closed) } else { Ok(()) };
        }
        self.pieces.send(piece).await.map_err(|_| Closed)
    }

    /// Returns when the body has ended. Who has nothing to send learns of it only here.
    pub async fn closed(&self) {
        self.pieces.closed().await;
    }
}

/// The frame's end.
#[derive(Debug)]
pub(super) struct Stream {
    pieces: Receiver<Bytes>,
    /// Which the response goes to, as soon as that is known.
    connection: Option<Arc<Connection>>,
}

impl Stream {
    /// With so many pieces that wait to be written, at least one. Behind them are the buffers of
    /// the connection and of the kernel, so that a reader that falls behind soon holds the sender
    /// up.
    pub(super) fn new(room: usize) -> (Self, StreamSender) {
        let (sender, pieces) = mpsc::channel(room.max(1));
        (Self { pieces, connection: None }, StreamSender { pieces: sender })
    }

    /// Ends with this connection.
    pub(super) fn go_to(&mut self, connection: &Arc<Connection>) {
        connection.begin_stream();
        self.connection = Some(Arc::clone(connection));
    }

    /// The next piece; `None` at the end. The connection's task polls this after it has told the
    /// connection to end its stream, so that needs no waker of its own.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.connection.as_ref().is_some_and(|connection| connection.stream_must_end()) {
            self.pieces.close();
            return Poll::Ready(None);
        }
        self.pieces.poll_recv(context)
    }
}
