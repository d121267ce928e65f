//! Where messages come from.

use anyhow::bail;
use nsq_client::Consumer;

/// nsqd nodes by name, or nsqlookupds that know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sources {
    /// `--nsqd-tcp-address` or `--nsqd-http-address`
    Nsqds(Vec<String>),
    /// `--lookupd-http-address`
    Lookupds(Vec<String>),
}

impl Sources {
    /// Makes the consumer consume from there.
    ///
    /// # Errors
    ///
    /// When one of the nsqd nodes cannot be used now, or the address of an nsqlookupd is none.
    pub(crate) async fn connect(&self, consumer: &mut Consumer) -> anyhow::Result<()> {
        match self {
            Self::Nsqds(addresses) => consumer.connect_to_nsqds(addresses).await?,
            Self::Lookupds(addresses) => consumer.connect_to_lookupds(addresses).await?,
        }
        Ok(())
    }
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
