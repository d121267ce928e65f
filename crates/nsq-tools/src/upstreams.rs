//! The addresses that messages go on to.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cli::say;
use crate::host_pool::{HostPool, PoolMode};
use crate::status_lines::StatusLines;

/// Who is asked next, and what became of it.
#[derive(Debug)]
pub(crate) struct Upstreams {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pool: HostPool,
    lines: StatusLines,
}

/// One message on its way to the address at `place`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) place: usize,
    started: Instant,
}

impl Attempt {
    /// To the address at this place, which nobody chose.
    pub(crate) fn to(place: usize) -> Self {
        Self { place, started: Instant::now() }
    }

    /// How long it has taken.
    pub(crate) fn took(self) -> Duration {
        self.started.elapsed()
    }
}

impl Upstreams {
    /// Says what the status lines warn of. `concurrency` is how many attempts there are at a time.
    ///
    /// # Errors
    ///
    /// When there are too many requests to a status line.
    pub(crate) fn new(
        mode: PoolMode,
        addresses: &[String],
        concurrency: usize,
        status_every: usize,
    ) -> anyhow::Result<Self> {
        let lines = StatusLines::new(status_every, addresses)?;
        for warning in lines.warnings() {
            say(format_args!("{warning}"));
        }
        let pool = HostPool::new(mode, addresses.len(), concurrency, Instant::now());
        Ok(Self { state: Mutex::new(State { pool, lines }) })
    }

    /// Chooses an address. The pool must be told what became of the attempt.
    pub(crate) fn pick(&self) -> Attempt {
        let started = Instant::now();
        let place = self.state.lock().pool.pick(started, fastrand::f64);
        Attempt { place, started }
    }

    /// Tells the pool.
    pub(crate) fn mark(&self, attempt: Attempt, has_succeeded: bool) {
        let now = Instant::now();
        let pool = &mut self.state.lock().pool;
        match has_succeeded {
            true => pool.succeed(attempt.place, now - attempt.started, now),
            false => pool.fail(attempt.place, now),
        }
    }

    /// Counts the attempt for its address.
    pub(crate) fn count(&self, attempt: Attempt) {
        let line = self.state.lock().lines.record(attempt.place, attempt.took());
        say_line(line);
    }

    /// Counts a message, which took so long.
    pub(crate) fn count_total(&self, took: Duration) {
        let line = self.state.lock().lines.record_total(took);
        say_line(line);
    }
}

fn say_line(line: Option<String>) {
    if let Some(line) = line {
        say(format_args!("{line}"));
    }
}
