//! What was read of the files that are renewed in place: certificates and tokens.

use std::sync::Arc;

use nsq_app::{Reload, TokenFile};
use nsq_net::TlsServer;

use crate::auth::AuthServers;
use crate::lookup::Access;
use crate::options::Options;

/// Whom clients see, whom they must be, and how this daemon gets in elsewhere.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// For clients that ask for it, if there is a certificate.
    pub(crate) tls: Option<Arc<TlsServer>>,
    /// Who says what TCP clients may do; none: everybody may do everything.
    pub(crate) auth: Option<AuthServers>,
    /// Those that HTTP clients must know one of.
    pub(crate) http_tokens: Option<Arc<TokenFile>>,
    pub(crate) lookup: Access,
}

impl Credentials {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// With the sentence for the operator.
    pub(crate) fn load(options: &Options) -> anyhow::Result<Self> {
        let tls = options.tls().load();
        let tls = tls.map_err(|error| anyhow::anyhow!("failed to build TLS config - {error}"))?;
        let auth = AuthServers::of(options)?;
        let http_tokens = TokenFile::load(&options.http_token_file)?;
        Ok(Self { tls, auth, http_tokens, lookup: Access::load(options)? })
    }

    /// Reads them again at every SIGHUP.
    pub(crate) fn renew_with(&self, reload: &mut Reload<Options>) {
        if let Some(tls) = self.tls.clone() {
            let read = move || tls.reload().map_err(|error| error.to_string());
            reload.on_renewal("the certificate", read);
        }
        if let Some(tls) = self.lookup.tls().cloned() {
            let read = move || tls.reload().map_err(|error| error.to_string());
            reload.on_renewal("the certificates for nsqlookupd", read);
        }
        if let Some(tls) = self.auth.as_ref().and_then(AuthServers::tls).cloned() {
            let read = move || tls.reload().map_err(|error| error.to_string());
            reload.on_renewal("the authorities of auth servers", read);
        }
        let files = [
            ("the tokens", self.http_tokens.clone()),
            ("the token for nsqlookupd", self.lookup.tokens().cloned()),
        ];
        for (what, file) in files {
            let Some(file) = file else { continue };
            reload.on_renewal(what, move || file.reload().map_err(|error| error.to_string()));
        }
    }
}
