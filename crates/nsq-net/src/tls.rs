//! TLS: certificates from files, and who must have one.

mod client;
mod files;
mod server;
mod trust;

use std::path::PathBuf;

use tokio_rustls::rustls;

pub use client::{TlsClient, TlsClientFiles};
pub use server::{ClientCertificates, TlsFacts, TlsServer, TlsServerFiles};

/// The lowest version of TLS that is spoken. Older ones are gone for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 and later.
    #[default]
    Tls12,
    /// 1.3 only.
    Tls13,
}

const ONLY_13: [&rustls::SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

impl TlsVersion {
    fn and_later(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        match self {
            Self::Tls12 => rustls::ALL_VERSIONS,
            Self::Tls13 => &ONLY_13,
        }
    }
}

/// Why there is no TLS. Each text names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("open {}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Not what it must be.
    #[error("{}: {reason}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificates that the system trusts cannot be read.
    #[error("cannot read the certificates that this system trusts: {0}")]
    System(String),
}
