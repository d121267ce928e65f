//! What a daemon does with the operating system's signals.
//!
//! | signal | effect |
//! |---|---|
//! | SIGINT, SIGTERM | orderly stop; further ones are ignored meanwhile |
//! | SIGHUP | the daemon reads its configuration again; Go NSQ dies of it and saves nothing |
//! | SIGUSR1, SIGUSR2 | ignored |
//!
//! SIGPIPE is already ignored by Rust's start-up; everything else keeps its default.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{Logger, Shutdown};

/// The signals of one process, caught from [`Signals::catch`] on.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    /// Takes the signals over. Must be called inside a tokio runtime, before the daemon starts
    /// what an orderly stop has to end.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a handler.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    /// Turns signals into `shutdown` for as long as the process lives; run it as a task. The
    /// handlers stay in place if it is dropped, so a second SIGTERM never cuts a stop short.
    /// Calls `on_hang_up` for each SIGHUP; signals that come meanwhile wait, so it must not.
    pub async fn run(mut self, log: Logger, shutdown: Shutdown, mut on_hang_up: impl FnMut()) {
        loop {
            tokio::select! {
                Some(()) = self.interrupt.recv() => stop("SIGINT", &log, &shutdown),
                Some(()) = self.terminate.recv() => stop("SIGTERM", &log, &shutdown),
                Some(()) = self.hang_up.recv() => on_hang_up(),
                Some(()) = self.user_1.recv() => {}
                Some(()) = self.user_2.recv() => {}
                else => return,
            }
        }
    }
}

fn stop(name: &str, log: &Logger, shutdown: &Shutdown) {
    if shutdown.begin() {
        log.debug(format_args!("stopping on {name}"));
    } else {
        log.debug(format_args!("ignoring {name}: already stopping"));
    }
}
