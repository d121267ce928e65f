//! The nsqlookupds that this daemon registers with and asks.
//!
//! Each has a task of its own, so that a slow one holds up neither the others nor the daemon. What
//! changes is only noted; the task compares what it said with what is.

mod access;
mod announced;
mod channels;
mod connection;
mod peer;

use std::sync::Arc;

use nsq_proto::TopicName;
use parking_lot::Mutex;

pub(crate) use self::access::Access;
pub(crate) use self::peer::LookupPeer;
use self::peer::Peer;
use crate::node::Node;

/// All of them, each address once, in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct LookupPeers {
    peers: Mutex<Peers>,
}

/// ```text
/// not yet ──serving, SIGHUP──> set ──stopping──> closed
/// ```
#[derive(Debug, Default)]
enum Peers {
    /// The daemon does not serve yet.
    #[default]
    NotYet,
    Set(Vec<Arc<Peer>>),
    /// The daemon stops, and nothing adds one any more.
    Closed,
}

impl Peers {
    fn list(&self) -> &[Arc<Peer>] {
        match self {
            Self::Set(peers) => peers,
            Self::NotYet | Self::Closed => &[],
        }
    }
}

impl LookupPeers {
    /// The addresses.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.peers.lock().list().iter().map(|peer| peer.address.clone()).collect()
    }

    /// How each of them stands.
    pub(crate) fn report(&self) -> Vec<LookupPeer> {
        self.peers.lock().list().iter().map(|peer| peer.report()).collect()
    }

    /// Something changed in this topic or its channels.
    pub(crate) fn topic_changed(&self, name: &TopicName) {
        self.peers.lock().list().iter().for_each(|peer| peer.topic_changed(name));
    }

    fn all(&self) -> Vec<Arc<Peer>> {
        self.peers.lock().list().to_vec()
    }
}

impl Node {
    /// Registers with those that were given at the start, unless a SIGHUP has named others
    /// meanwhile. Must be called within the runtime.
    pub(crate) fn begin_lookup(self: &Arc<Self>) {
        let mut peers = self.lookup.peers.lock();
        if matches!(*peers, Peers::NotYet) {
            self.replace_lookup_peers(&mut peers, &self.options.nsqlookupd_tcp_addresses);
        }
    }

    /// Registers with exactly these from now on. Must be called within the runtime.
    pub(crate) fn set_lookup_peers(self: &Arc<Self>, addresses: &[String]) {
        self.replace_lookup_peers(&mut self.lookup.peers.lock(), addresses);
    }

    fn replace_lookup_peers(self: &Arc<Self>, all: &mut Peers, addresses: &[String]) {
        if matches!(all, Peers::Closed) {
            return;
        }
        let mut old = all.list().to_vec();
        let mut peers = Vec::<Arc<Peer>>::new();
        for address in addresses {
            if peers.iter().any(|peer| peer.address == *address) {
                continue;
            }
            let known = old.iter().position(|peer| peer.address == *address);
            peers.push(match known {
                Some(place) => old.swap_remove(place),
                None => self.add_lookup_peer(address),
            });
        }
        *all = Peers::Set(peers);
        for peer in old {
            self.log.info(format_args!("LOOKUP({}): removing peer", peer.address));
            peer.stop();
        }
    }

    fn add_lookup_peer(self: &Arc<Self>, address: &str) -> Arc<Peer> {
        self.log.info(format_args!("LOOKUP({address}): adding peer"));
        let peer = Peer::new(address.to_owned());
        let (node, running) = (Arc::clone(self), Arc::clone(&peer));
        tokio::spawn(async move { running.run(&node).await });
        peer
    }

    /// Closes all connections to them. They take the topics off their lists.
    pub(crate) fn close_lookup_peers(&self) {
        let peers = std::mem::replace(&mut *self.lookup.peers.lock(), Peers::Closed);
        if !peers.list().is_empty() {
            self.log.info(format_args!("LOOKUP: closing"));
        }
        peers.list().iter().for_each(|peer| peer.stop());
    }
}
