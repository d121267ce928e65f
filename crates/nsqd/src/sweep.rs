//! Deadlines of all channels: one task, one heap, no ticker.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use nsq_app::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::channel::{Channel, wake};

/// When which channel must be looked at: one entry for each channel that has something to end.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    queue: Mutex<BTreeMap<(i64, ChannelAddress), Weak<Channel>>>,
    earlier: Notify,
}

/// Tells channels apart that end at the same time. A weak reference keeps the address from being
/// given to another channel as long as the entry is there.
type ChannelAddress = usize;

impl Sweep {
    /// The channel has something that ends at `at_ns`. Costs a load when it is armed for an
    /// earlier time already, which is nearly always so.
    pub(crate) fn arm(&self, channel: &Arc<Channel>, at_ns: i64) {
        if channel.armed_for.load(Ordering::Acquire) <= at_ns {
            return;
        }
        let address = Arc::as_ptr(channel).addr();
        let mut queue = self.queue.lock();
        let before = channel.armed_for.load(Ordering::Relaxed);
        if before <= at_ns {
            return;
        }
        queue.remove(&(before, address));
        let first = queue.first_key_value().is_none_or(|((first_ns, _), _)| at_ns < *first_ns);
        queue.insert((at_ns, address), Arc::downgrade(channel));
        channel.armed_for.store(at_ns, Ordering::Release);
        drop(queue);
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
                // One look may make thousands of messages ready: others take their turn.
                tokio::task::yield_now().await;
            }
            let next = self.queue.lock().first_key_value().map(|((at_ns, _), _)| *at_ns);
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

    /// The next channel whose time has come; it is not armed any more.
    fn due(&self, now_ns: i64) -> Option<Arc<Channel>> {
        let mut queue = self.queue.lock();
        loop {
            let entry = queue.first_entry().filter(|entry| entry.key().0 <= now_ns)?;
            // A channel that is gone has nothing to end.
            if let Some(channel) = entry.remove().upgrade() {
                channel.armed_for.store(i64::MAX, Ordering::Release);
                return Some(channel);
            }
        }
    }
}
