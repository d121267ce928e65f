//! A connected nsqd.

use std::sync::atomic::{AtomicI64, Ordering};

/// The number of a connection: the later it came, the higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What an nsqd says of itself with `IDENTIFY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Host name from its operating system.
    pub hostname: String,
    /// Address under which others reach it.
    pub broadcast_address: String,
    /// Port for the TCP protocol; as wide as Go's `int`, which is what NSQ accepts.
    pub tcp_port: i64,
    /// Port for HTTP.
    pub http_port: i64,
    /// NSQ version it is compatible with.
    pub version: String,
    /// Region it is in, if it says so.
    pub topology_region: String,
    /// Zone it is in, if it says so.
    pub topology_zone: String,
}

impl Identity {
    /// What two connections of one nsqd have in common; also the order of lists.
    pub(crate) fn key(&self) -> (&str, i64, i64) {
        (&self.broadcast_address, self.tcp_port, self.http_port)
    }

    /// Whether `node` of `/topic/tombstone` is this nsqd: `<address>:<http port>`, literally as in
    /// Go NSQ, or with an IPv6 address in brackets, as nsqadmin sends it.
    pub(crate) fn is_node(&self, node: &str) -> bool {
        let Some((address, port)) = node.rsplit_once(':') else { return false };
        let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_address = [Some(address), bare].contains(&Some(&*self.broadcast_address));
        is_address && port == self.http_port.to_string()
    }
}

/// An nsqd on one connection. All of its registrations share it.
#[derive(Debug)]
pub struct Peer {
    /// The connection.
    pub connection: ConnectionId,
    /// Where it comes from.
    pub remote_address: String,
    /// Who it says it is.
    pub identity: Identity,
    /// The one thing that changes; without a lock, for a ping must not wait for any topic.
    last_update_ns: AtomicI64,
}

impl Peer {
    /// One that has identified at `now_ns`.
    #[must_use]
    pub fn new(
        connection: ConnectionId,
        remote_address: String,
        identity: Identity,
        now_ns: i64,
    ) -> Self {
        let last_update_ns = AtomicI64::new(now_ns);
        Self { connection, remote_address, identity, last_update_ns }
    }

    /// Notes a ping, and tells when the one before was.
    pub fn ping(&self, now_ns: i64) -> i64 {
        self.last_update_ns.swap(now_ns, Ordering::Relaxed)
    }

    /// Makes it inactive until the next ping, as if the last one had been so long ago.
    pub(crate) fn expire(&self, long_ago_ns: i64) {
        self.last_update_ns.store(long_ago_ns, Ordering::Relaxed);
    }

    /// When it was last heard of.
    pub fn last_update_ns(&self) -> i64 {
        self.last_update_ns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn nodes_are_named_by_address_and_http_port() {
        for (address, node, expected) in [
            ("a", "a:4151", true),
            ("a", "a:4150", false),
            ("a", "a", false),
            ("a", "b:4151", false),
            ("fe80::1", "fe80::1:4151", true),
            ("fe80::1", "[fe80::1]:4151", true),
            ("fe80::1", "[fe80::1:4151", false),
            ("[fe80::1]", "[fe80::1]:4151", true),
        ] {
            let broadcast_address = address.to_owned();
            let identity = Identity { broadcast_address, http_port: 4151, ..Identity::default() };
            assert_eq!(identity.is_node(node), expected, "{address} {node}");
        }
    }
}
