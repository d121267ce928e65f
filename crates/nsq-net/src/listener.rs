//! Binding a daemon's addresses, and the connections that come.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::{Address, Peer, Socket};

/// Where connections come from. The file of a unix socket goes with it.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removes the file of a socket that nobody listens on any more.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            // Somebody may have removed it already, and nobody is left to tell otherwise.
            Ok(()) | Err(_) => {}
        }
    }
}

/// An address that cannot be listened on, in NSQ's words.
#[derive(Debug, thiserror::Error)]
#[error("listen ({address}) failed - listen {network} {address}: bind: {reason}")]
pub struct ListenError {
    address: String,
    network: &'static str,
    reason: String,
}

impl Listener {
    /// Listens on `<addr>:<port>` or the path of a unix socket, see [`Address`]. The file of a
    /// socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    ///
    /// When the address is no address, is taken, or is not ours.
    pub async fn bind(address: &str) -> Result<Self, ListenError> {
        let (bound, network) = match Address::parse(address) {
            Address::Tcp(full) => (TcpListener::bind(full).await.map(Kind::Tcp), "tcp"),
            Address::Unix(path) => (bind_unix(path).await, "unix"),
        };
        bound.map(|kind| Self { kind }).map_err(|error| {
            let text = error.to_string();
            // As Go spells it: lower case, without the number.
            let reason = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
            ListenError { address: address.to_owned(), network, reason }
        })
    }

    /// Waits for the next connection. Cancel safe.
    ///
    /// # Errors
    ///
    /// `ConnectionAborted` concerns one connection only; others say that the system cannot take
    /// one now.
    pub async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match &self.kind {
            Kind::Tcp(tcp) => {
                let (stream, address) = tcp.accept().await?;
                // It fails only if the peer is gone again, which says nothing about the listener.
                let socket = Socket::from_tcp(stream)
                    .map_err(|error| io::Error::new(io::ErrorKind::ConnectionAborted, error))?;
                Ok((socket, Peer::Tcp(address)))
            }
            Kind::Unix(unix, _) => {
                let (stream, _) = unix.accept().await?;
                Ok((Socket::from_unix(stream), Peer::Unix))
            }
        }
    }

    /// The address that was really bound; none for a unix socket.
    ///
    /// # Errors
    ///
    /// Never, as far as anybody knows.
    pub fn tcp_address(&self) -> io::Result<Option<SocketAddr>> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.local_addr().map(Some),
            Kind::Unix(..) => Ok(None),
        }
    }

    /// The port that was really bound; none for a unix socket.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.tcp_address().ok().flatten().map(|address| address.port())
    }

    /// The address as logged: `127.0.0.1:4151`, `/run/nsqd.sock`.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.kind {
            Kind::Tcp(tcp) => {
                tcp.local_addr().map_or_else(|error| error.to_string(), |it| it.to_string())
            }
            Kind::Unix(_, SocketFile(path)) => path.display().to_string(),
        }
    }
}

async fn bind_unix(path: PathBuf) -> io::Result<Kind> {
    if is_abandoned(&path).await {
        std::fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    Ok(Kind::Unix(listener, SocketFile(path)))
}

/// Whether a daemon that was killed has left its socket there. Go NSQ does not start then.
async fn is_abandoned(path: &Path) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    is_socket
        && UnixStream::connect(path)
            .await
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_goes_with_its_listener_and_an_abandoned_one_is_replaced() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("nsqd.sock");
        let text = path.to_str().expect("plain characters");
        let listener = Listener::bind(text).await.expect("it is free");
        assert_eq!((listener.address().as_str(), listener.port()), (text, None));
        let taken = Listener::bind(text).await.expect_err("somebody listens");
        let expected = format!("listen ({text}) failed - listen unix {text}: bind: ");
        assert_eq!(taken.to_string(), format!("{expected}address already in use"));
        drop(listener);
        assert!(!path.exists());

        // As if killed: the file stays, nobody listens.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("it is free"));
        assert!(path.exists());
        let listener = Listener::bind(text).await.expect("it was abandoned");
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
        connected.expect("somebody listens");
        assert_eq!(accepted.expect("a connection").1, Peer::Unix);
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("precious");
        std::fs::write(&path, "text").expect("a file");
        Listener::bind(path.to_str().expect("plain characters")).await.expect_err("it is a file");
        assert_eq!(std::fs::read(&path).expect("it is still there"), b"text");
    }
}
