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
    let (mut descriptors, has_more): (Vec<PollFd<'_>>, Vec<bool>) = connections
        .map(|connection| (PollFd::new(connection.stream(), PollFlags::IN), connection.has_more()))
        .unzip();
    let wait = if has_more.contains(&true) { Duration::ZERO } else { TICK };
    let limit = Timespec::try_from(wait)?;
    match poll(&mut descriptors, Some(&limit)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_readable = |descriptor: &PollFd<'_>| !descriptor.revents().is_empty();
    Ok(descriptors.iter().zip(has_more).map(|(one, more)| more || is_readable(one)).collect())
}
