//! What the daemon knows of the machine it runs on.

use md5::{Digest, Md5};

/// The default node id, Go NSQ's: CRC-32 of the MD5 digest of the host's name, modulo 1024.
pub(crate) fn default_node_id() -> u16 {
    node_id_of(&nsq_app::host::name())
}

fn node_id_of(host: &str) -> u16 {
    (crc32fast::hash(&Md5::digest(host.as_bytes())) % 1024) as u16
}

#[cfg(test)]
mod tests {
    use super::node_id_of;

    #[test]
    fn the_node_id_of_a_host() {
        // tcp-protocol.md §21: host name `vm` is node 617.
        assert_eq!(node_id_of("vm"), 617);
    }
}
