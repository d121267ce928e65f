//! `Transport`: which of nsqd's two doors messages are published through.

use clap::ValueEnum;
use serde::Serialize;

/// How publish commands are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// The TCP protocol: PUB, MPUB, DPUB
    #[default]
    Tcp,
    /// POST /pub and /mpub over kept-alive connections
    Http,
}
