//! Numbers that tell the producers and consumers of a process apart in its log.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many were made.
static INSTANCES: AtomicU32 = AtomicU32::new(0);

/// The next number, from 1 on.
pub(crate) fn next_instance() -> u32 {
    INSTANCES.fetch_add(1, Ordering::Relaxed) + 1
}
