//! Certificates for trying TLS: an authority, and what it has signed, made at each start.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// Where the files are.
pub(crate) struct ThrowAway {
    /// The authority's certificate, which clients have to trust.
    pub(crate) authority: PathBuf,
    /// The daemon's certificate.
    pub(crate) certificate: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

impl ThrowAway {
    /// Writes new ones into this directory, for a daemon that is reached under these names and
    /// addresses. The authority's key is kept nowhere, so it signs nothing else.
    pub(crate) fn create(directory: &Path, names: &[String]) -> Result<Self> {
        let made = Self {
            authority: directory.join("ca.pem"),
            certificate: directory.join("server.pem"),
            key: directory.join("server.key"),
        };
        made.write(directory, names)
            .with_context(|| format!("cannot make certificates in {}", directory.display()))?;
        Ok(made)
    }

    fn write(&self, directory: &Path, names: &[String]) -> Result<()> {
        fs::create_dir_all(directory)?;
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "nsq up, for trying TLS");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        fs::write(&self.authority, authority.self_signed(&authority_key)?.pem())?;
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate()?;
        let mut own = CertificateParams::new(names)?;
        own.distinguished_name.push(DnType::CommonName, "nsqd");
        // Strict verifiers, as Python's, want all of this.
        own.use_authority_key_identifier_extension = true;
        own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        fs::write(&self.certificate, own.signed_by(&key, &issuer)?.pem())?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.key)?;
        file.write_all(key.serialize_pem().as_bytes())?;
        Ok(())
    }
}
