//! Certificates that live as long as a check.

use std::fs;
use std::path::Path;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// A directory with `ca.pem`, `server.pem`, `server.key`, `client.pem` and `client.key`.
#[derive(Debug)]
pub(super) struct Certificates(TempDir);

impl Certificates {
    /// Makes new ones: nothing secret is ever kept.
    pub(super) fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let key = KeyPair::generate()?;
        let mut authority = parameters("authority")?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        fs::write(directory.path().join("ca.pem"), authority.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(authority, key);
        for (name, purpose) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let key = KeyPair::generate()?;
            let mut leaf = parameters(name)?;
            // Strict verifiers, as Python's, want both.
            leaf.use_authority_key_identifier_extension = true;
            leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            leaf.extended_key_usages = vec![purpose];
            let certificate = leaf.signed_by(&key, &issuer)?;
            fs::write(directory.path().join(format!("{name}.pem")), certificate.pem())?;
            fs::write(directory.path().join(format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self(directory))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// `--flag=<file>` for one of them.
    pub(super) fn flag(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path().join(name).display())
    }
}

fn parameters(name: &str) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(["localhost".into(), "127.0.0.1".into()])?;
    parameters.distinguished_name.push(DnType::CommonName, name);
    Ok(parameters)
}
