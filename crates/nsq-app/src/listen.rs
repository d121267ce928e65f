//! Binding a daemon's addresses.

use tokio::net::TcpListener;

/// An address that cannot be listened on, in NSQ's words.
#[derive(Debug, thiserror::Error)]
#[error("listen ({address}) failed - listen tcp {address}: bind: {reason}")]
pub struct ListenError {
    address: String,
    reason: String,
}

/// Listens on `<addr>:<port>`. Go takes an address without a host as all interfaces.
///
/// # Errors
///
/// When the address is no address, is taken, or is not ours.
pub async fn listen(address: &str) -> Result<TcpListener, ListenError> {
    let full = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    TcpListener::bind(&full).await.map_err(|error| {
        let text = error.to_string();
        // As Go spells it: lower case, without the number.
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        ListenError { address: address.to_owned(), reason }
    })
}
