//! One connection's bytes, with whatever its client and we have agreed to put around them.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::time::timeout;
use tokio_rustls::{TlsStream, rustls};
use tokio_util::io::poll_read_buf;

use crate::incoming::HANDSHAKE;
use crate::{Codec, Decoded};
use crate::{Socket, TlsClient, TlsFacts, TlsServer};

/// In Go's words.
const NO_HANDSHAKE: &str = "tls: first record does not look like a TLS handshake";
/// What is read of a compressed stream at a time.
const CODED_READ_BYTES: usize = 16 << 10;
/// What is encoded at a time: then the peer takes it, before there is more.
const PLAIN_WRITE_BYTES: usize = 64 << 10;
/// A buffer for encoded bytes that is larger than this is not kept.
const KEPT_BYTES: usize = 4 << 10;

/// A connected byte stream.
///
/// ```text
/// socket ── or TLS over it ── or snappy or deflate over that ── plain bytes
/// ```
///
/// Whether it can be read is asked before a buffer is needed, so that an idle connection owns none.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    coded: Option<Box<Coded>>,
}

#[derive(Debug)]
enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// In the middle of a handshake that nobody waits for any more.
    Lost,
}

/// Compression, and the bytes on their way through it.
#[derive(Debug)]
struct Coded {
    codec: Codec,
    /// Encoded bytes that came.
    input: BytesMut,
    /// There is more to decode in what came.
    has_more: bool,
    /// The last byte of the stream has come.
    has_ended: bool,
    /// What came could not be decoded. What still comes is thrown away: it is only read so that it
    /// cannot destroy what was written.
    is_broken: bool,
    /// Encoded bytes to be written, from `written` on.
    output: Vec<u8>,
    written: usize,
}

impl Stream {
    /// A stream of plain bytes.
    #[must_use]
    pub fn new(socket: Socket) -> Self {
        Self { transport: Transport::Plain(socket), coded: None }
    }

    /// Waits for a handshake of TLS, of which the bytes `ahead` have come already, for as long as
    /// `patience` lasts.
    ///
    /// # Errors
    ///
    /// When it fails. What is written then is plain, if the connection still is of use. If the
    /// handshake is not waited for to its end, the connection is closed.
    pub async fn start_tls(
        &mut self,
        tls: &TlsServer,
        ahead: Bytes,
        patience: Duration,
    ) -> Result<TlsFacts, TlsFailed> {
        let mut socket = match std::mem::replace(&mut self.transport, Transport::Lost) {
            Transport::Plain(socket) => socket,
            other => {
                self.transport = other;
                return Err(TlsFailed::Protocol("TLS is spoken already".to_owned()));
            }
        };
        socket.put_back(ahead);
        socket.expect_within(patience);
        let first = match poll_fn(|context| socket.poll_peek(context)).await {
            Ok(first) => first,
            Err(error) => {
                socket.expect_whenever();
                self.transport = Transport::Plain(socket);
                return Err(TlsFailed::Io(error));
            }
        };
        // Seen before TLS answers with an alert, which nobody could read who speaks plain text.
        if first.is_some_and(|first| first != HANDSHAKE) {
            socket.expect_whenever();
            self.transport = Transport::Plain(socket);
            return Err(TlsFailed::Protocol(NO_HANDSHAKE.to_owned()));
        }
        match tls.acceptor().accept(socket).into_fallible().await {
            Ok(mut stream) => {
                stream.get_mut().0.expect_whenever();
                let facts = TlsFacts::of(&stream);
                self.transport = Transport::Tls(Box::new(stream.into()));
                Ok(facts)
            }
            Err((error, mut socket)) => {
                socket.expect_whenever();
                self.transport = Transport::Plain(socket);
                Err(TlsFailed::of(error))
            }
        }
    }

