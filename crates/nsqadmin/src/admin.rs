//! What endpoints share.

use std::sync::Arc;

use nsq_api::HttpClient;
use nsq_api::cluster::Cluster;
use nsq_app::Logger;
use parking_lot::RwLock;

use crate::cidr::Cidr;
use crate::notification::Notification;
use crate::notifier::Notifier;
use crate::options::Options;
use crate::watch::Watch;

/// One running nsqadmin.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) options: Options,
    pub(crate) log: Logger,
    pub(crate) client: HttpClient,
    /// Who may use `/config`; everybody without.
    pub(crate) config_from: Option<Cidr>,
    /// Changeable, unlike the other options.
    pub(crate) lookupds: RwLock<Vec<String>>,
    pub(crate) notifier: Option<Notifier>,
    pub(crate) watch: Arc<Watch>,
}

impl Admin {
    /// The cluster as it is to be asked now.
    pub(crate) fn cluster(&self) -> Cluster {
        let lookupds = self.lookupds.read();
        if lookupds.is_empty() {
            Cluster::by_nsqds(&self.options.nsqd_http_addresses, self.client.clone())
        } else {
            Cluster::by_lookupds(&lookupds, self.client.clone())
        }
    }

    /// Tells of something that was done.
    pub(crate) fn notify(&self, notification: impl FnOnce() -> Notification) {
        if let Some(notifier) = &self.notifier {
            notifier.tell(notification());
        }
    }
}
