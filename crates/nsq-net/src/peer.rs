//! Who is at the other end.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The other end of a connection. Displays as in the logs and statistics of NSQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// `127.0.0.1:60286`, `[::1]:60286`.
    Tcp(SocketAddr),
    /// `@`: clients of a unix socket have no address.
    Unix,
}

impl Peer {
    /// The address without the port; none on a unix socket.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip().to_canonical()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A dual-stack listener sees IPv4 clients as ::ffff:a.b.c.d; show what they are.
            Self::Tcp(address) => {
                SocketAddr::new(address.ip().to_canonical(), address.port()).fmt(out)
            }
            Self::Unix => out.write_str("@"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn display() {
        for (address, expected) in [
            ("127.0.0.1:60286", "127.0.0.1:60286"),
            ("[::1]:80", "[::1]:80"),
            ("[::ffff:10.0.0.1]:80", "10.0.0.1:80"),
        ] {
            let peer = Peer::Tcp(address.parse().expect("an address"));
            assert_eq!(peer.to_string(), expected);
        }
        assert_eq!(Peer::Unix.to_string(), "@");
    }
}
