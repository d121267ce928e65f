//! What the requests of one connection share with the task that serves it.

use std::sync::atomic::{AtomicBool, Ordering};

use nsq_net::Peer;
use tokio::sync::Notify;

/// One connection. Its requests come one after the other, so one note about bodies is enough.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Peer,
    body_unread: AtomicBool,
    has_asked: AtomicBool,
    busy: AtomicBool,
    /// The response to the last request was a stream.
    streams: AtomicBool,
    stream_must_end: AtomicBool,
    evicted: AtomicBool,
    eviction: Notify,
}

impl Connection {
    pub(super) fn new(peer: Peer) -> Self {
        Self {
            peer,
            body_unread: AtomicBool::new(false),
            has_asked: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            streams: AtomicBool::new(false),
            stream_must_end: AtomicBool::new(false),
            evicted: AtomicBool::new(false),
            eviction: Notify::new(),
        }
    }

    /// Notes that the head of a request has come.
    pub(super) fn on_request(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        self.streams.store(false, Ordering::Relaxed);
    }

    /// Whether there was a request, so that a response may be on its way.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// Notes whether a request is being answered. While its body is still to come it is not: that
    /// is waiting for the client, and may last for ever.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    /// Ends the connection unless a request is being answered, and says whether it does. A request
    /// that arrives at the same moment is lost, as with any idle connection that a server closes;
    /// one whose body is on its way has a moment to be completed.
    pub(super) fn close_if_idle(&self) -> bool {
        let closes =
            !self.busy.load(Ordering::Relaxed) && !self.evicted.swap(true, Ordering::Relaxed);
        if closes {
            self.eviction.notify_one();
        }
        closes
    }

    /// Notes that the response is a stream.
    pub(super) fn begin_stream(&self) {
        self.streams.store(true, Ordering::Relaxed);
    }

    /// Ends the stream that is under way, or one that begins now, when its body is next polled.
    /// Returns whether there is one.
    pub(super) fn end_stream(&self) -> bool {
        self.stream_must_end.store(true, Ordering::Relaxed);
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether a stream has to end.
    pub(super) fn stream_must_end(&self) -> bool {
        self.stream_must_end.load(Ordering::Relaxed)
    }

    /// Returns when the connection has to make room.
    pub(super) async fn evicted(&self) {
        self.eviction.notified().await;
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
