//! Deadlines of all channels: one task, one heap, no ticker.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::channel::{Channel, wake};
use crate::clock::Clock;

/// When which channel must be looked at.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    heap: Mutex<BinaryHeap<Entry>>,
    earlier: Notify,
}

#[derive(Debug)]
struct Entry(Reverse<i64>, Weak<Channel>);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl Sweep {
    /// The channel has something that ends at `at_ns`. Costs a load when it is armed for an
    /// earlier time already, which is nearly always so.
    pub(crate) fn arm(&self, channel: &Arc<Channel>, at_ns: i64) {
        if channel.armed_for.fetch_min(at_ns, Ordering::AcqRel) <= at_ns {
            return;
        }
        let mut heap = self.heap.lock();
        let first = heap.peek().is_none_or(|entry| at_ns < entry.0.0);
        heap.push(Entry(Reverse(at_ns), Arc::downgrade(channel)));
        drop(heap);
        if first {
            self.earlier.notify_one();
        }
    }

    /// Looks at each channel when its time has come. Never returns.
    pub(crate) async fn run(&self, clock: Clock) {
        loop {
            let now_ns = clock.now_ns();
            while let Some(channel) = self.due(now_ns) {
                self.look_at(&channel, now_ns);
            }
            let next = self.heap.lock().peek().map(|entry| entry.0.0);
            match next {
                None => self.earlier.notified().await,
                Some(at_ns) => {
                    let at = clock.instant(at_ns);
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.earlier.notified() => {}
                    }
                }
            }
        }
    }

    fn look_at(&self, channel: &Arc<Channel>, now_ns: i64) {
        channel.armed_for.store(i64::MAX, Ordering::Release);
        let (woken, next) = {
            let mut broker = channel.broker.lock();
            (broker.expire(now_ns), broker.next_expiry())
        };
        wake(woken);
        channel.touch_topic();
        if let Some(at_ns) = next {
            self.arm(channel, at_ns);
        }
    }

    /// The next channel whose time has come.
    fn due(&self, now_ns: i64) -> Option<Arc<Channel>> {
        let mut heap = self.heap.lock();
        while heap.peek().is_some_and(|entry| entry.0.0 <= now_ns) {
            let Some(Entry(Reverse(at_ns), channel)) = heap.pop() else { break };
            let channel = channel.upgrade();
            // An entry for a later time than the channel is armed for was overtaken.
            let Some(channel) = channel else { continue };
            if channel.armed_for.load(Ordering::Acquire) >= at_ns {
                return Some(channel);
            }
        }
        None
    }
}
