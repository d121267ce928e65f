//! A connection to somebody else, which may speak TLS.

use std::io;
use std::time::Duration;

use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use crate::{Address, Socket, TlsClient};

/// The bytes of a connection that was made from here.
pub type Outgoing = Either<Socket, Box<TlsStream<Socket>>>;

/// Connects, and shakes hands if `tls` says how. The other side must be who its address says; over
/// a unix socket it must be `localhost`.
///
/// # Errors
///
/// When nobody answers within `patience`, which the handshake has once more, or the other side is
/// not who it must be: the text says so.
pub async fn dial(
    address: &Address,
    tls: Option<&TlsClient>,
    patience: Duration,
) -> io::Result<Outgoing> {
    let socket = Socket::connect(address, patience).await?;
    let Some(tls) = tls else { return Ok(Either::Left(socket)) };
    let host = match address {
        Address::Tcp(address) => {
            address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host)
        }
        Address::Unix(_) => "localhost",
    };
    let shaken = timeout(patience, tls.connect(host, socket)).await;
    let shaken = shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let failed = |error: io::Error| {
        io::Error::new(error.kind(), format!("TLS handshake with {host} - {error}"))
    };
    Ok(Either::Right(Box::new(shaken.map_err(failed)?)))
}
