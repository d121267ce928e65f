//! A message as a consumer gets it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use nsq_proto::MessageId;

use crate::consumer::{Answer, Outbox, Verdict};
use crate::wire::ReceivedMessage;

/// A message that nsqd delivered and that waits for an answer.
///
/// It is answered once: with [`finish`](Self::finish) or one of the requeues. Answering it again
/// has no effect. **A message that is dropped without an answer is requeued** as after a failure,
/// so that a handler that panics loses nothing. Answers are sent without being confirmed: if the
/// connection is lost before nsqd has read a FIN, the message comes again, here or elsewhere.
///
/// It may be kept and answered later, from any thread; nsqd gives it to somebody else when it was
/// neither answered nor [touched](Self::touch) for its message time-out. The body shares the
/// buffer it was read into (64 kB, with others).
pub struct Message {
    received: ReceivedMessage,
    is_answered: AtomicBool,
    outbox: Arc<Outbox>,
}

impl Message {
    pub(crate) fn new(received: ReceivedMessage, outbox: Arc<Outbox>) -> Self {
        Self { received, is_answered: AtomicBool::new(false), outbox }
    }

    /// Its id: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.received.id
    }

    /// When nsqd accepted it, in nanoseconds since 1970.
    #[must_use]
    pub fn timestamp_ns(&self) -> i64 {
        self.received.timestamp_ns
    }

    /// Which delivery this is, the first being 1.
    #[must_use]
    pub fn attempts(&self) -> u16 {
        self.received.attempts
    }

    /// What was published.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.received.body
    }

    /// The address of the nsqd it comes from.
    #[must_use]
    pub fn nsqd(&self) -> &str {
        &self.outbox.address
    }

    /// Whether it was answered.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed)
    }

    /// Whether its connection is gone, and nsqd has taken it back.
    pub(crate) fn is_orphan(&self) -> bool {
        self.outbox.is_gone()
    }

    /// It is done (FIN): nsqd may forget it for this channel.
    pub fn finish(&self) {
        self.answer(Answer::Finish);
    }

    /// It failed (REQ): it comes again after the automatic delay, which is
    /// `default_requeue_delay` times its attempts, and at most `max_requeue_delay`. The consumer
    /// backs off.
    pub fn requeue(&self) {
        let config = &self.outbox.consumer.dialer.config;
        let delay = config.default_requeue_delay.saturating_mul(u32::from(self.attempts()));
        self.requeue_after(delay.min(config.max_requeue_delay));
    }

    /// The same with another delay, in whole milliseconds; nsqd takes at most its
    /// `--max-req-timeout`.
    pub fn requeue_after(&self, delay: Duration) {
        self.answer(Answer::Requeue { delay, verdict: Verdict::Failure });
    }

    /// It comes again after `delay`, for a reason that says nothing about the health of this
    /// consumer: there is no back-off.
    pub fn requeue_without_backoff(&self, delay: Duration) {
        self.answer(Answer::Requeue { delay, verdict: Verdict::Neutral });
    }

    /// It takes longer (TOUCH): its message time-out begins anew, up to nsqd's
    /// `--max-msg-timeout`. The option `auto_touch` does this by itself.
    pub fn touch(&self) {
        if !self.is_answered() {
            self.outbox.touch(self.id());
        }
    }

    fn answer(&self, answer: Answer) {
        if !self.is_answered.swap(true, Ordering::Relaxed) {
            self.outbox.answer(self.received.id, answer);
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if !*self.is_answered.get_mut() {
            self.requeue();
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Message")
            .field("id", &self.id())
            .field("attempts", &self.attempts())
            .field("body_bytes", &self.body().len())
            .finish_non_exhaustive()
    }
}
