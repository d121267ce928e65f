//! Whether the disk takes what is written: the answer of `/ping` and `/ready`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nsq_store::disk::system_text;
use parking_lot::Mutex;

use crate::space::DiskSpace;

/// The result of the last write to the log or a journal, and whether there is room for more.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) space: DiskSpace,
    /// So that the usual case costs one load.
    failing: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Health {
    pub(crate) fn new(space: DiskSpace) -> Self {
        Self { space, failing: AtomicBool::new(false), reason: Mutex::new(None) }
    }

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

    /// Why the last write failed, if it did, or why the next publish will be refused.
    pub(crate) fn failure(&self) -> Option<String> {
        let reason = self.reason.lock().clone();
        reason.or_else(|| self.space.shortage().map(|shortage| shortage.to_string()))
    }

    /// `OK`, or `NOK - ` and why.
    pub(crate) fn text(&self) -> String {
        self.failure().map_or_else(|| "OK".to_owned(), |reason| format!("NOK - {reason}"))
    }
}
