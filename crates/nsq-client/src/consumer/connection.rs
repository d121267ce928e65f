//! One connection of a consumer: moves its bytes until it is lost or closed.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nsq_proto::MessageId;
use tokio::time::Instant;

use super::outbox::{Outbox, Taken};
use crate::Message;
use crate::dialer::Facts;
use crate::wire::{Received, ReceivedMessage, Wire};

/// What may wait for a peer that does not read, before answers stay where they are.
const OUTPUT_BYTES_MAX: usize = 64 << 10;
const CLOSE_WAIT: &[u8] = b"CLOSE_WAIT";
/// More ids than this are looked through for those that were answered meanwhile.
const TOUCH_IDS_MAX: usize = 4096;
/// Nothing is touched more often, however short its time-out is.
const TOUCH_PAUSE_MIN: Duration = Duration::from_millis(10);

/// The state of a connection that has subscribed.
#[derive(Debug)]
pub(super) struct Connection {
    wire: Wire,
    outbox: Arc<Outbox>,
    batch: Vec<Message>,
    touches: Option<Touches>,
    /// CLS was answered: no more messages come.
    is_closing: bool,
}

/// What came in front of nonsense was handed to nobody: that it goes back says nothing about the
/// consumer.
impl Drop for Connection {
    fn drop(&mut self) {
        for message in self.batch.drain(..) {
            message.requeue_without_backoff(Duration::ZERO);
        }
    }
}

/// When which messages are touched.
#[derive(Debug)]
struct Touches {
    every: Duration,
    due: VecDeque<(Instant, Vec<MessageId>)>,
    count: usize,
}

impl Connection {
    /// Subscribes. As with go-nsq, RDY follows at once, before the answer.
    pub(super) fn new(mut wire: Wire, facts: &Facts, outbox: Arc<Outbox>) -> Self {
        let consumer = &outbox.consumer;
        let subscription = format!("SUB {} {}\n", consumer.topic, consumer.channel);
        wire.queue(subscription.as_bytes());
        wire.expect_messages();
        let is_touching = consumer.dialer.config.auto_touch;
        let timeout = facts.message_timeout().filter(|_| is_touching);
        let every = timeout.map(|timeout| (timeout / 2).max(TOUCH_PAUSE_MIN));
        let touches = every.map(|every| Touches { every, due: VecDeque::new(), count: 0 });
        Self { wire, outbox, batch: Vec::new(), touches, is_closing: false }
    }

    /// Runs until the connection was closed in good order, or is lost.
    pub(super) async fn run(mut self) -> io::Result<()> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outbox.register(context);
        loop {
            let taken = self.take();
            let is_flushed = match self.wire.poll_flush(context) {
                Poll::Ready(result) => {
                    result?;
                    true
                }
                Poll::Pending => false,
            };
            if self.is_closing && taken.in_flight == 0 && is_flushed {
                return Poll::Ready(Ok(()));
            }
            // An answer wakes this again. Without one, nobody answers heartbeats either, and nsqd
            // gives the connection up, as with go-nsq.
            if taken.is_flooded {
                break;
            }
            let Poll::Ready(filled) = self.wire.poll_fill(context) else { break };
            filled?;
            self.receive()?;
        }
        loop {
            let wanted = self.touches.as_ref().and_then(Touches::next);
            ready!(self.wire.poll_deadlines(context, wanted))?;
            self.touch();
            // If not everything can be written, that has a deadline as well.
            match self.wire.poll_flush(context)? {
                Poll::Ready(()) | Poll::Pending => {}
            }
        }
    }

    fn take(&mut self) -> Taken {
        if self.wire.output().len() > OUTPUT_BYTES_MAX {
            return Taken { in_flight: usize::MAX, ..Taken::default() };
        }
        let taken = self.outbox.take(self.wire.output());
        if taken.must_close {
            self.wire.queue(b"CLS\n");
        }
        taken
    }

    fn receive(&mut self) -> io::Result<()> {
        while let Some(received) = self.wire.next_frame()? {
            match received {
                Received::Message(message) => self.batch.push(self.message(message)),
                Received::Response(data) => {
                    self.is_closing |= data == CLOSE_WAIT;
                }
                Received::Error(text) => {
                    let consumer = &self.outbox.consumer;
                    let (label, address) = (consumer.label(), &self.outbox.address);
                    let text = String::from_utf8_lossy(&text);
                    log::error!("{label} ({address}) protocol error - {text}");
                }
            }
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = match &self.touches {
            None => Vec::new(),
            Some(_) => self.batch.iter().map(Message::id).collect(),
        };
        self.outbox.delivered(self.batch.len(), &ids);
        if let Some(touches) = &mut self.touches {
            touches.add(ids, &self.outbox);
        }
        let consumer = &self.outbox.consumer;
        consumer.brought(self.outbox.id);
        consumer.inbox.push(&mut self.batch);
        Ok(())
    }

    fn message(&self, received: ReceivedMessage) -> Message {
        Message::new(received, Arc::clone(&self.outbox))
    }

    /// Touches what is due and still open.
    fn touch(&mut self) {
        let Some(touches) = &mut self.touches else { return };
        let now = Instant::now();
        while let Some((_, mut ids)) = touches.due.pop_front_if(|(at, _)| *at <= now) {
            touches.count -= ids.len();
            self.outbox.still_open(&mut ids);
            // What nsqd does not read helps nobody.
            let has_room = self.wire.output().len() <= OUTPUT_BYTES_MAX;
            for id in ids.iter().filter(|_| has_room) {
                self.wire.queue(b"TOUCH ");
                self.wire.queue(&id.0);
                self.wire.queue(b"\n");
            }
            touches.push(ids, now);
        }
    }
}

impl Touches {
    fn next(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    fn add(&mut self, ids: Vec<MessageId>, outbox: &Outbox) {
        self.push(ids, Instant::now());
        // Most were answered long ago.
        if self.count > TOUCH_IDS_MAX.max(2 * outbox.in_flight()) {
            for (_, ids) in &mut self.due {
                outbox.still_open(ids);
            }
            self.due.retain(|(_, ids)| !ids.is_empty());
            self.count = self.due.iter().map(|(_, ids)| ids.len()).sum();
        }
    }

    fn push(&mut self, ids: Vec<MessageId>, now: Instant) {
        if !ids.is_empty() {
            self.count += ids.len();
            self.due.push_back((now + self.every, ids));
        }
    }
}
