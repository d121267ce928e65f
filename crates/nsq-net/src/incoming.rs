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

/// What a listener expects of those who connect.
#[derive(Clone, Debug, Default)]
pub enum Door {
    /// Plain text.
    #[default]
    Plain,
    /// TLS or plain text, told apart by the first byte.
    Either(Arc<TlsServer>),
    /// TLS. Others are told so, in these bytes, and closed.
    Tls(Arc<TlsServer>, Refusal),
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
            Self::Tls(_, refusal) => State::Refusing(socket, refusal.to(first)),
            Self::Plain | Self::Either(_) => State::Plain(socket),
        }
    }
}

/// What somebody is told who speaks plain text where only TLS is spoken.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// These bytes,
    pub text: &'static [u8],
    /// if the first one that came is among these, or these are none; others get nothing.
    pub first_bytes: &'static [u8],
}

impl Refusal {
    fn to(self, first: Option<u8>) -> &'static [u8] {
        let known = self.first_bytes;
        let is_understood = first.is_some_and(|it| known.is_empty() || known.contains(&it));
        if is_understood { self.text } else { &[] }
    }
}

/// ```text
/// Looking ──0x16──> Shaking ──> Tls
///    │                 └─failed─> Over
///    └────other──> Plain, or Refusing ──> Over
/// ```
enum State {
    Looking(Socket),
    Shaking(Box<FallibleAccept<Socket>>),
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    Refusing(Socket, &'static [u8]),
    /// The reason was told. What still comes is thrown away: closing with input unread would
    /// destroy our last words, an alert or a refusal, on their way.
    Over(Socket),
    /// In the middle of a step.
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
                State::Over(_) | State::Ended => {
                    return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
                }
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
                        Err((error, mut socket)) => {
                            socket.expect_whenever();
                            self.state = over(socket, context);
                            return Poll::Ready(Err(error));
                        }
                    };
                }
                State::Refusing(socket, refusal) => {
                    let count = match refusal.is_empty() {
                        true => 0,
                        false => ready!(Pin::new(socket).poll_write(context, refusal))?,
                    };
                    *refusal = refusal.get(count..).unwrap_or_default();
                    if refusal.is_empty() || count == 0 {
                        self.end_refusal(context);
                        let text = "plain text where only TLS is spoken";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                    }
                }
            }
        }
    }

    fn end_refusal(&mut self, context: &mut Context<'_>) {
        if let State::Refusing(socket, _) = self.take() {
            self.state = over(socket, context);
        }
    }

    fn take(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ended)
    }
}

/// Says that no more is written, so that the other side sees the end of it.
fn over(mut socket: Socket, context: &mut Context<'_>) -> State {
    match Pin::new(&mut socket).poll_shutdown(context) {
        // The other side may be gone already.
        Poll::Ready(Ok(()) | Err(_)) | Poll::Pending => State::Over(socket),
    }
}

/// Throws away what comes, to its end.
fn poll_drain(socket: &mut Socket, context: &mut Context<'_>) -> Poll<io::Result<()>> {
    let mut unwanted = [0; 4096];
    loop {
        let mut buffer = ReadBuf::new(&mut unwanted);
        ready!(Pin::new(&mut *socket).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
    }
}

/// After a handshake that failed, or plain text that was refused, there is an error once; then
/// nothing comes but the end, when the other side is done.
impl AsyncRead for Incoming {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let State::Over(socket) = &mut self.state {
            return poll_drain(socket, context);
        }
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
            State::Plain(socket)
            | State::Looking(socket)
            | State::Refusing(socket, _)
            | State::Over(socket) => Pin::new(socket).poll_shutdown(context),
            State::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            State::Shaking(_) | State::Ended => Poll::Ready(Ok(())),
        }
    }
}
