//! Certificates and keys from files in PEM form.

use std::path::Path;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// The certificates of a chain, the own one first.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(&contents(path)?).collect::<Result<_, _>>();
    let certificates: Vec<_> = certificates.map_err(|error| broken(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, "there is no certificate in it"));
    }
    Ok(certificates)
}

/// The private key.
pub(super) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&contents(path)?).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            unusable(path, "there is no private key in it that is not encrypted")
        }
        error => broken(path, &error),
    })
}

/// The authorities of a file, or those that the system trusts.
pub(super) fn authorities(path: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = path else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        return match found.errors.first() {
            Some(error) if store.is_empty() => Err(TlsError::System(error.to_string())),
            _ => Ok(store),
        };
    };
    for certificate in chain(path)? {
        store.add(certificate).map_err(|error| unusable(path, error))?;
    }
    Ok(store)
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| {
        let text = error.to_string();
        // As Go spells it: lower case, without the number.
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        TlsError::Unreadable { path: path.to_owned(), reason }
    })
}

fn broken(path: &Path, error: &pem::Error) -> TlsError {
    unusable(path, format_args!("it is not in PEM form: {error}"))
}

pub(super) fn unusable(path: &Path, reason: impl ToString) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), reason: reason.to_string() }
}
