//! How this daemon gets in at nsqlookupd.

use std::path::PathBuf;
use std::sync::Arc;

use nsq_api::HeaderValue;
use nsq_app::TokenFile;
use nsq_net::{TlsClient, TlsClientFiles};

use crate::options::Options;

/// The certificate and the token that nsqlookupd is shown, and whose certificates are trusted.
#[derive(Debug)]
pub(crate) struct Access {
    tls: Option<TlsClient>,
    tokens: Option<Arc<TokenFile>>,
}

impl Access {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// With the sentence for the operator.
    pub(crate) fn load(options: &Options) -> anyhow::Result<Self> {
        let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        let files = TlsClientFiles {
            authority: path(&options.lookupd_tls_root_ca_file),
            own: path(&options.lookupd_tls_cert).zip(path(&options.lookupd_tls_key)),
            ..TlsClientFiles::default()
        };
        let tls = options.lookupd_tls.then(|| TlsClient::load(&files)).transpose();
        let tls = tls.map_err(|error| {
            anyhow::anyhow!("failed to build TLS config for nsqlookupd - {error}")
        })?;
        Ok(Self { tls, tokens: TokenFile::load(&options.lookupd_http_token_file)? })
    }

    /// How to speak TLS, if at all.
    pub(crate) fn tls(&self) -> Option<&TlsClient> {
        self.tls.as_ref()
    }

    /// The file of the token, if there is one.
    pub(crate) fn tokens(&self) -> Option<&Arc<TokenFile>> {
        self.tokens.as_ref()
    }

    /// What requests begin with.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The value of `Authorization`: the first token of the file.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let tokens = self.tokens.as_ref()?.tokens();
        let mut value = HeaderValue::try_from(format!("Bearer {}", tokens.first())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}
