//! Whether the disk takes what is written: the answer of `/ping`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nsq_store::disk::system_text;
use parking_lot::Mutex;

/// The result of the last write to the log or a journal.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// So that the usual case costs one load.
    failing: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Health {
    /// Notes the result of a write. The next one that succeeds makes the daemon healthy again.
    pub(crate) fn note<T>(&self, written: &io::Result<T>) {
        match written {
            Ok(_) if !self.failing.load(Ordering::Relaxed) => {}
            Ok(_) => {
                *self.reason.lock() = None;
                self.failing.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                *self.reason.lock() = Some(system_text(error));
                self.failing.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Why the last write failed, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// `OK`, or `NOK - ` and why.
    pub(crate) fn text(&self) -> String {
        self.failure().map_or_else(|| "OK".to_owned(), |reason| format!("NOK - {reason}"))
    }
}
