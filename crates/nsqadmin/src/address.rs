//! Checking addresses at the start, in the words of Go's `net` package.

use std::net::IpAddr;

/// All addresses that the host of `address`, which is `host:port`, has by now; none for no host,
/// which is this one.
///
/// # Errors
///
/// With Go's text.
pub(crate) async fn resolve((host, port): (&str, u16)) -> Result<Vec<IpAddr>, String> {
    if host.is_empty() {
        return Ok(Vec::new());
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>());
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(format!("lookup {host}: no such host")),
    }
}

/// The host without brackets, and the port.
///
/// # Errors
///
/// With Go's text.
pub(crate) fn split(address: &str) -> Result<(&str, u16), String> {
    let wrong = |what: &str| Err(format!("address {address}: {what}"));
    let Some((host, port)) = address.rsplit_once(':') else {
        return wrong("missing port in address");
    };
    let host = match host.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(host) => host,
            None if address.ends_with(']') => return wrong("missing port in address"),
            None => return wrong("missing ']' in address"),
        },
        None if host.contains(':') => return wrong("too many colons in address"),
        None => host,
    };
    // Nothing that would be another part of a URL.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
    if !host.bytes().all(is_plain) {
        return Err(format!("lookup {host}: no such host"));
    }
    match port.parse::<i64>() {
        Ok(number) => match u16::try_from(number) {
            Ok(port) => Ok((host, port)),
            Err(_) => Err(format!("address {port}: invalid port")),
        },
        Err(_) => Err(format!("lookup tcp/{port}: unknown port")),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("127.0.0.1:4161", Ok(("127.0.0.1", 4161))),
            ("[::1]:4161", Ok(("::1", 4161))),
            (":4161", Ok(("", 4161))),
            ("127.0.0.1", Err("address 127.0.0.1: missing port in address")),
            ("[::1]", Err("address [::1]: missing port in address")),
            ("[::1:5", Err("address [::1:5: missing ']' in address")),
            ("http://a:4161", Err("address http://a:4161: too many colons in address")),
            ("a b:1", Err("lookup a b: no such host")),
            ("u@h:1", Err("lookup u@h: no such host")),
            ("h/p:1", Err("lookup h/p: no such host")),
            ("a:99999", Err("address 99999: invalid port")),
            ("a:b", Err("lookup tcp/b: unknown port")),
        ] {
            assert_eq!(split(address), expected.map_err(str::to_owned));
        }
    }
}
