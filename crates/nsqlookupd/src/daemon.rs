//! What connections and endpoints share.

use std::sync::Arc;

use nsq_app::{Clock, ConnectionMeter, Logger, Shutdown};
use tokio::sync::Semaphore;

use crate::registry::SharedRegistry;

/// The version that clients compare.
pub(crate) const VERSION: &str = nsq_app::version::NSQ_VERSION;

/// One running nsqlookupd.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) registry: SharedRegistry,
    pub(crate) clock: Clock,
    pub(crate) log: Logger,
    pub(crate) shutdown: Shutdown,
    /// The answer to `IDENTIFY`.
    pub(crate) identity: Vec<u8>,
    pub(crate) tcp: Arc<ConnectionMeter>,
    pub(crate) http: Arc<ConnectionMeter>,
    /// How many requests may wait for a change, so that there is room for others.
    pub(crate) waiters: Semaphore,
}
