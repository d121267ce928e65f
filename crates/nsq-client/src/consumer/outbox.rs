//! What a connection still has to say to its nsqd, written by whoever answers messages.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use nsq_proto::MessageId;
use parking_lot::Mutex;

use super::backoff::Verdict;
use super::flow::ConnectionId;
use super::shared::Shared;
use crate::duration::milliseconds;

/// TOUCH of a message may be said any number of times: beyond this many bytes it is left out.
const TOUCHABLE_BYTES: usize = 1 << 20;
/// nsqd sends again what was not answered in time, and so may send more than it was asked for. With
/// the ready count and as much again unanswered it has to wait, or with this many more.
const FLOOD_MIN: usize = 64;

/// One connection as its messages know it.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) id: ConnectionId,
    pub(crate) address: Arc<str>,
    pub(crate) consumer: Arc<Shared>,
    content: Mutex<Content>,
    driver: AtomicWaker,
}

#[derive(Debug, Default)]
struct Content {
    commands: Vec<u8>,
    /// The ready count to be told, if it has changed.
    ready: Option<u32>,
    /// The largest ready count that was told.
    ready_most: u32,
    /// Messages that came and were not answered.
    in_flight: usize,
    /// Those of them that are to be touched, if that is wanted.
    touched: HashSet<MessageId>,
    /// Stop was asked for, and CLS was not written yet.
    must_close: bool,
    /// The connection is gone; nothing that is said reaches anybody.
    is_gone: bool,
}

/// What the driver takes out.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) in_flight: usize,
    pub(crate) must_close: bool,
    /// Far more came than was asked for.
    pub(crate) is_flooded: bool,
}

/// How a message is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Finish,
    Requeue { delay: Duration, verdict: Verdict },
}

impl Outbox {
    pub(crate) fn new(id: ConnectionId, address: Arc<str>, consumer: Arc<Shared>) -> Self {
        let (content, driver) = (Mutex::default(), AtomicWaker::new());
        Self { id, address, consumer, content, driver }
    }

    /// Answers a message, once.
    pub(crate) fn answer(&self, id: MessageId, answer: Answer) {
        let verdict = match answer {
            Answer::Finish => Verdict::Success,
            Answer::Requeue { verdict, .. } => verdict,
        };
        // A change of RDY goes out before the answer that caused it, as with go-nsq.
        self.consumer.answered(verdict);
        let mut content = self.content.lock();
        content.in_flight = content.in_flight.saturating_sub(1);
        if !content.touched.is_empty() {
            content.touched.remove(&id);
        }
        if content.is_gone {
            return;
        }
        let was_empty = content.commands.is_empty();
        match answer {
            Answer::Finish => append(&mut content.commands, b"FIN ", &id, b"\n"),
            Answer::Requeue { delay, .. } => {
                let behind = format!(" {}\n", milliseconds(delay));
                append(&mut content.commands, b"REQ ", &id, behind.as_bytes());
            }
        }
        drop(content);
        if was_empty {
            self.driver.wake();
        }
    }

    /// Asks for more time.
    pub(crate) fn touch(&self, id: MessageId) {
        let mut content = self.content.lock();
        if content.is_gone || content.commands.len() > TOUCHABLE_BYTES {
            return;
        }
        append(&mut content.commands, b"TOUCH ", &id, b"\n");
        drop(content);
        self.driver.wake();
    }

    /// From now on so many messages may be in flight here.
    pub(crate) fn change_ready(&self, count: u32) {
        let mut content = self.content.lock();
        content.ready = Some(count);
        content.ready_most = content.ready_most.max(count);
        drop(content);
        self.driver.wake();
    }

    /// No more messages are wanted.
    pub(crate) fn close(&self) {
        self.content.lock().must_close = true;
        self.driver.wake();
    }

    /// The connection is lost or closed.
    pub(crate) fn gone(&self) {
        let mut content = self.content.lock();
        content.is_gone = true;
        (content.commands, content.touched) = (Vec::new(), HashSet::new());
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.content.lock().is_gone
    }

    /// Messages came; these of them are to be touched.
    pub(crate) fn delivered(&self, count: usize, touched: &[MessageId]) {
        let mut content = self.content.lock();
        content.in_flight += count;
        content.touched.extend(touched);
    }

    /// Those of these that are not answered yet.
    pub(crate) fn still_open(&self, ids: &mut Vec<MessageId>) {
        let content = self.content.lock();
        ids.retain(|id| content.touched.contains(id));
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.content.lock().in_flight
    }

    /// Wakes the driver of this context when there is something to take.
    pub(crate) fn register(&self, context: &Context<'_>) {
        self.driver.register(context.waker());
    }

    /// Moves what is to be said to `output`.
    pub(crate) fn take(&self, output: &mut Vec<u8>) -> Taken {
        let mut content = self.content.lock();
        if let Some(count) = content.ready.take() {
            output.extend_from_slice(format!("RDY {count}\n").as_bytes());
        }
        if output.is_empty() {
            std::mem::swap(output, &mut content.commands);
        } else {
            output.append(&mut content.commands);
        }
        let must_close = std::mem::take(&mut content.must_close);
        let ready = content.ready_most as usize;
        let most = ready + ready.max(FLOOD_MIN);
        Taken { in_flight: content.in_flight, must_close, is_flooded: content.in_flight >= most }
    }
}

fn append(commands: &mut Vec<u8>, verb: &[u8], id: &MessageId, behind: &[u8]) {
    commands.extend_from_slice(verb);
    commands.extend_from_slice(&id.0);
    commands.extend_from_slice(behind);
}
