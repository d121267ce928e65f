//! What endpoints share.

use std::sync::Arc;

use nsq_api::cluster::Cluster;
use nsq_api::{HeaderValue, HttpClient};
use nsq_app::{Logger, TokenFile};
use parking_lot::RwLock;
use tokio::sync::Semaphore;

use crate::address;
use crate::cidr::Cidr;
use crate::graphs::Graphs;
use crate::notification::Notification;
use crate::notifier::Notifier;
use crate::options::Options;
use crate::tail::Tails;
use crate::watch::Watch;

/// One running nsqadmin.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) options: Options,
    pub(crate) log: Logger,
    /// For whoever is no part of the cluster: it shows no token.
    pub(crate) client: HttpClient,
    /// The first one shows nsqlookupd and nsqd that this daemon may ask.
    pub(crate) tokens: Option<Arc<TokenFile>>,
    /// Who may use `/config`; everybody without.
    pub(crate) config_from: Option<Cidr>,
    /// Changeable, unlike the other options.
    pub(crate) lookupds: RwLock<Vec<String>>,
    pub(crate) notifier: Option<Notifier>,
    /// None if they are off.
    pub(crate) graphs: Option<Arc<Graphs>>,
    pub(crate) watch: Arc<Watch>,
    /// Of pages that are looked at.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) tails: Tails,
}

impl Admin {
    /// The cluster as it is to be asked now.
    pub(crate) fn cluster(&self) -> Cluster {
        let client = HttpClient { authorization: self.authorization(), ..self.client.clone() };
        let lookupds = self.lookupds.read();
        if lookupds.is_empty() {
            Cluster::by_nsqds(&self.options.nsqd_http_addresses, client)
        } else {
            Cluster::by_lookupds(&lookupds, client)
        }
    }

    /// Asks these nsqlookupd from now on, if they can be asked at all.
    pub(crate) fn ask_other_lookupds(&self, addresses: &[String]) {
        let wrong = addresses.iter().find_map(|address| address::split(address).err());
        if let Some(wrong) = wrong {
            self.log.error(format_args!("the nsqlookupd that are asked stay the same - {wrong}"));
        } else if addresses.is_empty() {
            self.log.warning(format_args!(
                "the nsqlookupd that are asked stay the same until a restart: there is no other"
            ));
        } else {
            *self.lookupds.write() = addresses.to_vec();
        }
    }

    /// The value of `Authorization` for nsqlookupd and nsqd.
    fn authorization(&self) -> Option<HeaderValue> {
        let tokens = self.tokens.as_ref()?.tokens();
        // A token is visible ASCII, and so always a value.
        let mut value = HeaderValue::try_from(format!("Bearer {}", tokens.first())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Tells of something that was done.
    pub(crate) fn notify(&self, notification: impl FnOnce() -> Notification) {
        if let Some(notifier) = &self.notifier {
            notifier.tell(notification());
        }
    }
}
