//! What was promised and what came: the account of every message of a run.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};

use crate::connection::Message;
use crate::seed::Seed;

/// Two looks at the wall clock may differ by so much.
const CLOCK_GRAIN_NS: i64 = 1_000_000;
/// More faults than these are only counted.
const MAX_FAULTS: usize = 20;

/// The account of a run, for all its threads.
#[derive(Debug, Default)]
pub struct Ledger {
    topics: Mutex<HashMap<String, Account>>,
    /// Orders what was sent and what was promised.
    clock: AtomicU64,
    acknowledged: Mutex<u64>,
    more: Condvar,
    faults: Mutex<Vec<String>>,
}

/// Messages on their way to the daemon.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Their bodies, each as no other.
    pub bodies: Vec<Vec<u8>>,
    topic: String,
    first: usize,
}

/// One topic.
#[derive(Debug, Default)]
struct Account {
    messages: Vec<Entry>,
    channels: HashMap<String, Channel>,
    /// Which message has an id, so that none comes twice.
    ids: HashMap<String, usize>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// When the publisher began to send it.
    sent: u64,
    acknowledged: bool,
    /// Not to be delivered before, in nanoseconds since 1970.
    due_ns: i64,
}

#[derive(Debug)]
struct Channel {
    /// What was sent behind this moment belongs to the channel.
    since: u64,
    deliveries: u64,
    again: u64,
    /// By message: whether a FIN was sent for it.
    finished: Vec<bool>,
    /// Before it everything that must be is finished.
    settled: usize,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that were sent.
    pub sent: u64,
    /// Those the daemon said OK to.
    pub acknowledged: u64,
    /// Deliveries, on all channels.
    pub deliveries: u64,
    /// Deliveries of messages that a FIN had been sent for.
    pub again: u64,
}

impl Ledger {
    /// Notes `count` messages that are about to be sent, to be delayed by so many milliseconds.
    pub fn send(&self, topic: &str, count: usize, delay_ms: u64, seed: &mut Seed) -> Publish {
        let due_ns = wall_ns() + i64::try_from(delay_ms).expect("a short delay") * 1_000_000;
        let sent = self.tick();
        let mut topics = self.topics.lock();
        let messages = &mut topics.entry(topic.to_owned()).or_default().messages;
        let first = messages.len();
        let entry = Entry { sent, acknowledged: false, due_ns };
        messages.resize(first + count, entry);
        drop(topics);
        let bodies = (first..first + count).map(|number| body(topic, number, seed)).collect();
        Publish { bodies, topic: topic.to_owned(), first }
    }

    /// The daemon said OK to the first `count` of these messages.
    pub fn acknowledge(&self, publish: &Publish, count: usize) {
        let mut topics = self.topics.lock();
        let messages = &mut topics.entry(publish.topic.clone()).or_default().messages;
        for entry in &mut messages[publish.first..publish.first + count] {
            entry.acknowledged = true;
        }
        drop(topics);
        *self.acknowledged.lock() += count as u64;
        self.more.notify_all();
    }

    /// The daemon said OK to a subscription: what is sent from now on belongs to the channel.
    pub fn open_channel(&self, topic: &str, channel: &str) {
        self.open_since(topic, channel, self.tick());
    }

    /// The channel is, or will be, the first one of its topic: everything belongs to it.
    pub fn open_first_channel(&self, topic: &str, channel: &str) {
        self.open_since(topic, channel, 0);
    }

    fn open_since(&self, topic: &str, channel: &str, since: u64) {
        let mut topics = self.topics.lock();
        let account = topics.entry(topic.to_owned()).or_default();
        account.channels.entry(channel.to_owned()).or_insert_with(|| Channel {
            since,
            deliveries: 0,
            again: 0,
            finished: Vec::new(),
            settled: 0,
        });
    }

