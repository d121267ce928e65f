//! The daemon's clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 as of the start of the daemon. They never jump: when somebody sets the
/// wall clock, no nsqd becomes inactive by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_ns: i64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_ns: nanoseconds(since_1970) }
    }

    pub(crate) fn now_ns(&self) -> i64 {
        self.started_ns.saturating_add(nanoseconds(self.started.elapsed()))
    }

    /// How long until a time has come.
    pub(crate) fn until(&self, at_ns: i64) -> Duration {
        let left_ns = at_ns.saturating_sub(self.now_ns());
        Duration::from_nanos(u64::try_from(left_ns).unwrap_or(0))
    }
}

/// A duration in the notation of timestamps.
pub(crate) fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
