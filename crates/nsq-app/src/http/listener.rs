//! Where connections come from.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Peer;

/// A source of connections. Implemented for tokio's listeners; a daemon wraps others, e.g. TLS.
pub trait Listener: Send {
    /// The byte stream of one connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for the next connection. Must be cancel safe, and must not wait for the new peer,
    /// which would keep all others out: a TLS handshake belongs into the stream's first read.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted`, `ConnectionReset` and `Interrupted` concern one connection only;
    /// others are waited out, unless they say that the listener itself is broken.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;

    /// The address as logged: `127.0.0.1:4151`, `/run/nsqd.sock`.
    fn address(&self) -> String;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = TcpListener::accept(self).await?;
        // Responses are written whole; waiting for more to fill a segment only delays them. It
        // fails only if the peer is gone again, which says nothing about the listener.
        stream
            .set_nodelay(true)
            .map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
        Ok((stream, Peer::Tcp(address)))
    }

    fn address(&self) -> String {
        self.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn accept(&mut self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = UnixListener::accept(self).await?;
        Ok((stream, Peer::Unix))
    }

    fn address(&self) -> String {
        let path = self
            .local_addr()
            .ok()
            .and_then(|address| address.as_pathname().map(|path| path.display().to_string()));
        path.unwrap_or_else(|| "@".to_owned())
    }
}
