//! Certificates of one test, and the ways to be a TLS client with them.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, DEFAULT_VERSIONS, RootCertStore, ServerConfig, SupportedCipherSuite,
    SupportedProtocolVersion, version,
};
use tempfile::TempDir;

/// Who signs.
type Authority = Issuer<'static, KeyPair>;

/// A directory with two authorities, `ca.pem` and `stranger-ca.pem`, and certificates with keys:
/// `server` and `client` of the one, `stranger` of the other.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        let certificates = Self(TempDir::new().expect("there is room for temporary files"));
        let authority = certificates.authority("ca");
        certificates.leaf("server", &authority);
        certificates.leaf("client", &authority);
        certificates.leaf("stranger", &certificates.authority("stranger-ca"));
        certificates
    }

    fn authority(&self, name: &str) -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = parameters(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = parameters.self_signed(&key).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        Issuer::new(parameters, key)
    }

    fn leaf(&self, name: &str, authority: &Authority) {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters(name).signed_by(&key, authority).expect("a certificate");
        self.write(&format!("{name}.pem"), &certificate.pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    /// Puts a file beside the certificates.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("there is room for temporary files");
        self.path(name).display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `--flag=<file>`.
    pub(crate) fn flag(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path(name).display())
    }

    /// The flags of a daemon that offers TLS.
    pub(crate) fn server_flags(&self) -> Vec<String> {
        vec![
            self.flag("tls-cert", "server.pem"),
            self.flag("tls-key", "server.key"),
            "--https-address=127.0.0.1:0".to_owned(),
        ]
    }

    /// The flags of a daemon that wants client certificates.
    pub(crate) fn policy_flags(&self, policy: &str) -> Vec<String> {
        let mut flags = self.server_flags();
        flags.push(self.flag("tls-root-ca-file", "ca.pem"));
        flags.push(format!("--tls-client-auth-policy={policy}"));
        flags
    }

    /// A client that trusts the authority and shows no certificate.
    pub(crate) fn anonymous(&self) -> Arc<ClientConfig> {
        Arc::new(self.client(None, aws_lc_rs::default_provider(), DEFAULT_VERSIONS))
    }

    /// A client with the certificate of that name.
    pub(crate) fn with_certificate(&self, name: &str) -> Arc<ClientConfig> {
        Arc::new(self.client(Some(name), aws_lc_rs::default_provider(), DEFAULT_VERSIONS))
    }

    /// A client that knows TLS 1.2 at most.
    pub(crate) fn of_tls_1_2(&self, name: Option<&str>) -> Arc<ClientConfig> {
        Arc::new(self.client(name, aws_lc_rs::default_provider(), &[&version::TLS12]))
    }

    /// A client that knows this cipher suite alone.
    pub(crate) fn of_suite(&self, number: u16) -> Arc<ClientConfig> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| u16::from(suite.suite()) == number);
        let version = match provider.cipher_suites[0] {
            SupportedCipherSuite::Tls12(_) => &version::TLS12,
            SupportedCipherSuite::Tls13(_) => &version::TLS13,
        };
        Arc::new(self.client(None, provider, &[version]))
    }

    /// A client that would like to speak one of these protocols.
    pub(crate) fn offering(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut config = self.client(None, aws_lc_rs::default_provider(), DEFAULT_VERSIONS);
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// A server with the server's certificate.
    pub(crate) fn of_server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).expect("our key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(DEFAULT_VERSIONS)
            .expect("ring has them")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate("server")], key);
        Arc::new(config.expect("they belong together"))
    }

    fn client(
        &self,
        name: Option<&str>,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate("ca")).expect("our authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("ring has them")
            .with_root_certificates(roots);
        let Some(name) = name else { return builder.with_no_client_auth() };
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key")));
        builder
            .with_client_auth_cert(vec![self.certificate(name)], key.expect("our key"))
            .expect("they belong together")
    }

    fn certificate(&self, name: &str) -> CertificateDer<'static> {
        let path = self.path(&format!("{name}.pem"));
        CertificateDer::from_pem_file(path).expect("our certificate")
    }
}

fn parameters(name: &str) -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut parameters = CertificateParams::new(names).expect("valid names");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}
