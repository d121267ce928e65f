//! A channel of the daemon: the broker's channel behind its lock, and what reads the log for it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use nsq_broker::{Channel as Broker, ConsumerKey, Delivery, Sequence, Taken};
use nsq_proto::ChannelName;
use nsq_store::Recent;
use nsq_store::journal::ChannelNumber;
use parking_lot::Mutex;

use crate::backing::Backing;
use crate::client::Client;
use crate::latency::RecentLatencies;
use crate::topic::Topic;

/// How much a channel fetches from memory at a time, at most.
const RECENT_BYTES: usize = 256 << 10;
/// How much it reads from disk at a time, at most: large blocks, because a channel that lags
/// reads on.
const READ_BYTES: usize = 1 << 20;
/// How many requeued messages are looked up between two looks at how large they are.
const RELOAD_CHUNK: usize = 8;
/// The least of either.
const FETCH_BYTES_MIN: usize = 32 << 10;
/// What all channels with consumers together should have at hand. Consumers that take nothing
/// would otherwise keep a block each.
const FETCHED_BYTES: usize = 64 << 20;
/// How long a failed read of the log keeps others from trying.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// One channel.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    pub(crate) number: ChannelNumber,
    pub(crate) broker: Mutex<Broker<Arc<Client>>>,
    /// True once it is deleted: nobody may join any more.
    pub(crate) exiting: AtomicBool,
    /// The journal knows of it, or it is ephemeral.
    recorded: AtomicBool,
    /// When the sweep will look at it; `i64::MAX` when it will not.
    pub(crate) armed_for: AtomicI64,
    reading: AtomicBool,
    /// None unless percentiles of them are wanted.
    pub(crate) latencies: Option<Mutex<RecentLatencies>>,
    topic: Weak<Topic>,
}

/// What a connection that wants messages should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// It got some; there may be more.
    Some,
    /// It must wait to be woken.
    Nothing,
}

impl Channel {
    pub(crate) fn new(
        name: ChannelName,
        number: ChannelNumber,
        broker: Broker<Arc<Client>>,
        latencies: Option<RecentLatencies>,
        topic: Weak<Topic>,
    ) -> Self {
        Self {
            recorded: AtomicBool::new(name.is_ephemeral()),
            name,
            number,
            broker: Mutex::new(broker),
            exiting: AtomicBool::new(false),
            armed_for: AtomicI64::new(i64::MAX),
            reading: AtomicBool::new(false),
            latencies: latencies.map(Mutex::new),
            topic,
        }
    }

