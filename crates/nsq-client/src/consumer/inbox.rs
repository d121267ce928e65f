//! Messages that came and that nobody has taken yet.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Message;

/// Filled by the connections. Bounded by the ready counts: nsqd sends no more than that.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    content: Mutex<Content>,
    /// Wakes one of several that take one message each.
    one: Notify,
    /// Wakes the only one that takes all.
    all: AtomicWaker,
}

#[derive(Debug, Default)]
struct Content {
    messages: VecDeque<Message>,
    is_closed: bool,
}

impl Inbox {
    /// Messages came; `batch` is empty afterwards.
    pub(crate) fn push(&self, batch: &mut Vec<Message>) {
        self.content.lock().messages.extend(batch.drain(..));
        self.one.notify_one();
        self.all.wake();
    }

    /// Nobody takes messages any more: those that are here go back at once.
    pub(crate) fn give_back(&self) {
        let messages = std::mem::take(&mut self.content.lock().messages);
        for message in messages {
            message.requeue_without_backoff(Duration::ZERO);
        }
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        self.content.lock().is_closed = true;
        self.one.notify_waiters();
        self.one.notify_one();
        self.all.wake();
    }

    /// One message; none when there will be no more. Whoever takes while more is left wakes the
    /// next.
    pub(crate) async fn take_one(&self) -> Option<Message> {
        loop {
            {
                let mut content = self.content.lock();
                let message = content.messages.pop_front();
                if !content.messages.is_empty() || content.is_closed {
                    self.one.notify_one();
                }
                if message.is_some() || content.is_closed {
                    return message;
                }
            }
            // If something came in between, there is a permit.
            self.one.notified().await;
        }
    }

    /// All messages there are, into `taken`, which is empty. Ready with `false` when there will be
    /// no more.
    pub(crate) fn poll_take_all(
        &self,
        context: &Context<'_>,
        taken: &mut VecDeque<Message>,
    ) -> Poll<bool> {
        if let Some(result) = self.take_all(taken) {
            return Poll::Ready(result);
        }
        self.all.register(context.waker());
        self.take_all(taken).map_or(Poll::Pending, Poll::Ready)
    }

    fn take_all(&self, taken: &mut VecDeque<Message>) -> Option<bool> {
        let mut content = self.content.lock();
        if content.messages.is_empty() {
            return content.is_closed.then_some(false);
        }
        std::mem::swap(&mut content.messages, taken);
        Some(true)
    }
}
