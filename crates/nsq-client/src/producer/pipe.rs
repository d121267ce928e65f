//! One connection of a producer: commands out, answers in, several under way.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::batch::Batch;
use super::queue::{Bell, Queue};
use crate::PublishError;
use crate::wire::{Received, Wire};

/// How many commands are under way at once. More would make smaller batches.
const DEPTH: usize = 4;
/// How long a node that could not publish is left alone, if there is another.
const REST: Duration = Duration::from_secs(1);

/// What a connection is told about the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct PipeRules {
    /// What is lost without an answer is published again.
    pub(super) retries: bool,
    /// A node that answers nothing for so long is given up.
    pub(super) answer_timeout: Duration,
}

#[derive(Debug)]
pub(super) struct Pipe {
    wire: Wire,
    queue: Arc<Queue>,
    bell: Arc<Bell>,
    rules: PipeRules,
    /// Others might publish what this node cannot.
    has_siblings: bool,
    under_way: VecDeque<Sent>,
    /// The bell rang, and others were given the time to publish, too.
    has_yielded: bool,
    rests_until: Option<Instant>,
    /// Why it is lost.
    error: Option<Arc<str>>,
    /// The last answer was an error: nsqd closes then, and has done nothing of what followed.
    is_refused: bool,
}

/// Why a connection is of no more use.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) error: io::Error,
    /// nsqd closed it because of what was published: the node is well.
    pub(super) was_refused: bool,
}

#[derive(Debug)]
struct Sent {
    batch: Batch,
    at: Instant,
}

impl Pipe {
    pub(super) fn new(wire: Wire, queue: Arc<Queue>, rules: PipeRules, siblings: bool) -> Self {
        Self {
            wire,
            queue,
            bell: Arc::default(),
            rules,
            has_siblings: siblings,
            under_way: VecDeque::new(),
            has_yielded: false,
            rests_until: None,
            error: None,
            is_refused: false,
        }
    }

    /// Publishes until the connection is lost.
    pub(super) async fn run(mut self) -> Lost {
        let error = match poll_fn(|context| self.poll(context)).await {
            Ok(never) => match never {},
            Err(error) => error,
        };
        self.error = Some(error.to_string().into());
        Lost { error, was_refused: self.is_refused }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Infallible>> {
        self.bell.driver.register(context.waker());
        // Whoever is ready to publish now does so before a batch is taken.
        if self.bell.is_rung.swap(false, Ordering::Acquire) && !self.has_yielded {
            self.has_yielded = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_yielded = false;
        loop {
            self.take();
            // Answers are read also while nsqd takes nothing.
            match self.wire.poll_flush(context)? {
                Poll::Ready(()) | Poll::Pending => {}
            }
            let Poll::Ready(filled) = self.wire.poll_fill(context) else { break };
            filled?;
            self.receive()?;
        }
        loop {
            let answer_by = self.under_way.front().map(|it| it.at + self.rules.answer_timeout);
            let wanted = [answer_by, self.rests_until].into_iter().flatten().min();
            ready!(self.wire.poll_deadlines(context, wanted))?;
            let now = Instant::now();
            if answer_by.is_some_and(|by| by <= now) {
                let text = format!("no answer for {:?}", self.rules.answer_timeout);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            if self.rests_until.is_some_and(|until| until <= now) {
                self.rests_until = None;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn take(&mut self) {
        if self.rests_until.is_some() {
            return;
        }
        while self.under_way.len() < DEPTH {
            let Some(mut batch) = self.queue.take(&self.bell) else { return };
            batch.encode(self.wire.output());
            batch.was_sent = true;
            self.under_way.push_back(Sent { batch, at: Instant::now() });
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        while let Some(received) = self.wire.next_frame()? {
            match received {
                Received::Response(data) if data == "OK" => {
                    self.is_refused = false;
                    // One too many would be taken for the answer to what is sent next.
                    let sent = self.under_way.pop_front().ok_or_else(|| nonsense("OK to what?"))?;
                    self.queue.answer(&sent.batch, Ok(()));
                }
                Received::Error(text) => self.on_error(&text)?,
                Received::Response(_) => return Err(nonsense("an answer other than OK")),
                // Nobody subscribed.
                Received::Message(_) => return Err(nonsense("a message")),
            }
        }
        Ok(())
    }

    fn on_error(&mut self, text: &Bytes) -> io::Result<()> {
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let text: Arc<str> = String::from_utf8_lossy(text).into();
        self.queue.note_error(&text);
        let Some(Sent { batch, .. }) = self.under_way.pop_front() else {
            self.is_refused = false;
            return Err(nonsense(&text));
        };
        self.is_refused = true;
        match code {
            // One of its messages, or all together, are too large.
            b"E_BAD_MESSAGE" | b"E_BAD_BODY" if batch.can_be_split() => {
                self.queue.put_back(batch.split().into_iter());
            }
            // It could not, for a reason of its own; another one may.
            b"E_PUB_FAILED" | b"E_MPUB_FAILED" | b"E_DPUB_FAILED"
                if self.rules.retries && self.has_siblings =>
            {
                self.rests_until = Some(Instant::now() + REST);
                self.queue.give_back(&self.bell, std::iter::once(batch));
            }
            _ => self.queue.answer(&batch, Err(PublishError::Refused(text))),
        }
        Ok(())
    }
}

fn nonsense(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("nsqd said what it should not: {what}"))
}

/// What is left is published elsewhere, if that is allowed.
impl Drop for Pipe {
    fn drop(&mut self) {
        self.queue.leave(&self.bell);
        let under_way = std::mem::take(&mut self.under_way).into_iter().map(|sent| sent.batch);
        if self.is_refused || self.rules.retries {
            self.queue.put_back(under_way);
            return;
        }
        let error = self.error.take().unwrap_or_else(|| "closed".into());
        for batch in under_way {
            self.queue.answer(&batch, Err(PublishError::Lost(Arc::clone(&error))));
        }
    }
}
