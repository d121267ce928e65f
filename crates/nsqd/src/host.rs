//! What the daemon knows of the machine it runs on.

use md5::{Digest, Md5};

/// The name of this host.
pub(crate) fn name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The default node id, Go NSQ's: CRC-32 of the MD5 digest of the host's name, modulo 1024.
pub(crate) fn default_node_id() -> u16 {
    node_id_of(&name())
}

fn node_id_of(host: &str) -> u16 {
    (crc32fast::hash(&Md5::digest(host.as_bytes())) % 1024) as u16
}

/// How many files this process may have open. Like Go programs it takes what it may have at most;
/// usual is a limit of 1024 that any process may raise.
pub(crate) fn max_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(1024),
    }
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
