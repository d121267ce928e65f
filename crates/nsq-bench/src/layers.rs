//! `Layers`: what lies between the commands of a connection and its socket.
//!
//! ```text
//! commands → snappy or deflate → TLS → socket
//! frames   ← snappy or deflate ← TLS ← socket
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Args;
use rustls::ClientConfig;
use serde::Serialize;

use crate::packer::Compression;
use crate::tls::{self, Trust};
use crate::wishes::Wishes;

/// Whether connections are encrypted and compressed.
#[derive(Clone, Debug, Default, Args, Serialize)]
pub(crate) struct LayerArgs {
    /// Encrypt the connections; needs --tls-root-ca-file or --tls-insecure
    #[arg(long)]
    pub(crate) tls: bool,
    /// Authorities that may have signed nsqd's certificate, in PEM
    #[arg(long, requires = "tls", value_name = "FILE")]
    tls_root_ca_file: Option<PathBuf>,
    /// Accept any certificate: for measuring only
    #[arg(long, requires = "tls", conflicts_with = "tls_root_ca_file")]
    tls_insecure: bool,
    /// Certificate to show to nsqd, in PEM
    #[arg(long, requires = "tls", requires = "tls_key", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Key of this certificate, in PEM
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Compress the connections with snappy
    #[arg(long)]
    pub(crate) snappy: bool,
    /// Compress the connections with deflate, at level 6 or the given one
    #[arg(long, conflicts_with = "snappy", value_name = "LEVEL", num_args = 0..=1)]
    #[arg(default_missing_value = "6", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) deflate: Option<u8>,
}

impl LayerArgs {
    /// Reads the certificates.
    pub(crate) fn layers(&self) -> Result<Layers> {
        let compression = match (self.snappy, self.deflate) {
            (_, Some(level)) => Some(Compression::Deflate(level)),
            (true, None) => Some(Compression::Snappy),
            (false, None) => None,
        };
        if !self.tls {
            return Ok(Layers { tls: None, compression });
        }
        let trust = match &self.tls_root_ca_file {
            Some(path) => Trust::RootFile(path),
            None if self.tls_insecure => Trust::Anyone,
            None => bail!("--tls needs --tls-root-ca-file or --tls-insecure"),
        };
        let own = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        Ok(Layers { tls: Some(tls::client_config(trust, own)?), compression })
    }

    /// Whether any layer is asked for.
    pub(crate) fn are_asked_for(&self) -> bool {
        self.tls || self.snappy || self.deflate.is_some()
    }
}

/// The layers of every connection of a run; none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) compression: Option<Compression>,
}

impl Layers {
    /// What to ask nsqd for; `None` when commands go to the socket as they are.
    pub(crate) fn wishes(&self) -> Option<Wishes> {
        let deflate_level = match self.compression {
            Some(Compression::Deflate(level)) => Some(level),
            Some(Compression::Snappy) | None => None,
        };
        let wishes = Wishes {
            feature_negotiation: true,
            tls_v1: self.tls.is_some(),
            snappy: self.compression == Some(Compression::Snappy),
            deflate: deflate_level.is_some(),
            deflate_level,
        };
        (wishes.tls_v1 || self.compression.is_some()).then_some(wishes)
    }
}
