//! `TlsSession`: the encrypted layer of a connection.

use std::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use socket2::Socket;

use crate::socket::patiently;

/// Whose certificates a connection believes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trust<'a> {
    /// Those signed by one of the authorities in this file.
    RootFile(&'a Path),
    /// All of them.
    Anyone,
}

/// Builds what all TLS connections of a run share.
pub(crate) fn client_config(
    trust: Trust<'_>,
    own: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anyone => Arc::new(TrustAnyone(Arc::clone(&provider))),
        Trust::RootFile(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).with_context(|| in_file(path))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .with_context(|| in_file(path))?
        }
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_file(key).with_context(|| in_file(key))?;
            builder.with_client_auth_cert(certificates(certificate)?, key)?
        }
    };
    Ok(Arc::new(config))
}

/// A TLS session without its socket, to be used by a reading and a writing thread.
///
/// What only the reading side has to say, such as the answer to a change of keys, goes out with
/// the next write.
#[derive(Clone)]
pub(crate) struct TlsSession(Arc<Mutex<ClientConnection>>);

impl TlsSession {
    /// Shakes hands with the daemon at `address`.
    pub(crate) fn open(
        config: &Arc<ClientConfig>,
        mut stream: &Socket,
        address: &str,
        patience: Duration,
    ) -> Result<Self> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let mut session = ClientConnection::new(Arc::clone(config), name)?;
        patiently(patience, || session.complete_io(&mut stream))?;
        Ok(Self(Arc::new(Mutex::new(session))))
    }

    /// Encrypts and writes all of `bytes`.
    pub(crate) fn send(&self, stream: &Socket, bytes: &[u8], patience: Duration) -> IoResult<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = self.0.lock().writer().write(rest)?;
            rest = rest.get(count..).unwrap_or_default();
            self.flush(stream, patience)?;
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish_sending(&self, stream: &Socket, patience: Duration) -> IoResult<()> {
        self.0.lock().send_close_notify();
        self.flush(stream, patience)
    }

    /// Appends what the bytes read from the socket say to `plain`.
    pub(crate) fn decrypt(&self, wire: &[u8], plain: &mut Vec<u8>) -> IoResult<()> {
        let mut session = self.0.lock();
        let mut rest = wire;
        // Nothing more is taken once the daemon has said that nothing more will come.
        while !rest.is_empty() && session.read_tls(&mut rest)? > 0 {
            let state = session
                .process_new_packets()
                .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
            let start = plain.len();
            plain.resize(start + state.plaintext_bytes_to_read(), 0);
            session.reader().read_exact(&mut plain[start..])?;
        }
        Ok(())
    }

    fn flush(&self, mut stream: &Socket, patience: Duration) -> IoResult<()> {
        // Locked anew for each attempt: the reading side must not wait for a full socket.
        while self.0.lock().wants_write() {
            patiently(patience, || self.0.lock().write_tls(&mut stream))?;
        }
        Ok(())
    }
}

/// Takes any certificate: for measuring, where no one listens in.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(path).and_then(Iterator::collect).with_context(|| in_file(path))
}

fn in_file(path: &Path) -> String {
    format!("in {}", path.display())
}
