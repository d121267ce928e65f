//! A range of IP addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses that begin with the same bits, like `127.0.0.1/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    bits: u32,
}

impl Cidr {
    /// # Errors
    ///
    /// With Go's text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(address, bits)| {
            let address: IpAddr = address.parse().ok()?;
            let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
            let bits: u32 = bits.parse().ok().filter(|_| is_number)?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            (bits <= most).then_some(Self { address, bits })
        });
        parsed.ok_or_else(|| format!("invalid CIDR address: {text}"))
    }

    /// Whether it has this address. Who has the loopback of IPv4 has that of IPv6, too: a client
    /// on the same host cannot always choose.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - self.bits;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - self.bits;
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V4(_), IpAddr::V6(Ipv6Addr::LOCALHOST)) => {
                self.contains(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cidr;

    #[test]
    fn ranges() {
        for (range, address, expected) in [
            ("127.0.0.1/8", "127.9.9.9", true),
            ("127.0.0.1/8", "128.0.0.1", false),
            ("127.0.0.1/8", "::1", true),
            ("127.0.0.1/8", "::2", false),
            ("10.0.0.0/8", "::1", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.4", false),
            ("0.0.0.0/0", "10.1.2.4", true),
            ("fe80::/10", "fe80::1", true),
            ("fe80::/10", "::1", false),
            ("::/0", "fe80::1", true),
            ("::/0", "127.0.0.1", false),
        ] {
            let range = Cidr::parse(range).expect("a range");
            assert_eq!(range.contains(address.parse().expect("an address")), expected, "{range:?}");
        }
        for text in ["", "foo", "127.0.0.1", "127.0.0.1/33", "127.0.0.1/+8", "::/129", "/8", "a/8"]
        {
            assert_eq!(Cidr::parse(text), Err(format!("invalid CIDR address: {text}")));
        }
    }
}
