//! Whoever reads what is written to standard output.

use std::io;
use std::thread;

use nsq_app::Shutdown;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// Begins `stop` when nobody reads any more (`… | head`), so that it is noticed without another
/// message to write. Does nothing where that cannot be, as for a file.
pub(super) fn watch(stop: &Shutdown) {
    let stop = stop.clone();
    thread::spawn(move || {
        let out = io::stdout();
        // No event is asked for: errors are always told.
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        loop {
            match poll(&mut watched, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                // Then it is noticed when something is written.
                Err(_) => return,
            }
        }
        stop.begin();
    });
}
