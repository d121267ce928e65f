//! What a connection must not wait for longer than agreed.

use std::pin::Pin;

use nsq_app::{Clock, nanoseconds};
use nsq_proto::ClientSettings;
use tokio::time::{Instant, Sleep, sleep_until};

/// The deadlines of one connection, as data; one timer serves them all.
#[derive(Debug)]
pub(super) struct Deadlines {
    /// When the next heartbeat goes out; never without heartbeats.
    heartbeat_at: i64,
    heartbeat_every: i64,
    /// When the last complete command came.
    heard_at: i64,
    /// How long a client may be silent: twice the interval it asked for.
    silence: i64,
    /// Since when the client has not taken what is to be written.
    stuck_since: Option<i64>,
    patience: i64,
    timer: Pin<Box<Sleep>>,
    armed_for: i64,
}

impl Deadlines {
    pub(super) fn new(now_ns: i64, settings: &ClientSettings) -> Self {
        let mut deadlines = Self {
            heartbeat_at: i64::MAX,
            heartbeat_every: i64::MAX,
            heard_at: now_ns,
            silence: i64::MAX,
            stuck_since: None,
            patience: i64::MAX,
            timer: Box::pin(sleep_until(Instant::now())),
            armed_for: i64::MIN,
        };
        deadlines.start_heartbeats(now_ns, settings);
        deadlines.follow(settings);
        deadlines
    }

    /// Heartbeats run by what the first IDENTIFY asked for.
    pub(super) fn start_heartbeats(&mut self, now_ns: i64, settings: &ClientSettings) {
        self.heartbeat_every = settings.delivery().heartbeat_interval.map_or(i64::MAX, nanoseconds);
        self.heartbeat_at = now_ns.saturating_add(self.heartbeat_every);
    }

    /// Read and write deadlines follow every IDENTIFY.
    pub(super) fn follow(&mut self, settings: &ClientSettings) {
        let interval = settings.heartbeat_interval.map(nanoseconds);
        self.silence = interval.map_or(i64::MAX, |interval| interval.saturating_mul(2));
        self.patience = interval.unwrap_or(i64::MAX);
    }

    /// A complete command came.
    pub(super) fn on_command(&mut self, now_ns: i64) {
        self.heard_at = now_ns;
    }

    /// The client took some of what was written.
    pub(super) fn on_write(&mut self) {
        self.stuck_since = None;
    }

    /// The client took all of it.
    pub(super) fn on_drained(&mut self) {
        self.stuck_since = None;
    }

    /// The client takes nothing: true when that has lasted too long.
    pub(super) fn on_stuck(&mut self, now_ns: i64) -> bool {
        let since = *self.stuck_since.get_or_insert(now_ns);
        now_ns.saturating_sub(since) >= self.patience
    }

    /// Whether a heartbeat must go out; the next one is one interval later.
    pub(super) fn heartbeat_due(&mut self, now_ns: i64) -> bool {
        let due = now_ns >= self.heartbeat_at;
        if due {
            self.heartbeat_at = now_ns.saturating_add(self.heartbeat_every);
        }
        due
    }

    /// Whether the client has been silent for too long.
    pub(super) fn is_silent(&self, now_ns: i64) -> bool {
        now_ns >= self.heard_at.saturating_add(self.silence)
    }

    /// Whether nothing came since the heartbeat before this one.
    pub(super) fn is_quiet(&self, now_ns: i64) -> bool {
        now_ns.saturating_sub(self.heard_at) >= self.heartbeat_every / 2
    }

    /// The timer, set to the next deadline. It is moved only when a deadline comes before the
    /// time it is set to, or when it has fired: renewing a deadline costs nothing.
    pub(super) fn timer(&mut self, clock: &Clock) -> Pin<&mut Sleep> {
        let silent_at = self.heard_at.saturating_add(self.silence);
        let stuck_at = self.stuck_since.map_or(i64::MAX, |s| s.saturating_add(self.patience));
        let next = self.heartbeat_at.min(silent_at).min(stuck_at);
        if next < self.armed_for || self.timer.is_elapsed() || self.armed_for == i64::MIN {
            self.armed_for = next;
            let far = Instant::now() + std::time::Duration::from_secs(86_400);
            self.timer.as_mut().reset(Instant::from_std(clock.instant(next)).min(far));
        }
        self.timer.as_mut()
    }
}
