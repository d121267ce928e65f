//! What an address names: a place in the network, or a unix socket.

use std::fmt;
use std::path::PathBuf;

/// An address as NSQ's flags take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `<host>:<port>`; without a host it is all interfaces to listen on, and this machine to
    /// connect to.
    Tcp(String),
    /// The path of a unix socket: whatever does not split into host and port, as in Go NSQ.
    Unix(PathBuf),
}

impl Address {
    /// Reads an address; there is no wrong one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if !splits_into_host_and_port(text) {
            return Self::Unix(PathBuf::from(text));
        }
        match text.strip_prefix(':') {
            Some(port) => Self::Tcp(format!("0.0.0.0:{port}")),
            None => Self::Tcp(text.to_owned()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => out.write_str(address),
            Self::Unix(path) => path.display().fmt(out),
        }
    }
}

/// Go's rule: one colon behind the host, unless the host is in brackets. What the host and the
/// port are does not matter.
fn splits_into_host_and_port(text: &str) -> bool {
    let Some((host, _)) = text.rsplit_once(':') else { return false };
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|host| !host.contains(['[', ']'])),
        None => !host.contains([':', '[', ']']),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_split_is_a_path() {
        for (text, expected) in [
            ("127.0.0.1:4150", Some("127.0.0.1:4150")),
            (":4150", Some("0.0.0.0:4150")),
            ("[::1]:4150", Some("[::1]:4150")),
            ("host:", Some("host:")),
            ("/run/nsqd.sock", None),
            ("nsqd.sock", None),
            ("localhost", None),
            ("::1", None),
            ("", None),
        ] {
            let expected = expected.map_or_else(
                || Address::Unix(PathBuf::from(text)),
                |address| Address::Tcp(address.to_owned()),
            );
            assert_eq!(Address::parse(text), expected, "{text}");
        }
    }
}
