//! The side that shows its certificate first.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{authorities, chain, key, unusable};
use super::{TlsError, TlsVersion};
use crate::Socket;

/// Which certificates clients must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// None; none is asked for.
    #[default]
    NotAsked,
    /// Some certificate, whoever signed it: `require`.
    Any,
    /// One that the authority has signed: `require-verify`.
    Verified,
}

/// What a server's TLS is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsServerFiles {
    /// The certificate, and those between it and the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs certificates of clients; without it, those that the system trusts.
    pub authority: Option<PathBuf>,
    /// Which certificates clients must have.
    pub clients: ClientCertificates,
    /// The lowest version.
    pub min_version: TlsVersion,
}

/// TLS for the connections that come in. The files can be read again while it is in use.
#[derive(Debug)]
pub struct TlsServer {
    files: TlsServerFiles,
    config: RwLock<Arc<ServerConfig>>,
}

/// What was agreed in a handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The number of the version: 0x0303 for TLS 1.2.
    pub version: u16,
    /// The number of the cipher suite in IANA's registry.
    pub cipher_suite: u16,
    /// Who the client's certificate says it is; empty without one.
    pub common_name: String,
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn load(files: TlsServerFiles) -> Result<Self, TlsError> {
        let config = RwLock::new(read(&files)?);
        Ok(Self { files, config })
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

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config.read()))
    }
}

impl TlsFacts {
    pub(crate) fn of(stream: &TlsStream<Socket>) -> Self {
        let (_, session) = stream.get_ref();
        let own = session.peer_certificates().and_then(<[_]>::first);
        Self {
            version: session.protocol_version().map_or(0, u16::from),
            cipher_suite: session
                .negotiated_cipher_suite()
                .map_or(0, |suite| u16::from(suite.suite())),
            common_name: own.map(common_name).unwrap_or_default(),
        }
    }
}

fn common_name(certificate: &CertificateDer<'_>) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return String::new();
    };
    // Go takes the last of several.
    let name = certificate.subject().iter_common_name().last();
    name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned()
}

fn read(files: &TlsServerFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certificates = chain(&files.certificate)?;
    let key = key(&files.key)?;
    // Also where nobody is asked for a certificate: a file that is named must be good.
    let named = files.authority.as_deref().map(|path| authorities(Some(path))).transpose()?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(files.min_version.and_later())
        .map_err(|error| unusable(&files.certificate, error))?;
    let builder = match files.clients {
        ClientCertificates::NotAsked => builder.with_no_client_auth(),
        ClientCertificates::Any => {
            builder.with_client_cert_verifier(Arc::new(AnyCertificate(provider)))
        }
        ClientCertificates::Verified => {
            let store = named.map_or_else(|| authorities(None), Ok)?;
            let store = Arc::new(store);
            let verifier = WebPkiClientVerifier::builder_with_provider(store, provider).build();
            let verifier = verifier.map_err(|error| match &files.authority {
                Some(path) => unusable(path, error),
                None => TlsError::System(error.to_string()),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(certificates, key);
    config.map(Arc::new).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            let certificate = files.certificate.display();
            unusable(&files.key, format_args!("it is not the key of {certificate}"))
        }
        error => unusable(&files.certificate, error),
    })
}

/// Takes any certificate of a client, as Go's `RequireAnyClientCert`: the client only shows that it
/// has the key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
