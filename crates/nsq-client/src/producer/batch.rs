//! Messages that travel together.

use std::sync::Arc;
use std::time::Duration;

use nsq_proto::{Bodies, TopicName};
use tokio::time::Instant;

use super::ticket::Ticket;
use crate::PublishError;
use crate::duration::milliseconds;

/// A batch takes no more messages beyond this. nsqd's `--max-body-size` is 5 MiB.
const BATCH_BYTES_MAX: usize = 512 << 10;
/// Nor beyond this many.
const BATCH_COUNT_MAX: u32 = 4096;
/// A message that is larger travels alone, so that what makes it too large hurts nobody else.
const COMPANY_BYTES_MAX: usize = 64 << 10;

/// One command to be: `PUB`, `MPUB` or `DPUB`. Kept until it is answered.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) topic: TopicName,
    /// Then it is a `DPUB`.
    delay: Option<Duration>,
    /// `(size: u32 big endian, body) × count`, as in an `MPUB`.
    block: Vec<u8>,
    count: u32,
    /// Who waits for it: the message at `first` of the ticket and those that follow.
    ticket: Arc<Ticket>,
    first: u32,
    /// When it fails if nobody has answered.
    pub(crate) deadline: Instant,
    /// Somebody published it as a whole: it is answered as a whole.
    is_whole: bool,
    /// It was written, so that it may be published whatever else happens.
    pub(crate) was_sent: bool,
}

impl Batch {
    /// A batch that grows.
    pub(crate) fn open(topic: TopicName, deadline: Instant) -> Self {
        Self {
            topic,
            delay: None,
            block: Vec::new(),
            count: 0,
            ticket: Arc::new(Ticket::default()),
            first: 0,
            deadline,
            is_whole: false,
            was_sent: false,
        }
    }

    /// A batch with one answer.
    pub(crate) fn whole(topic: TopicName, delay: Option<Duration>, deadline: Instant) -> Self {
        Self { delay, is_whole: true, ..Self::open(topic, deadline) }
    }

    /// Whether a message of this length may travel with others at all.
    pub(crate) fn likes_company(length: usize) -> bool {
        length <= COMPANY_BYTES_MAX
    }

    /// Whether another message of this length fits.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.count < BATCH_COUNT_MAX && self.block.len() + length <= BATCH_BYTES_MAX
    }

    /// Adds a message. Returns its place, for a receipt.
    pub(crate) fn push(&mut self, body: &[u8]) -> u32 {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.block.extend_from_slice(&size.to_be_bytes());
        self.block.extend_from_slice(body);
        self.count += 1;
        self.count - 1
    }

    pub(crate) fn ticket(&self) -> &Arc<Ticket> {
        &self.ticket
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Appends the command:
    ///
    /// ```text
    /// PUB <topic>\n              size, body
    /// DPUB <topic> <ms>\n        size, body
    /// MPUB <topic>\n             size of the rest, count, (size, body) × count
    /// ```
    pub(crate) fn encode(&self, output: &mut Vec<u8>) {
        let verb: &[u8] = match (self.delay, self.count) {
            (Some(_), _) => b"DPUB ",
            (None, 1) => b"PUB ",
            (None, _) => b"MPUB ",
        };
        output.reserve(verb.len() + self.topic.as_str().len() + self.block.len() + 32);
        output.extend_from_slice(verb);
        output.extend_from_slice(self.topic.as_str().as_bytes());
        if let Some(delay) = self.delay {
            output.extend_from_slice(format!(" {}", milliseconds(delay)).as_bytes());
        }
        output.push(b'\n');
        if self.delay.is_none() && self.count > 1 {
            let size = u32::try_from(self.block.len() + 4).unwrap_or(u32::MAX);
            output.extend_from_slice(&size.to_be_bytes());
            output.extend_from_slice(&self.count.to_be_bytes());
        }
        output.extend_from_slice(&self.block);
    }

    /// Whether it can be published message by message.
    pub(crate) fn can_be_split(&self) -> bool {
        !self.is_whole && self.count > 1
    }

    /// Its messages, each by itself.
    pub(crate) fn split(self) -> Vec<Self> {
        let bodies = Bodies::new(&self.block).zip(self.first..);
        let single = |(body, first): (&[u8], u32)| {
            let mut single = Self {
                ticket: Arc::clone(&self.ticket),
                first,
                ..Self::open(self.topic.clone(), self.deadline)
            };
            single.push(body);
            single
        };
        bodies.map(single).collect()
    }

    /// Tells everybody who waits for it.
    pub(crate) fn answer(&self, result: Result<(), PublishError>) {
        self.ticket.answer(self.first..self.first + self.count, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bodies: &[&[u8]]) -> Batch {
        let topic = TopicName::parse(b"t").expect("a name");
        let mut batch = Batch::open(topic, Instant::now());
        for body in bodies {
            batch.push(body);
        }
        batch
    }

    fn encoded(batch: &Batch) -> Vec<u8> {
        let mut output = Vec::new();
        batch.encode(&mut output);
        output
    }

    /// As in the documentation of NSQ's protocol.
    #[test]
    fn commands() {
        assert_eq!(encoded(&batch(&[b"ab"])), b"PUB t\n\0\0\0\x02ab");
        let both = b"MPUB t\n\0\0\0\x0f\0\0\0\x02\0\0\0\x02ab\0\0\0\x01c";
        assert_eq!(encoded(&batch(&[b"ab", b"c"])), both);
        let deferred = Batch { delay: Some(Duration::from_millis(1500)), ..batch(&[b"ab"]) };
        assert_eq!(encoded(&deferred), b"DPUB t 1500\n\0\0\0\x02ab");
        let for_ever = Batch { delay: Some(Duration::MAX), ..batch(&[b"ab"]) };
        assert_eq!(encoded(&for_ever), b"DPUB t 9223372036854\n\0\0\0\x02ab");
    }

    #[test]
    fn a_batch_splits_into_its_messages() {
        let parts = batch(&[b"ab", b"c"]).split();
        let bytes: Vec<_> = parts.iter().map(encoded).collect();
        assert_eq!(bytes, [&b"PUB t\n\0\0\0\x02ab"[..], b"PUB t\n\0\0\0\x01c"]);
        assert!(parts.iter().all(|part| !part.can_be_split()));
        assert_eq!(parts.iter().map(|part| part.first).collect::<Vec<_>>(), [0, 1]);
    }
}
