//! What connections and endpoints share.

use std::sync::Arc;

use nsq_app::http::Failure;
use nsq_app::{Aside, Clock, ConnectionMeter, Logger, Shutdown};

use crate::nodes_page::NodesPage;
use crate::poll::Waiters;
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
    pub(crate) waiters: Waiters,
    /// For what goes through all of the registry.
    pub(crate) aside: Aside,
    pub(crate) nodes_page: NodesPage,
}

impl Daemon {
    /// Does `work` on a thread of its own: a list of everything takes long where there is much.
    pub(crate) async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let daemon = Arc::clone(self);
        self.aside.run(move || work(&daemon)).await.ok_or_else(Failure::internal)
    }
}
