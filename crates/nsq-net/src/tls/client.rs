//! The side that wants to see a certificate.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

use super::files::{authorities, chain, key, unusable};
use super::trust::{Credulity, Trust};
use super::{TlsError, TlsVersion};
use crate::Socket;

/// What a client's TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsClientFiles {
    /// Who signs certificates of servers; without it, those that the system trusts.
    pub authority: Option<PathBuf>,
    /// The own certificate and its key, for servers that ask.
    pub own: Option<(PathBuf, PathBuf)>,
    /// The lowest version.
    pub min_version: TlsVersion,
    /// Believe whatever certificate the server shows: encrypted, but perhaps with the wrong one.
    pub skip_verification: bool,
}

/// TLS for connections to others. The files can be read again while it is in use, and all clones
/// use what was read last.
#[derive(Clone)]
pub struct TlsClient {
    files: Arc<TlsClientFiles>,
    config: Arc<RwLock<Arc<ClientConfig>>>,
}

impl TlsClient {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn load(files: &TlsClientFiles) -> Result<Self, TlsError> {
        let config = Arc::new(RwLock::new(read(files)?));
        Ok(Self { files: Arc::new(files.clone()), config })
    }

    /// Reads the files again, for the connections from now on.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]; then what was read before stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.config.write() = read(&self.files)?;
        Ok(())
    }

    /// Shakes hands over a connection to `host`, a name or an address without port.
    ///
    /// # Errors
    ///
    /// When the server is not who it must be, or the connection fails.
    pub async fn connect(&self, host: &str, socket: Socket) -> io::Result<TlsStream<Socket>> {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connector = TlsConnector::from(Arc::clone(&self.config.read()));
        connector.connect(name, socket).await
    }
}

fn read(files: &TlsClientFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let shown = |path: Option<&Path>, error: rustls::Error| match path {
        Some(path) => unusable(path, error),
        None => TlsError::System(error.to_string()),
    };
    let authority = files.authority.as_deref();
    let verifier: Arc<dyn ServerCertVerifier> = if files.skip_verification {
        Arc::new(Credulity { algorithms: provider.signature_verification_algorithms })
    } else {
        let roots = Arc::new(authorities(authority)?);
        let rules = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let rules = rules.build().map_err(|error| match authority {
            Some(path) => unusable(path, error),
            None => TlsError::System(error.to_string()),
        })?;
        // What the system trusts are authorities, never servers.
        let trusted = authority.map(chain).transpose()?.unwrap_or_default();
        Arc::new(Trust { rules, trusted })
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(files.min_version.and_later())
        .map_err(|error| shown(authority, error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match &files.own {
        None => builder.with_no_client_auth(),
        Some((certificate, own_key)) => builder
            .with_client_auth_cert(chain(certificate)?, key(own_key)?)
            .map_err(|error| shown(Some(certificate), error))?,
    };
    Ok(Arc::new(config))
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("TlsClient")
    }
}
