//! A connection that has just come, and may or may not speak TLS.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::FallibleAccept;
use tokio_rustls::server::TlsStream;

use crate::{Socket, TlsServer};

/// The first byte of every handshake. No protocol of NSQ begins with it, and no request of HTTP.
pub(crate) const HANDSHAKE: u8 = 0x16;

/// How long a handshake may take, once it has begun.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long somebody who was refused may take to close.
const LINGER: Duration = Duration::from_millis(500);

/// What a listener expects of those who connect.
#[derive(Clone, Debug, Default)]
pub enum Door {
    /// Plain text.
    #[default]
    Plain,
    /// TLS or plain text, told apart by the first byte.
    Either(Arc<TlsServer>),
    /// TLS. Others are told so, in these bytes, and closed.
    Tls(Arc<TlsServer>, &'static [u8]),
}

/// The bytes of one connection. The handshake is part of the first read, so that nobody waits for
/// it who accepts connections.
pub struct Incoming {
    door: Door,
    state: State,
}

impl Door {
    /// What becomes of a connection that begins like this.
    fn opened(&self, mut socket: Socket, first: Option<u8>) -> State {
        match self {
            Self::Either(tls) | Self::Tls(tls, _) if first == Some(HANDSHAKE) => {
                socket.expect_within(HANDSHAKE_TIMEOUT);
                State::Shaking(Box::new(tls.acceptor().accept(socket).into_fallible()))
            }
            Self::Tls(_, refusal) => {
                // Nothing is said to somebody who does not even speak a protocol of text.
                let is_text = first.is_some_and(|first| first.is_ascii_uppercase());
                State::Refusing(socket, if is_text { refusal } else { &[] })
            }
            Self::Plain | Self::Either(_) => State::Plain(socket),
        }
    }
}

/// ```text
/// Looking ──0x16──> Shaking ──> Tls
///    └────other──> Plain, or Refusing ──> Lingering ──> Ended
/// ```
enum State {
    Looking(Socket),
    Shaking(Box<FallibleAccept<Socket>>),
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    Refusing(Socket, &'static [u8]),
    Lingering(Socket),
    Ended,
}

impl Incoming {
    /// A connection that came in by this door.
    #[must_use]
    pub fn new(socket: Socket, door: Door) -> Self {
        let state = match door {
            Door::Plain => State::Plain(socket),
            Door::Either(_) | Door::Tls(..) => State::Looking(socket),
        };
        Self { door, state }
    }

    /// Ready when bytes can go either way.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.state {
                State::Plain(_) | State::Tls(_) => return Poll::Ready(Ok(())),
                State::Ended => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                State::Looking(socket) => {
                    let first = ready!(socket.poll_peek(context))?;
                    let State::Looking(socket) = self.take() else { unreachable!() };
                    self.state = self.door.opened(socket, first);
                }
                State::Shaking(accept) => {
                    let shaken = ready!(Pin::new(accept.as_mut()).poll(context));
                    self.state = match shaken {
                        Ok(mut stream) => {
                            stream.get_mut().0.expect_whenever();
                            State::Tls(Box::new(stream))
                        }
                        Err((error, _)) => {
                            self.state = State::Ended;
                            return Poll::Ready(Err(error));
                        }
                    };
                }
                State::Refusing(socket, refusal) if !refusal.is_empty() => {
                    let count = ready!(Pin::new(socket).poll_write(context, refusal))?;
                    if count == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    *refusal = refusal.get(count..).unwrap_or_default();
                }
                State::Refusing(socket, _) => {
                    ready!(Pin::new(socket).poll_shutdown(context))?;
                    let State::Refusing(mut socket, _) = self.take() else { unreachable!() };
                    socket.expect_within(LINGER);
                    self.state = State::Lingering(socket);
                }
                // What comes unread would destroy what was written.
                State::Lingering(socket) => {
                    let mut unwanted = [0; 1024];
                    let mut buffer = ReadBuf::new(&mut unwanted);
                    ready!(Pin::new(socket).poll_read(context, &mut buffer))?;
                    if buffer.filled().is_empty() {
                        self.state = State::Ended;
                    }
                }
            }
        }
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ended)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_open(context))?;
        match &mut self.state {
            State::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            _ => unreachable!("it is open"),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        match &mut self.state {
            State::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            _ => unreachable!("it is open"),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_open(context))?;
        match &mut self.state {
            State::Plain(socket) => Pin::new(socket).poll_write_vectored(context, slices),
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(context, slices),
            _ => unreachable!("it is open"),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Plain(socket) | State::Looking(socket) | State::Refusing(socket, _) => {
                Pin::new(socket).poll_shutdown(context)
            }
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            State::Shaking(_) | State::Lingering(_) | State::Ended => Poll::Ready(Ok(())),
        }
    }
}
