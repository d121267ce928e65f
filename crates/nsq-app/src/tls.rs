//! From the flags of TLS to what is made of them.

use std::path::PathBuf;
use std::sync::Arc;

use nsq_net::{ClientCertificates, TlsError, TlsServer, TlsServerFiles, TlsVersion};

use crate::flags::{TlsMinVersion, TlsRequired};

/// The number of TLS 1.2 on the wire.
const TLS12: u16 = 0x0303;

/// The options of a daemon that its clients can reach with TLS.
#[derive(Clone, Copy, Debug)]
pub struct TlsFlags<'a> {
    /// `--tls-cert`, empty for none.
    pub cert: &'a str,
    /// `--tls-key`, empty for none.
    pub key: &'a str,
    /// `--tls-root-ca-file`, empty for what the system trusts.
    pub root_ca_file: &'a str,
    /// `--tls-client-auth-policy`: `require`, `require-verify`, or empty.
    pub client_auth_policy: &'a str,
    /// `--tls-min-version`
    pub min_version: TlsMinVersion,
    /// `--tls-required`
    pub required: TlsRequired,
}

/// Flags that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTls {
    /// One without the other.
    #[error("failed to build TLS config - --tls-cert and --tls-key need each other")]
    Incomplete,
    /// Go NSQ takes any word for "none asked".
    #[error("--tls-client-auth-policy must be require or require-verify, not {0:?}")]
    Policy(String),
    /// Go NSQ's words.
    #[error("cannot require TLS client connections without TLS key and cert")]
    RequiredWithoutCertificate,
}

impl TlsFlags<'_> {
    /// Who must speak TLS: a policy for certificates implies that everybody must.
    #[must_use]
    pub fn required(&self) -> TlsRequired {
        match self.required {
            TlsRequired::No if !self.client_auth_policy.is_empty() => TlsRequired::Yes,
            required => required,
        }
    }

    /// Checks that they go together.
    ///
    /// # Errors
    ///
    /// See [`InvalidTls`].
    pub fn check(&self) -> Result<(), InvalidTls> {
        self.clients()?;
        if self.cert.is_empty() != self.key.is_empty() {
            return Err(InvalidTls::Incomplete);
        }
        if self.cert.is_empty() && self.required() != TlsRequired::No {
            return Err(InvalidTls::RequiredWithoutCertificate);
        }
        Ok(())
    }

    /// What the operator should know.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        let is_old = !self.cert.is_empty() && self.min_version.number() < TLS12;
        // The default is Go NSQ's; nobody chose it.
        (is_old && self.min_version.is_given()).then_some(
            "--tls-min-version: versions of TLS below 1.2 are not spoken; 1.2 is the lowest",
        )
    }

    /// Reads the files. None without a certificate.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn load(&self) -> Result<Option<Arc<TlsServer>>, TlsError> {
        if self.cert.is_empty() {
            return Ok(None);
        }
        let files = TlsServerFiles {
            certificate: PathBuf::from(self.cert),
            key: PathBuf::from(self.key),
            authority: Some(PathBuf::from(self.root_ca_file))
                .filter(|_| !self.root_ca_file.is_empty()),
            clients: self.clients().unwrap_or_default(),
            min_version: self.version(),
        };
        TlsServer::load(files).map(|tls| Some(Arc::new(tls)))
    }

    /// The lowest version that is spoken.
    #[must_use]
    pub fn version(&self) -> TlsVersion {
        if self.min_version.number() > TLS12 { TlsVersion::Tls13 } else { TlsVersion::Tls12 }
    }

    fn clients(&self) -> Result<ClientCertificates, InvalidTls> {
        match self.client_auth_policy {
            "" => Ok(ClientCertificates::NotAsked),
            "require" => Ok(ClientCertificates::Any),
            "require-verify" => Ok(ClientCertificates::Verified),
            other => Err(InvalidTls::Policy(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::FlagValue;

    fn flags(min_version: TlsMinVersion) -> TlsFlags<'static> {
        TlsFlags {
            cert: "cert.pem",
            key: "key.pem",
            root_ca_file: "",
            client_auth_policy: "",
            min_version,
            required: TlsRequired::No,
        }
    }

    #[test]
    fn an_old_version_is_warned_of_when_somebody_chose_it() {
        assert_eq!(flags(TlsMinVersion::default()).warning(), None);
        for (word, expected) in
            [("ssl3.0", true), ("tls1.0", true), ("tls1.1", true), ("tls1.2", false), ("", false)]
        {
            let mut version = TlsMinVersion::default();
            version.set(word).expect("a version");
            assert_eq!(flags(version).warning().is_some(), expected, "{word}");
        }
    }

    #[test]
    fn what_does_not_go_together() {
        let complete = flags(TlsMinVersion::default());
        assert_eq!(complete.check(), Ok(()));
        assert_eq!(TlsFlags { key: "", ..complete }.check(), Err(InvalidTls::Incomplete));
        let policy = TlsFlags { client_auth_policy: "require", ..complete };
        assert_eq!((policy.check(), policy.required()), (Ok(()), TlsRequired::Yes));
        let policy = TlsFlags { required: TlsRequired::TcpHttps, ..policy };
        assert_eq!(policy.required(), TlsRequired::TcpHttps);
        let none = TlsFlags { cert: "", key: "", ..policy };
        assert_eq!(none.check(), Err(InvalidTls::RequiredWithoutCertificate));
        let unknown = TlsFlags { client_auth_policy: "verify", ..complete };
        assert_eq!(unknown.check(), Err(InvalidTls::Policy("verify".to_owned())));
    }
}
