//! Messages that came and that nobody has taken yet.

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Message;

/// Filled by the connections. Bounded by what they may have in flight, and by `max_in_flight` for
/// those that are gone. Lock order: this, then an outbox.
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

    /// A connection is gone. Its messages are handed out all the same, as nsqd may have died with
    /// the only other copy; but of all messages whose connection is gone only the newest are kept,
    /// so many. The others will come again.
    pub(crate) fn keep_newest_orphans(&self, most: usize) {
        let mut dropped = Vec::new();
        let mut content = self.content.lock();
        let count = content.messages.iter().filter(|message| message.is_orphan()).count();
        let mut excess = count.saturating_sub(most);
        if excess == 0 {
            return;
        }
        for message in std::mem::take(&mut content.messages) {
            if excess > 0 && message.is_orphan() {
                excess -= 1;
                dropped.push(message);
            } else {
                content.messages.push_back(message);
            }
        }
        drop(content);
        for message in dropped {
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
