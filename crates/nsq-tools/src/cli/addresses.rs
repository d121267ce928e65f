//! Where messages come from.

use anyhow::bail;

/// nsqd nodes by name, or nsqlookupds that know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sources {
    /// `--nsqd-tcp-address` or `--nsqd-http-address`
    Nsqds(Vec<String>),
    /// `--lookupd-http-address`
    Lookupds(Vec<String>),
}

/// Exactly one kind must be given; `flag` is the one for nsqd.
pub(crate) fn sources(
    flag: &str,
    nsqds: &[String],
    lookupds: &[String],
) -> anyhow::Result<Sources> {
    match (nsqds.is_empty(), lookupds.is_empty()) {
        (true, true) => bail!("--{flag} or --lookupd-http-address required"),
        (false, false) => bail!("use --{flag} or --lookupd-http-address not both"),
        (false, true) => Ok(Sources::Nsqds(nsqds.to_vec())),
        (true, false) => Ok(Sources::Lookupds(lookupds.to_vec())),
    }
}
