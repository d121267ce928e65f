//! The daemon's two clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Steady time for deadlines, wall time for timestamps and for due times on disk.
///
/// Steady time counts nanoseconds since 1970 as of the start of the process and never jumps: when
/// somebody sets the wall clock, no deadline moves. Setting the clock back stops Go NSQ's delivery
/// (nsqio/nsq issue 1124).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_ns: i64,
}

impl Clock {
    /// A clock whose steady time agrees with the wall clock now.
    pub(crate) fn start() -> Self {
        // Between the two looks the thread may have to wait. Steady time may then be behind wall
        // time, never before it: nothing deferred may come early.
        let started_ns = wall_ns();
        Self { started: Instant::now(), started_ns }
    }

    /// Steady time.
    pub(crate) fn now_ns(&self) -> i64 {
        let elapsed = self.started.elapsed().as_nanos();
        self.started_ns.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// Wall time.
    pub(crate) fn wall_ns(&self) -> i64 {
        wall_ns()
    }

    /// What must be added to a steady time to write it down as wall time; too much rather than
    /// too little.
    pub(crate) fn offset_ns(&self) -> i64 {
        let now_ns = self.now_ns();
        wall_ns().saturating_sub(now_ns)
    }

    /// The instant that a steady time means, for timers.
    pub(crate) fn instant(&self, at_ns: i64) -> Instant {
        let after = u64::try_from(at_ns.saturating_sub(self.started_ns)).unwrap_or(0);
        self.started + std::time::Duration::from_nanos(after)
    }

    /// How long the process has run.
    pub(crate) fn uptime(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// When the process started: wall time in seconds.
    pub(crate) fn start_time(&self) -> i64 {
        self.started_ns / 1_000_000_000
    }
}

fn wall_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
