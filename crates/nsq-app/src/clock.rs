//! A daemon's two clocks.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Steady time for deadlines, wall time for timestamps and for due times on disk.
///
/// Steady time counts nanoseconds since 1970 as of the start of the process and never jumps: when
/// somebody sets the wall clock, no deadline moves. Setting the clock back stops Go NSQ's delivery
/// (nsqio/nsq issue 1124).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    started_ns: i64,
}

impl Clock {
    /// A clock whose steady time agrees with the wall clock now.
    #[must_use]
    pub fn start() -> Self {
        // Between the two looks the thread may have to wait. Steady time may then be behind wall
        // time, never before it: nothing deferred may come early.
        let started_ns = wall_ns();
        Self { started: Instant::now(), started_ns }
    }

    /// Steady time. Inlined, because it is read for every batch of messages.
    #[inline]
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        self.started_ns.saturating_add(nanoseconds(self.started.elapsed()))
    }

    /// Wall time.
    #[inline]
    #[must_use]
    pub fn wall_ns(&self) -> i64 {
        wall_ns()
    }

    /// What must be added to a steady time to write it down as wall time; too much rather than
    /// too little.
    #[must_use]
    pub fn offset_ns(&self) -> i64 {
        let now_ns = self.now_ns();
        wall_ns().saturating_sub(now_ns)
    }

    /// The instant that a steady time means, for timers.
    #[must_use]
    pub fn instant(&self, at_ns: i64) -> Instant {
        let after = u64::try_from(at_ns.saturating_sub(self.started_ns)).unwrap_or(0);
        self.started + Duration::from_nanos(after)
    }

    /// How long until a steady time has come.
    #[must_use]
    pub fn until(&self, at_ns: i64) -> Duration {
        let left_ns = at_ns.saturating_sub(self.now_ns());
        Duration::from_nanos(u64::try_from(left_ns).unwrap_or(0))
    }

    /// How long the process has run.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// When the process started: wall time in seconds.
    #[must_use]
    pub fn start_time(&self) -> i64 {
        self.started_ns / 1_000_000_000
    }
}

/// A duration in the notation of both clocks.
#[inline]
#[must_use]
pub fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[inline]
fn wall_ns() -> i64 {
    nanoseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
