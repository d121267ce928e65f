//! SIGINT and SIGTERM, which end a tool in order. Others do what they do by default: SIGHUP kills.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals of this process, caught from [`StopSignals::catch`] on.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Takes the signals over; inside a runtime.
    ///
    /// # Errors
    ///
    /// When the operating system refuses a handler.
    pub(crate) fn catch() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    /// Until there is one. The handlers stay, so a second one cuts nothing short.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
