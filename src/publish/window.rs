//! Messages that were handed to the client and whose outcome is not known yet.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use nsq_client::{Producer, PublishError, Receipt};
use tokio::task::JoinHandle;

use super::input::Entry;

/// How many messages are under way at once.
const COUNT_MAX: usize = 10_000;
/// How many bytes of bodies, one batch of the input aside.
const BYTES_MAX: usize = 32 << 20;

/// Publishes several messages at a time and tells their outcomes in their order.
pub(super) struct Window {
    producer: Producer,
    topic: String,
    delay: Option<Duration>,
    entries: VecDeque<UnderWay>,
    bytes: usize,
}

struct UnderWay {
    number: u64,
    bytes: usize,
    outcome: Outcome,
}

enum Outcome {
    /// The client gathers them into batches.
    Receipt(Receipt),
    /// nsqd takes deferred ones one by one, so each is a task.
    Task(JoinHandle<Result<(), PublishError>>),
    /// It was not even taken in.
    Refused(PublishError),
}

impl Window {
    pub(super) fn new(producer: Producer, topic: String, delay: Option<Duration>) -> Self {
        Self { producer, topic, delay, entries: VecDeque::new(), bytes: 0 }
    }

    /// Whether more should be put in.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < COUNT_MAX && self.bytes < BYTES_MAX
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Hands a message to the client; waits if that has too many.
    pub(super) async fn push(&mut self, Entry { number, body }: Entry) {
        let bytes = body.len();
        let outcome = match self.delay {
            None => match self.producer.enqueue(&self.topic, body).await {
                Ok(receipt) => Outcome::Receipt(receipt),
                Err(error) => Outcome::Refused(error),
            },
            Some(delay) => {
                let (producer, topic) = (self.producer.clone(), self.topic.clone());
                Outcome::Task(tokio::spawn(async move {
                    producer.publish_deferred(&topic, delay, body).await
                }))
            }
        };
        self.bytes += bytes;
        self.entries.push_back(UnderWay { number, bytes, outcome });
    }

    /// The outcome of the first message that is under way; none if nothing is. May be dropped
    /// without losing anything.
    pub(super) async fn next(&mut self) -> Option<(u64, Result<(), PublishError>)> {
        let first = self.entries.front_mut()?;
        let result = poll_fn(|context| first.outcome.poll(context)).await;
        let UnderWay { number, bytes, .. } = self.entries.pop_front()?;
        self.bytes -= bytes;
        Some((number, result))
    }
}

impl Outcome {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        Poll::Ready(match self {
            Self::Receipt(receipt) => ready!(Pin::new(receipt).poll(context)),
            // A task that panicked has published nothing that is known of.
            Self::Task(task) => {
                ready!(Pin::new(task).poll(context)).unwrap_or(Err(PublishError::Stopped))
            }
            Self::Refused(error) => Err(error.clone()),
        })
    }
}
