//! A connected socket, of either kind.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::time::{Duration, Sleep, sleep, timeout};

use crate::{Address, Peer};

/// The bytes of one connection, as the system has them.
#[derive(Debug)]
pub struct Socket {
    kind: Kind,
    /// What was read already, by somebody who looked ahead; it comes first.
    ahead: Bytes,
    /// When reading ends with an error, during a handshake.
    deadline: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Connects. Names are resolved each time, so that somebody who moved is found again.
    ///
    /// # Errors
    ///
    /// When nobody answers within `patience`, looking up the name included, or refuses.
    pub async fn connect(address: &Address, patience: Duration) -> io::Result<Self> {
        let connecting = async {
            match address {
                Address::Tcp(address) => Self::from_tcp(TcpStream::connect(address).await?),
                Address::Unix(path) => Ok(Self::from_unix(UnixStream::connect(path).await?)),
            }
        };
        timeout(patience, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// The same over TCP, from an address of this machine.
    ///
    /// # Errors
    ///
    /// Also when that address cannot be used, and when `to` is no address of its kind.
    pub async fn connect_from(from: SocketAddr, to: &str, patience: Duration) -> io::Result<Self> {
        let connecting = async {
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for to in lookup_host(to).await?.filter(|to| to.is_ipv4() == from.is_ipv4()) {
                let socket =
                    if from.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.bind(from)?;
                match socket.connect(to).await {
                    Ok(tcp) => return Self::from_tcp(tcp),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        timeout(patience, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// A socket over a connection of TCP; small writes are not held back.
    ///
    /// # Errors
    ///
    /// When the connection is gone again.
    pub fn from_tcp(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(Self { kind: Kind::Tcp(tcp), ahead: Bytes::new(), deadline: None })
    }

    /// A socket over a connection within this machine.
    #[must_use]
    pub fn from_unix(unix: UnixStream) -> Self {
        Self { kind: Kind::Unix(unix), ahead: Bytes::new(), deadline: None }
    }

    /// The TCP connection, if it is one.
    #[must_use]
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.kind {
            Kind::Tcp(tcp) => Some(tcp),
            Kind::Unix(_) => None,
        }
    }

    /// The two ends, as an error of Go's has them: `127.0.0.1:4150->127.0.0.1:51234`.
    pub(crate) fn ends(&self) -> String {
        let Kind::Tcp(tcp) = &self.kind else { return "@".to_owned() };
        let end = |address: io::Result<_>| address.map_or_else(|_| "?".to_owned(), show);
        format!("{}->{}", end(tcp.local_addr()), end(tcp.peer_addr()))
    }

    /// Gives bytes back that were read and belong to whoever reads next.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        debug_assert!(self.ahead.is_empty(), "only one looks ahead");
        self.ahead = bytes;
    }

    /// The next byte, which is not taken; none if the other side has ended.
    pub(crate) fn poll_peek(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<u8>>> {
        if self.ahead.is_empty() {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            ready!(Pin::new(&mut *self).poll_read(context, &mut buffer))?;
            self.ahead = Bytes::copy_from_slice(buffer.filled());
        }
        Poll::Ready(Ok(self.ahead.first().copied()))
    }

    /// From now on reading may wait for so long in all.
    pub(crate) fn expect_within(&mut self, patience: Duration) {
        self.deadline = Some(Box::pin(sleep(patience)));
    }

    /// Reading may wait for ever again.
    pub(crate) fn expect_whenever(&mut self) {
        self.deadline = None;
    }

    /// Ready when bytes, the end or an error can be read.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match &self.kind {
            Kind::Tcp(tcp) => tcp.poll_read_ready(context),
            Kind::Unix(unix) => unix.poll_read_ready(context),
        }
    }

    /// Ready when bytes can be written, or writing would fail.
    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.kind {
            Kind::Tcp(tcp) => tcp.poll_write_ready(context),
            Kind::Unix(unix) => unix.poll_write_ready(context),
        }
    }
}

fn show(address: std::net::SocketAddr) -> String {
    Peer::Tcp(address).to_string()
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(self.ahead.get(..count).unwrap_or_default());
            self.ahead.advance(count);
            return Poll::Ready(Ok(()));
        }
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        match &mut self.kind {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Kind::Unix(unix) => Pin::new(unix).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Kind::Unix(unix) => Pin::new(unix).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(context, slices),
            Kind::Unix(unix) => Pin::new(unix).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The system keeps nothing back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Kind::Unix(unix) => Pin::new(unix).poll_shutdown(context),
        }
    }
}
