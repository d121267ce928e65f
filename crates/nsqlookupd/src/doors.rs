//! Who may come in: certificates and tokens, and what is expected of connections.

use std::sync::Arc;

use nsq_app::flags::TlsRequired;
use nsq_app::http::NOT_HTTPS;
use nsq_app::{Reload, TokenFile};
use nsq_net::{Door, Refusal, TlsServer};

use crate::options::Options;

/// What somebody gets to read who speaks plain text where only TLS is spoken: a response of the
/// protocol, its size first.
const NOT_TLS: Refusal = Refusal { text: b"\0\0\0\x16E_INVALID TLS required", first_bytes: b"" };

/// What was read of the files that are renewed in place.
#[derive(Debug)]
pub(crate) struct Doors {
    tls: Option<Arc<TlsServer>>,
    required: TlsRequired,
    /// Those that HTTP clients must know one of.
    pub(crate) tokens: Option<Arc<TokenFile>>,
}

impl Doors {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// With the sentence for the operator.
    pub(crate) fn load(options: &Options) -> anyhow::Result<Self> {
        let flags = options.tls();
        flags.check()?;
        let tls = flags.load();
        let tls = tls.map_err(|error| anyhow::anyhow!("failed to build TLS config - {error}"))?;
        let tokens = TokenFile::load(&options.http_token_file)?;
        Ok(Self { tls, required: flags.required(), tokens })
    }

    /// Reads them again at every SIGHUP.
    pub(crate) fn renew_with(&self, reload: &mut Reload<Options>) {
        if let Some(tls) = self.tls.clone() {
            let read = move || tls.reload().map_err(|error| error.to_string());
            reload.on_renewal("the certificate", read);
        }
        if let Some(tokens) = self.tokens.clone() {
            let read = move || tokens.reload().map_err(|error| error.to_string());
            reload.on_renewal("the tokens", read);
        }
    }

    /// For nsqd nodes. With a certificate they may speak TLS or plain text, so that a cluster can
    /// be moved over one daemon at a time.
    pub(crate) fn tcp(&self) -> Door {
        match &self.tls {
            None => Door::Plain,
            Some(tls) if self.required == TlsRequired::No => Door::Either(Arc::clone(tls)),
            Some(tls) => Door::Tls(Arc::clone(tls), NOT_TLS),
        }
    }

    /// For HTTP clients, likewise.
    pub(crate) fn http(&self) -> Door {
        match &self.tls {
            None => Door::Plain,
            Some(tls) if self.required == TlsRequired::Yes => Door::Tls(Arc::clone(tls), NOT_HTTPS),
            Some(tls) => Door::Either(Arc::clone(tls)),
        }
    }
}
