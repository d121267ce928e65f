//! How others reach the task of a connection.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

const MESSAGES: u8 = 1;
const CLOSE: u8 = 2;

/// What woke a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Woken {
    /// Its channel may have messages for it.
    pub(crate) messages: bool,
    /// It must close without a word.
    pub(crate) close: bool,
}

impl Woken {
    pub(crate) fn and(self, later: Self) -> Self {
        Self { messages: self.messages || later.messages, close: self.close || later.close }
    }
}

/// Wakes one connection; what it was woken for stays set until it has been seen.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    flags: AtomicU8,
    waker: AtomicWaker,
}

impl Signal {
    /// The channel may have messages.
    pub(crate) fn messages(&self) {
        self.raise(MESSAGES);
    }

    /// The channel or topic is deleted, or the daemon stops.
    pub(crate) fn close(&self) {
        self.raise(CLOSE);
    }

    /// What happened since the last call; registers the task when nothing did.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Woken> {
        self.waker.register(context.waker());
        let flags = self.flags.swap(0, Ordering::AcqRel);
        if flags == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Woken { messages: flags & MESSAGES != 0, close: flags & CLOSE != 0 })
    }

    fn raise(&self, flag: u8) {
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.waker.wake();
    }
}
