//! Ctrl-C, and being asked to end.

use std::io;
use std::process;

use nsq_app::Shutdown;
use tokio::signal::unix::{SignalKind, signal};

/// What a shell shows for a program that Ctrl-C ended.
pub(crate) const INTERRUPTED: u8 = 130;

/// Goes up with the first SIGINT or SIGTERM; the second ends the process at once. Must be called
/// inside a runtime.
///
/// # Errors
///
/// When the operating system refuses a handler.
pub(crate) fn catch() -> io::Result<Shutdown> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = Shutdown::new();
    let stop = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => {}
                Some(()) = terminate.recv() => {}
                else => return,
            }
            if !stop.begin() {
                process::exit(i32::from(INTERRUPTED));
            }
        }
    });
    Ok(shutdown)
}
