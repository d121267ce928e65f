//! Whom a client believes.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use tokio_rustls::rustls;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Believes whom the usual rules believe, and a server that shows one of the trusted certificates
/// itself. That one may be made for an authority, which the rules refuse: it is what
/// `openssl req -x509` makes, and Go takes it.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) rules: Arc<WebPkiServerVerifier>,
    pub(super) trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let by_rules = self.rules.verify_server_cert(shown, chain, name, ocsp_response, now);
        if by_rules.is_ok() || !self.trusted.iter().any(|trusted| trusted == shown) {
            return by_rules;
        }
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        verify_time(shown, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.supported_verify_schemes()
    }
}

/// Believes everybody; what is signed must still be signed with the key that was shown.
#[derive(Debug)]
pub(super) struct Credulity {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Credulity {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn verify_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if now_s < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now_s > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;

    use super::*;

    fn authority() -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(["nsqd.example".to_owned()]).expect("a name");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2030, 1, 1);
        let key = KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("signed").der().clone()
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_is_believed() {
        let (own, other) = (authority(), authority());
        let mut roots = RootCertStore::empty();
        roots.add(own.clone()).expect("an authority");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let rules = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let rules = rules.build().expect("there is a root");
        let trust = Trust { rules, trusted: vec![own.clone()] };
        let check = |shown: &CertificateDer<'_>, name: &'static str, years: u64| {
            let name = ServerName::try_from(name).expect("a name");
            let now = UnixTime::since_unix_epoch(Duration::from_secs(years * 365 * 86_400));
            trust.verify_server_cert(shown, &[], &name, &[], now).is_ok()
        };
        assert!(check(&own, "nsqd.example", 55));
        assert!(!check(&own, "other.example", 55), "the name");
        assert!(!check(&own, "nsqd.example", 45), "too early");
        assert!(!check(&own, "nsqd.example", 65), "too late");
        assert!(!check(&other, "nsqd.example", 55), "somebody else's");
    }
}
