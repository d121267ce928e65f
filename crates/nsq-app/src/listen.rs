//! Binding a daemon's addresses.

use tokio::net::TcpListener;

/// An address that cannot be listened on, in NSQ's words.
#[derive(Debug, thiserror::Error)]
#[error("listen ({address}) failed - listen tcp {address}: bind: {reason}")]
pub struct ListenError {
    address: String,
    reason: String,
}

/// Listens on `<addr>:<port>`; see [`full_address`].
///
/// # Errors
///
/// When the address is no address, is taken, or is not ours.
pub async fn listen(address: &str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(&full_address(address)).await.map_err(|error| {
        let text = error.to_string();
        // As Go spells it: lower case, without the number.
        let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        ListenError { address: address.to_owned(), reason }
    })
}

/// An address as Go takes it: without a host it is this one, or all interfaces to listen on.
#[must_use]
pub fn full_address(address: &str) -> String {
    match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    }
}
