//! How nsqd and nsqlookupd are asked where they want TLS.

use std::path::PathBuf;

use nsq_net::{TlsClient, TlsClientFiles, TlsError};

use crate::options::Options;

/// Reads the files that the options name. None if there are none and the system trusts nobody:
/// then HTTPS cannot be spoken, and most clusters need none.
///
/// # Errors
///
/// With Go's text on the first file that cannot be used.
pub(crate) fn load(options: &Options) -> Result<Option<TlsClient>, String> {
    let (cert, key) = (&options.http_client_tls_cert, &options.http_client_tls_key);
    let own = (!cert.is_empty()).then(|| (PathBuf::from(cert), PathBuf::from(key)));
    if own.is_some() {
        // Alone, so that it is known which file is meant.
        let files = TlsClientFiles {
            own: own.clone(),
            skip_verification: true,
            ..TlsClientFiles::default()
        };
        TlsClient::load(&files)
            .map_err(|error| format!("failed to LoadX509KeyPair {cert}, {key} - {error}"))?;
    }
    let authority = &options.http_client_tls_root_ca_file;
    let files = TlsClientFiles {
        authority: (!authority.is_empty()).then(|| PathBuf::from(authority)),
        own,
        ..TlsClientFiles::default()
    };
    let strict = TlsClient::load(&files);
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
    let files = TlsClientFiles { skip_verification: true, ..files };
    TlsClient::load(&files).map(Some).map_err(|error| error.to_string())
}