    /// A message came on a channel.
    pub fn deliver(&self, topic: &str, channel: &str, message: &Message) {
        let now_ns = wall_ns();
        let Some(number) = number_of(topic, &message.body) else {
            let text = String::from_utf8_lossy(&message.body).chars().take(60).collect::<String>();
            return self.fault(format!("{topic}/{channel}: a message nobody sent: {text}"));
        };
        if message.attempts == 0 {
            self.fault(format!("{topic}/{channel}: message {number} came with 0 attempts"));
        }
        let mut topics = self.topics.lock();
        let account = topics.entry(topic.to_owned()).or_default();
        let Some(entry) = account.messages.get(number).copied() else {
            return self.fault(format!("{topic}/{channel}: message {number} was never sent"));
        };
        let other = *account.ids.entry(message.id.clone()).or_insert(number);
        // What a disk refused and kept all the same may come back with an id that was given to
        // what was written over it, if a power cut then takes that: nobody was promised either.
        let promised = entry.acknowledged || account.messages[other].acknowledged;
        if let Some(channel) = account.channels.get_mut(channel) {
            channel.deliveries += 1;
            channel.again += u64::from(channel.finished.get(number).is_some_and(|&done| done));
        }
        drop(topics);
        if other != number && promised {
            let id = &message.id;
            self.fault(format!("{topic}: messages {other} and {number} have the same id {id}"));
        }
        let early_ns = entry.due_ns - now_ns;
        if early_ns > CLOCK_GRAIN_NS {
            let attempts = message.attempts;
            self.fault(format!(
                "{topic}/{channel}: message {number} came {} µs before its due time, attempt \
                 {attempts}",
                early_ns / 1000
            ));
        }
    }

    /// A FIN is about to be sent.
    pub fn finish(&self, topic: &str, channel: &str, body: &[u8]) {
        let Some(number) = number_of(topic, body) else { return };
        let mut topics = self.topics.lock();
        let account = topics.entry(topic.to_owned()).or_default();
        if let Some(channel) = account.channels.get_mut(channel) {
            let length = channel.finished.len().max(number + 1);
            channel.finished.resize(length, false);
            channel.finished[number] = true;
        }
    }

    /// Notes that something happened that must not.
    pub fn fault(&self, text: String) {
        let mut faults = self.faults.lock();
        if faults.len() < MAX_FAULTS {
            faults.push(text);
        }
    }

    /// What happened that must not.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().clone()
    }

    /// Messages that were acknowledged, are a channel's, and were never finished there.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for (topic, account) in self.topics.lock().iter_mut() {
            for (name, channel) in &mut account.channels {
                let numbers = channel.settle(&account.messages);
                if numbers.is_empty() {
                    continue;
                }
                let mut text = format!("{topic}/{name}: {} messages are missing:", numbers.len());
                for number in numbers.iter().take(10) {
                    write!(text, " {number}").expect("a string takes everything");
                }
                missing.push(text);
            }
        }
        missing
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        *self.acknowledged.lock()
    }

    /// Waits until so many messages were acknowledged; false if that takes longer than `time`.
    pub fn wait_for_acknowledged(&self, count: u64, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut acknowledged = self.acknowledged.lock();
        while *acknowledged < count {
            if self.more.wait_until(&mut acknowledged, deadline).timed_out() {
                return *acknowledged >= count;
            }
        }
        true
    }

    /// Sums.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { acknowledged: self.acknowledged(), ..Totals::default() };
        for account in self.topics.lock().values() {
            totals.sent += account.messages.len() as u64;
            for channel in account.channels.values() {
                totals.deliveries += channel.deliveries;
                totals.again += channel.again;
            }
        }
        totals
    }

    /// All topics with their channels.
    pub fn channels(&self) -> Vec<(String, String)> {
        let topics = self.topics.lock();
        let each = topics.iter().flat_map(|(topic, account)| {
            account.channels.keys().map(|channel| (topic.clone(), channel.clone()))
        });
        each.collect()
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst) + 1
    }
}

impl Channel {
    /// The numbers of the messages that are missing.
    fn settle(&mut self, messages: &[Entry]) -> Vec<usize> {
        let is_missing = |number: usize, entry: &Entry| {
            let wanted = entry.acknowledged && entry.sent > self.since;
            wanted && !self.finished.get(number).is_some_and(|&done| done)
        };
        let open = messages.iter().enumerate().skip(self.settled);
        let missing: Vec<_> = open.filter(|(n, e)| is_missing(*n, e)).map(|(n, _)| n).collect();
        self.settled = missing.first().copied().unwrap_or(self.settled);
        missing
    }
}

/// A body that says which message it is, of some tens of bytes to a few thousand.
fn body(topic: &str, number: usize, seed: &mut Seed) -> Vec<u8> {
    let mut body = format!("{topic} {number} ").into_bytes();
    let size = if seed.below(50) == 0 { seed.below(3000) } else { seed.below(200) };
    body.resize(body.len() + size, b'.');
    body
}

/// Which message of the topic this is.
fn number_of(topic: &str, body: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(body).ok()?;
    let rest = text.strip_prefix(topic)?.strip_prefix(' ')?;
    let (number, padding) = rest.split_once(' ')?;
    padding.bytes().all(|byte| byte == b'.').then(|| number.parse().ok())?
}

fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
