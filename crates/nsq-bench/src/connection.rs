//! `Connection`: a blocking protocol connection to the daemon under test.

use std::io::{ErrorKind, Read};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::command::{self, Identify};
use crate::frame_buffer::{Frame, FrameBuffer};
use crate::layered::{IncomingLayers, OutgoingLayers};
use crate::layers::Layers;
use crate::packer::{Packer, Unpacker};
use crate::publish_block::PublishBlock;
use crate::socket::{is_temporary, write_all};
use crate::tls::TlsSession;
use crate::transport::Transport;

/// How long a read or write blocks before the caller may look whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// Limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The daemon's sign that it wants to see a NOP.
const HEARTBEAT: &[u8] = b"_heartbeat_";

/// Outcome of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Bytes came; frames may be whole now.
    Bytes,
    /// Nothing came for one tick.
    Nothing,
    /// The daemon closed the connection.
    End,
}

/// A frame of interest, after heartbeats and errors were sorted out by [`sort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Ok,
    Heartbeat,
    Response(&'a [u8]),
    Message {
        attempts: u16,
        id: &'a [u8; 16],
        body: &'a [u8],
    },
    /// A FIN that came too late; the one error a benchmark survives.
    FinishFailed(&'a [u8]),
}

/// One connection, identified and ready for commands.
pub(crate) struct Connection {
    stream: Socket,
    frames: FrameBuffer,
    /// What bytes go through on their way; none between commands and socket when plain.
    outgoing: Option<Box<OutgoingLayers>>,
    incoming: Option<Box<IncomingLayers>>,
    patience: Duration,
}

/// The writing half of a connection, for a caller that writes and reads on different threads.
pub(crate) struct CommandWriter {
    stream: Socket,
    layers: Option<Box<OutgoingLayers>>,
    patience: Duration,
}

impl CommandWriter {
    /// Writes all of `bytes`, or fails when nothing could be written for the patience.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.layers {
            None => write_all(&self.stream, bytes, self.patience)?,
            Some(layers) => layers.send(&self.stream, bytes, self.patience)?,
        }
        Ok(())
    }
}

impl Connection {
    /// Connects, identifies and puts the layers in place.
    ///
    /// `patience` bounds every later wait without progress.
    pub(crate) fn open(
        address: &str,
        identify: &Identify,
        layers: &Layers,
        buffer_bytes: usize,
        patience: Duration,
    ) -> Result<Self> {
        let frames = FrameBuffer::new(Transport::Tcp, buffer_bytes);
        let mut connection = Self::connect(address, frames, patience)?;
        let mut hello = command::MAGIC.to_vec();
        let wishes = layers.wishes();
        let identify = Identify { wishes: wishes.clone(), ..identify.clone() };
        hello.extend_from_slice(&command::identify(&identify));
        connection.send(&hello)?;
        let Some(wishes) = wishes else {
            connection.await_ok().context("IDENTIFY")?;
            return Ok(connection);
        };
        let answer = connection.await_answer(|event| match event {
            Event::Response(answer) => wishes.check(answer),
            Event::Ok => wishes.check(b"OK"),
            other => bail!("unexpected {other:?} instead of the negotiated features"),
        });
        answer.context("IDENTIFY")?;
        connection.put_in_place(layers, address)?;
        Ok(connection)
    }

    /// Connects to the HTTP address: HTTP requests are its commands, their answers its frames.
    pub(crate) fn open_http(
        address: &str,
        buffer_bytes: usize,
        patience: Duration,
    ) -> Result<Self> {
        Self::connect(address, FrameBuffer::new(Transport::Http, buffer_bytes), patience)
    }

