//! Certificates for one test, in files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    ///
    /// # Panics
    ///
    /// When there is no randomness.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("randomness");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("a key that can sign");
        Self { pem: certificate.pem(), issuer: Issuer::new(parameters, key) }
    }

    /// Writes its own certificate.
    ///
    /// # Panics
    ///
    /// When there is no room for the file.
    #[must_use]
    pub fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(format!("{name}.pem"));
        std::fs::write(&path, &self.pem).expect("room for a file");
        path
    }

    /// Writes a certificate of this common name for 127.0.0.1 and localhost, and its key. What
    /// had the same name is replaced.
    ///
    /// # Panics
    ///
    /// When there is no room for the files.
    #[must_use]
    pub fn sign(&self, directory: &Path, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("randomness");
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.distinguished_name.push(DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a key that can sign");
        let paths = (directory.join(format!("{name}.pem")), directory.join(format!("{name}.key")));
        std::fs::write(&paths.0, certificate.pem()).expect("room for a file");
        std::fs::write(&paths.1, key.serialize_pem()).expect("room for a file");
        paths
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Authority")
    }
}
