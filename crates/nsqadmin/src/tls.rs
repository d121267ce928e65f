//! How nsqd and nsqlookupd are asked where they want TLS.

use std::path::PathBuf;

use nsq_net::{TlsClient, TlsClientFiles, TlsError};

use crate::options::Options;

/// The files that the options name.
pub(crate) fn files(options: &Options) -> TlsClientFiles {
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let (cert, key) = (&options.http_client_tls_cert, &options.http_client_tls_key);
    TlsClientFiles {
        authority: path(&options.http_client_tls_root_ca_file),
        own: path(cert).zip(path(key)),
        skip_verification: options.http_client_tls_insecure_skip_verify,
        ..TlsClientFiles::default()
    }
}

/// Reads the files that the options name. None if there are none and the system trusts nobody:
/// then HTTPS cannot be spoken, and most clusters need none.
///
/// # Errors
///
/// With Go's text on the first file that cannot be used.
pub(crate) fn load(options: &Options) -> Result<Option<TlsClient>, String> {
    let (cert, key) = (&options.http_client_tls_cert, &options.http_client_tls_key);
    let files = files(options);
    if files.own.is_some() {
        // Alone, so that it is known which file is meant.
        let files = TlsClientFiles {
            own: files.own.clone(),
            skip_verification: true,
            ..TlsClientFiles::default()
        };
        TlsClient::load(&files)
            .map_err(|error| format!("failed to LoadX509KeyPair {cert}, {key} - {error}"))?;
    }
    let authority = &options.http_client_tls_root_ca_file;
    let strict = TlsClient::load(&TlsClientFiles { skip_verification: false, ..files.clone() });
    let tls = if options.http_client_tls_insecure_skip_verify && authority.is_empty() {
        None
    } else {
        match strict {
            Ok(tls) => Some(tls),
            Err(error @ TlsError::Unreadable { .. }) => {
                return Err(format!("failed to read TLS root CA file {authority} - {error}"));
            }
            Err(_) if !authority.is_empty() => {
                return Err(format!("failed to AppendCertsFromPEM {authority}"));
            }
            Err(_) => None,
        }
    };
    if !options.http_client_tls_insecure_skip_verify {
        return Ok(tls);
    }
    TlsClient::load(&files).map(Some).map_err(|error| error.to_string())
}