    fn connect(address: &str, frames: FrameBuffer, patience: Duration) -> Result<Self> {
        let stream = connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Self { stream, frames, outgoing: None, incoming: None, patience })
    }

    /// nsqd confirms each layer with an `OK` that is the first thing inside of it.
    fn put_in_place(&mut self, layers: &Layers, address: &str) -> Result<()> {
        let mut outgoing = OutgoingLayers::default();
        if let Some(config) = &layers.tls {
            ensure!(self.frames.take_rest().is_empty(), "nsqd did not wait for the handshake");
            let session = TlsSession::open(config, &self.stream, address, self.patience)
                .context("TLS handshake")?;
            outgoing.tls = Some(session);
        }
        let mut incoming = Box::new(IncomingLayers::new(outgoing.tls.clone()));
        if layers.tls.is_some() {
            self.incoming = Some(incoming);
            self.await_ok().context("inside of TLS")?;
            incoming = self.incoming.take().context("it was put there")?;
        }
        let mut preamble: &[u8] = b"";
        if let Some(compression) = layers.compression {
            incoming.add_unpacker(Unpacker::new(compression), &self.frames.take_rest());
            let packer = Packer::new(compression);
            preamble = packer.preamble();
            outgoing.packer = Some(packer);
        }
        self.incoming = Some(incoming);
        if layers.compression.is_some() {
            self.await_ok().context("inside of the compression")?;
        }
        outgoing.send_packed(&self.stream, preamble, self.patience)?;
        self.outgoing = Some(Box::new(outgoing));
        Ok(())
    }

    /// Subscribes to a channel; the ready count stays 0.
    pub(crate) fn subscribe(&mut self, topic: &str, channel: &str) -> Result<()> {
        self.send(&command::subscribe(topic, channel))?;
        self.await_ok().with_context(|| format!("SUB {topic} {channel}"))
    }

    /// Writes all of `bytes`, or fails when nothing could be written for the patience.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = match &mut self.outgoing {
            None => write_all(&self.stream, bytes, self.patience),
            Some(layers) => layers.send(&self.stream, bytes, self.patience),
        };
        sent.map_err(|error| self.reason_of(error))
    }

    /// Compresses blocks that will be written again and again with
    /// [`send_packed`](Self::send_packed); false when the connection has no compression.
    pub(crate) fn pack_ahead<'a>(
        &mut self,
        mut blocks: impl Iterator<Item = &'a mut PublishBlock>,
    ) -> bool {
        match &mut self.outgoing {
            None => false,
            Some(layers) => blocks.all(|block| layers.pack_ahead(block)),
        }
    }

    /// Like [`send`](Self::send), for bytes that were compressed ahead.
    pub(crate) fn send_packed(&mut self, bytes: &[u8]) -> Result<()> {
        let sent = match &self.outgoing {
            None => write_all(&self.stream, bytes, self.patience),
            Some(layers) => layers.send_packed(&self.stream, bytes, self.patience),
        };
        sent.map_err(|error| self.reason_of(error))
    }

    /// Reads once, for at most a tick.
    pub(crate) fn receive(&mut self) -> Result<Received> {
        let space = self.frames.space();
        let count = match &mut self.incoming {
            None => self.stream.read(space),
            Some(layers) => layers.receive(&self.stream, space),
        };
        match count {
            Ok(0) => Ok(Received::End),
            Ok(count) => {
                self.frames.filled(count);
                Ok(Received::Bytes)
            }
            Err(error) if is_temporary(&error) => Ok(Received::Nothing),
            Err(error) => Err(error).context("read from nsqd"),
        }
    }

    /// Takes the next event out of what was read; a fatal error frame becomes the error.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'_>>> {
        self.frames.next_frame()?.map(sort).transpose()
    }

    /// Says that no more commands will come; the daemon's frames can still be read.
    pub(crate) fn finish_sending(&mut self) -> Result<()> {
        if let Some(layers) = &self.outgoing {
            layers.finish_sending(&self.stream, self.patience)?;
        }
        match self.stream.shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != ErrorKind::NotConnected => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// From now on [`receive`](Self::receive) returns at once.
    pub(crate) fn set_nonblocking(&mut self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// Splits off the writing half; what is left of the connection must only be read from.
    pub(crate) fn writer(&mut self) -> Result<CommandWriter> {
        let stream = self.stream.try_clone()?;
        Ok(CommandWriter { stream, layers: self.outgoing.take(), patience: self.patience })
    }

    /// The socket, to wait for bytes on several connections at once.
    pub(crate) fn stream(&self) -> &Socket {
        &self.stream
    }

    /// Whether bytes may be at hand that waiting for the socket would not notice.
    pub(crate) fn has_more(&self) -> bool {
        self.incoming.as_ref().is_some_and(|layers| layers.has_more())
    }

    /// How long a wait without progress may last.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    fn await_ok(&mut self) -> Result<()> {
        self.await_answer(|event| match event {
            Event::Ok => Ok(()),
            other => bail!("unexpected {other:?} instead of OK"),
        })
    }

    fn await_answer(&mut self, take: impl FnOnce(Event<'_>) -> Result<()>) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            while let Some(event) = self.next_event()? {
                if event != Event::Heartbeat {
                    return take(event);
                }
            }
            if self.receive()? == Received::End {
                bail!("nsqd closed the connection");
            }
            if Instant::now() > deadline {
                bail!("no answer for {:?}", self.patience);
            }
        }
    }

    /// A failed write usually follows an error frame that nobody has read yet: find it.
    fn reason_of(&mut self, write_error: std::io::Error) -> anyhow::Error {
        for _ in 0..10 {
            let received = self.receive();
            loop {
                match self.next_event() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => return error,
                }
            }
            if !matches!(received, Ok(Received::Bytes)) {
                break;
            }
        }
        anyhow::Error::from(write_error).context("write to nsqd")
    }
}

/// Turns a frame into an event, fatal error frames into an error with their text.
fn sort(frame: Frame<'_>) -> Result<Event<'_>> {
    match frame {
        Frame::Response(b"OK") => Ok(Event::Ok),
        Frame::Response(HEARTBEAT) => Ok(Event::Heartbeat),
        Frame::Response(data) => Ok(Event::Response(data)),
        Frame::Message { attempts, id, body } => Ok(Event::Message { attempts, id, body }),
        Frame::Error(text) if text.starts_with(b"E_FIN_FAILED") => Ok(Event::FinishFailed(text)),
        Frame::Error(text) => Err(anyhow!("nsqd answered {}", String::from_utf8_lossy(text))),
    }
}

/// Connects to the first address that answers.
pub(crate) fn connect(address: &str) -> Result<Socket> {
    if is_unix(address) {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.connect(&SockAddr::unix(address)?)?;
        return Ok(socket);
    }
    let mut last_error = anyhow!("no address found");
    for candidate in address.to_socket_addrs()? {
        let socket = Socket::new(Domain::for_address(candidate), Type::STREAM, None)?;
        match socket.connect_timeout(&candidate.into(), CONNECT_TIMEOUT) {
            Ok(()) => {
                socket.set_tcp_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last_error = error.into(),
        }
    }
    Err(last_error)
}

/// Whether it is the path of a unix socket: what is no `<host>:<port>`.
pub(crate) fn is_unix(address: &str) -> bool {
    address.contains('/') || !address.contains(':')
}
