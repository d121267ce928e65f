//! What the requests of one connection share with the task that serves it.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Peer;

/// One connection. Its requests come one after the other, so one note about bodies is enough.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Peer,
    body_unread: AtomicBool,
}

impl Connection {
    pub(super) fn new(peer: Peer) -> Self {
        Self { peer, body_unread: AtomicBool::new(false) }
    }

    /// Notes whether a part of the current request's body is still to come.
    pub(super) fn note_body(&self, unread: bool) {
        self.body_unread.store(unread, Ordering::Relaxed);
    }

    /// Whether the next bytes from the peer belong to a body nobody wants: then the connection
    /// cannot be used for another request.
    pub(super) fn body_is_unread(&self) -> bool {
        self.body_unread.load(Ordering::Relaxed)
    }

    pub(super) fn peer(&self) -> Peer {
        self.peer
    }
}