    /// Whether a restart will know of it. Until then nobody may be told that it exists.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Acquire)
    }

    pub(crate) fn set_recorded(&self) {
        self.recorded.store(true, Ordering::Release);
    }

    /// Hands messages to a consumer: up to its ready count and about `bytes` of bodies.
    pub(crate) fn pull(
        self: &Arc<Self>,
        key: ConsumerKey,
        now_ns: i64,
        bytes: usize,
        out: &mut Vec<Delivery>,
    ) -> Pulled {
        let Some(topic) = self.topic.upgrade() else { return Pulled::Nothing };
        loop {
            let mut next = None;
            let taken = self.broker.lock().take(key, now_ns, bytes, out, &mut next);
            wake(next);
            match taken {
                Taken::Some => return Pulled::Some,
                Taken::NotReady | Taken::Empty => return Pulled::Nothing,
                Taken::Read(from) => match topic
                    .backing
                    .recent(from, topic.fetch_bytes(RECENT_BYTES))
                {
                    Recent::Batches(batches) => {
                        let upto = batches.last().map_or(from, |batch| batch.end());
                        wake(self.broker.lock().offer(from, batches, upto));
                    }
                    Recent::OnDisk => return self.wait_for_disk(&topic, key, Wanted::From(from)),
                    Recent::End => return Pulled::Nothing,
                },
                Taken::Reload(which) => match &topic.backing {
                    Backing::Memory(log) => {
                        wake(self.broker.lock().offer_requeued(log.read_each(&which)));
                    }
                    Backing::Log(_) => {
                        return self.wait_for_disk(&topic, key, Wanted::Each(which));
                    }
                },
            }
        }
    }

    /// Reads the log on a thread that may wait, unless that happens already. The consumer stands
    /// in line and is woken when something was read.
    fn wait_for_disk(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        key: ConsumerKey,
        wanted: Wanted,
    ) -> Pulled {
        self.broker.lock().wait(key);
        if !self.reading.swap(true, Ordering::AcqRel) {
            let (channel, topic) = (Arc::clone(self), Arc::clone(topic));
            tokio::task::spawn_blocking(move || {
                let read = {
                    let _reading = Reading(&channel.reading);
                    channel.read(&topic, &wanted)
                };
                match read {
                    Ok(next) => wake(next),
                    Err(error) => channel.put_off(&topic, &wanted, &error),
                }
                // Somebody may have stood in line while this still counted as reading.
                let next = channel.broker.lock().wake_in_line();
                wake(next);
            });
        }
        Pulled::Nothing
    }

    /// The log could not be read. Nothing is lost: whoever comes next tries again, after a while.
    fn put_off(&self, topic: &Topic, wanted: &Wanted, error: &io::Error) {
        topic.log_read_error(&self.name, error);
        std::thread::sleep(RETRY_AFTER);
        if let Wanted::Each(which) = wanted {
            wake(self.broker.lock().postpone(which));
        }
    }

    fn read(&self, topic: &Topic, wanted: &Wanted) -> io::Result<Option<Arc<Client>>> {
        let Some(log) = topic.backing.disk() else { return Ok(None) };
        match wanted {
            &Wanted::From(from) => {
                let chunk = log.read(from, topic.fetch_bytes(READ_BYTES))?;
                topic.log_damage(&chunk.damage);
                Ok(self.broker.lock().offer(from, chunk.batches, chunk.next))
            }
            Wanted::Each(which) => {
                let mut read = Vec::new();
                let mut bytes = 0;
                for some in which.chunks(RELOAD_CHUNK) {
                    let some = log.read_each(some)?;
                    bytes += some.iter().flat_map(|(_, b)| b).map(|b| b.body.len()).sum::<usize>();
                    read.extend(some);
                    // The others are asked for again when it is their turn.
                    if bytes >= RECENT_BYTES {
                        break;
                    }
                }
                Ok(self.broker.lock().offer_requeued(read))
            }
        }
    }

    /// Tells the keeper that this channel's state has changed.
    pub(crate) fn touch_topic(&self) {
        if let Some(topic) = self.topic.upgrade() {
            topic.touch();
        }
    }

    /// A consumer leaves; what it had in flight is queued again at once.
    pub(crate) fn leave(&self, key: ConsumerKey) {
        let (next, last) = {
            let mut broker = self.broker.lock();
            (broker.leave(key), broker.consumer_count() == 0)
        };
        wake(next);
        if let Some(topic) = self.topic.upgrade().filter(|_| last) {
            topic.node.consuming_channels.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Closes the connections of all consumers, without a word.
    pub(crate) fn close_consumers(&self) {
        self.broker.lock().consumers().for_each(|client| client.signal.close());
    }
}

impl Topic {
    /// How much one channel may fetch now, of what it would like to.
    fn fetch_bytes(&self, wanted: usize) -> usize {
        let channels = self.node.consuming_channels.load(Ordering::Relaxed).max(1);
        (FETCHED_BYTES / channels).clamp(FETCH_BYTES_MIN, wanted)
    }
}

/// The mark that the log is being read, taken away however that ends.
struct Reading<'a>(&'a AtomicBool);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

enum Wanted {
    From(Sequence),
    Each(Vec<Sequence>),
}

/// Wakes the connections that a change of a channel concerns.
pub(crate) fn wake(clients: impl IntoIterator<Item = Arc<Client>>) {
    clients.into_iter().for_each(|client| client.signal.messages());
}