    /// Begins TLS as the side that sees a certificate, with `host`, a name or an address without
    /// port. Nothing may have come ahead.
    ///
    /// # Errors
    ///
    /// When the server is not who it must be, or does not finish the handshake within `patience`.
    /// The connection is closed then.
    pub async fn start_tls_as_client(
        &mut self,
        tls: &TlsClient,
        host: &str,
        patience: Duration,
    ) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.transport, Transport::Lost) {
            Transport::Plain(socket) => socket,
            other => {
                self.transport = other;
                return Err(io::Error::other("TLS is spoken already"));
            }
        };
        let stream = timeout(patience, tls.connect(host, socket)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        self.transport = Transport::Tls(Box::new(stream.into()));
        Ok(())
    }

    /// Compresses from here on, in both directions. The bytes `ahead` have come already.
    pub fn start_codec(&mut self, codec: Codec, ahead: &[u8]) {
        self.coded = Some(Box::new(Coded {
            codec,
            input: BytesMut::from(ahead),
            has_more: !ahead.is_empty(),
            has_ended: false,
            is_broken: false,
            output: Vec::new(),
            written: 0,
        }));
    }

    /// Gives memory back that a connection on which nothing is written need not own.
    pub fn release(&mut self) {
        if let Some(coded) = &mut self.coded {
            coded.codec.release();
        }
    }

    /// The two ends, as an error of Go's has them: `127.0.0.1:4150->127.0.0.1:51234`.
    #[must_use]
    pub fn ends(&self) -> String {
        match &self.transport {
            Transport::Plain(socket) => socket.ends(),
            Transport::Tls(stream) => stream.get_ref().0.ends(),
            Transport::Lost => String::new(),
        }
    }

    /// Ready when bytes, the end or an error can be read; perhaps also without, once.
    pub fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.coded.as_ref().is_some_and(|coded| coded.has_more || coded.has_ended) {
            return Poll::Ready(Ok(()));
        }
        self.transport.poll_readable(context)
    }

    /// Ready when bytes can be written, or writing would fail.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.transport {
            Transport::Plain(socket) => socket.poll_writable(context),
            Transport::Tls(stream) => stream.get_ref().0.poll_writable(context),
            Transport::Lost => Poll::Ready(Ok(())),
        }
    }

    /// Reads once into the free capacity of `buffer`, which must have some; what was compressed
    /// may be a chunk more. 0 is the end.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match &mut self.coded {
            None => self.transport.poll_read(context, buffer),
            Some(coded) => coded.poll_read(&mut self.transport, context, buffer),
        }
    }

    /// Takes what the peer, or a buffer of a bounded size, takes at once. What is buffered must be
    /// flushed.
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.coded {
            None => self.transport.poll_write(context, bytes),
            Some(coded) => coded.poll_write(&mut self.transport, context, bytes),
        }
    }

    /// Whether there is something to flush.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        let is_coded = self.coded.as_ref().is_some_and(|coded| coded.written < coded.output.len());
        is_coded || matches!(&self.transport, Transport::Tls(tls) if tls.get_ref().1.wants_write())
    }

    /// Gives the peer what was kept back.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(coded) = &mut self.coded {
            ready!(coded.poll_flush(&mut self.transport, context))?;
        }
        match &mut self.transport {
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            Transport::Plain(_) | Transport::Lost => Poll::Ready(Ok(())),
        }
    }

    /// Says that no more is written.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
            Transport::Lost => Poll::Ready(Ok(())),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    ///
    /// When the peer is gone.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = poll_fn(|context| self.poll_write(context, bytes)).await?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(count..).unwrap_or_default();
        }
        poll_fn(|context| self.poll_flush(context)).await
    }
}

impl Transport {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => socket.poll_readable(context),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                // What was decrypted already is not seen at the socket.
                if session.wants_read() {
                    socket.poll_readable(context)
                } else {
                    Poll::Ready(Ok(()))
                }
            }
            Self::Lost => Poll::Ready(Ok(())),
        }
    }

    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => poll_read_buf(Pin::new(socket), context, buffer),
            Self::Tls(stream) => poll_read_buf(Pin::new(stream.as_mut()), context, buffer),
            Self::Lost => Poll::Ready(Ok(0)),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Self::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Coded {
    fn poll_read(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.len();
        let limit = buffer.capacity() - before;
        loop {
            if self.has_ended {
                return Poll::Ready(Ok(0));
            }
            if self.is_broken {
                self.input.clear();
                self.input.reserve(CODED_READ_BYTES);
                return transport.poll_read(context, &mut self.input);
            }
            let decoded = self.codec.decode(&mut self.input, buffer, limit);
            self.is_broken = decoded.is_err();
            let decoded = decoded?;
            self.has_more = decoded == Decoded::More;
            self.has_ended = decoded == Decoded::End;
            if self.input.is_empty() {
                self.input = BytesMut::new();
            }
            if buffer.len() > before {
                return Poll::Ready(Ok(buffer.len() - before));
            }
            if decoded == Decoded::NeedsInput {
                self.input.reserve(CODED_READ_BYTES);
                if ready!(transport.poll_read(context, &mut self.input))? == 0 {
                    self.has_ended = true;
                }
            }
        }
    }

    fn poll_write(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(transport, context))?;
        let bytes = bytes.get(..PLAIN_WRITE_BYTES).unwrap_or(bytes);
        self.codec.encode(bytes, &mut self.output);
        // What the peer does not take now, it takes with the next write or flush.
        match self.poll_flush(transport, context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(
        &mut self,
        transport: &mut Transport,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(transport.poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.written = 0;
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        Poll::Ready(Ok(()))
    }
}

/// Why there is no TLS with a client.
#[derive(Debug, thiserror::Error)]
pub enum TlsFailed {
    /// The connection failed.
    #[error("{0}")]
    Io(io::Error),
    /// The client broke the rules of TLS, or we cannot agree.
    #[error("{0}")]
    Protocol(String),
}

impl TlsFailed {
    fn of(error: io::Error) -> Self {
        use rustls::InvalidMessage;
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            None => Self::Io(error),
            // In Go's words, which clients may look for.
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType
                | InvalidMessage::UnknownProtocolVersion
                | InvalidMessage::MessageTooLarge,
            )) => Self::Protocol(NO_HANDSHAKE.to_owned()),
            Some(error) => Self::Protocol(format!("tls: {error}")),
        }
    }
}
