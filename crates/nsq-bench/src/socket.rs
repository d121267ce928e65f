//! Writing to a socket whose calls return after a tick, done or not.

use socket2::Socket;
use std::io::{Error, ErrorKind, Result, Write};
use std::time::{Duration, Instant};

/// Writes all of `bytes`, or fails when nothing could be written for the patience.
pub(crate) fn write_all(mut stream: &Socket, bytes: &[u8], patience: Duration) -> Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = patiently(patience, || stream.write(rest))?;
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Tries a call again until it does something; fails when it does not for the patience.
pub(crate) fn patiently<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut stuck_since: Option<Instant> = None;
    loop {
        match attempt() {
            Err(error) if is_temporary(&error) => {
                let since = *stuck_since.get_or_insert_with(Instant::now);
                if since.elapsed() > patience {
                    let text = format!("nothing moved for {patience:?}");
                    return Err(Error::new(ErrorKind::TimedOut, text));
                }
            }
            result => return result,
        }
    }
}

/// Whether the call may do something the next time.
pub(crate) fn is_temporary(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
