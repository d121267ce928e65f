//! Waiting for bytes on several connections at once.

use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::connection::Connection;

/// Longest wait, so that the caller can look whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// Waits until one of the connections has something to read, at most a tick.
///
/// Returns for each connection, in order, whether it should be read now.
pub(crate) fn wait_readable<'a>(
    connections: impl Iterator<Item = &'a Connection>,
) -> Result<Vec<bool>> {
    let mut descriptors: Vec<PollFd<'_>> =
        connections.map(|connection| PollFd::new(connection.stream(), PollFlags::IN)).collect();
    let limit = Timespec::try_from(TICK)?;
    match poll(&mut descriptors, Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect())
}
