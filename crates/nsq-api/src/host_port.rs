//! A host and a port as one text.

use std::fmt::Display;

/// `host:port`; an IPv6 address gets its brackets.
pub(crate) fn join(host: &str, port: impl Display) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// The two parts; no port if there is none.
pub(crate) fn split(address: &str) -> (&str, &str) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

#[cfg(test)]
mod tests {
    use super::{join, split};

    #[test]
    fn hosts_and_ports() {
        for (host, address) in [("a", "a:1"), ("::1", "[::1]:1"), ("127.0.0.1", "127.0.0.1:1")] {
            assert_eq!(join(host, 1), address);
            assert_eq!(split(address), (host, "1"));
        }
        assert_eq!(join("[::1]", 1), "[::1]:1");
        assert_eq!(split("a"), ("a", ""));
    }
}
