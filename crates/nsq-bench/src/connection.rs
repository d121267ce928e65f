//! `Connection`: a blocking protocol connection to the daemon under test.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{self, Identify};
use crate::frame_buffer::{Frame, FrameBuffer};
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
    stream: TcpStream,
    frames: FrameBuffer,
    patience: Duration,
}

impl Connection {
    /// Connects and identifies. `patience` bounds every later wait without progress.
    pub(crate) fn open(
        address: &str,
        identify: &Identify,
        buffer_bytes: usize,
        patience: Duration,
    ) -> Result<Self> {
        let frames = FrameBuffer::new(Transport::Tcp, buffer_bytes);
        let mut connection = Self::connect(address, frames, patience)?;
        let mut hello = command::MAGIC.to_vec();
        hello.extend_from_slice(&command::identify(identify));
        connection.send(&hello)?;
        connection.await_ok().context("IDENTIFY")?;
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
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Self { stream, frames, patience })
    }

    /// Subscribes to a channel; the ready count stays 0.
    pub(crate) fn subscribe(&mut self, topic: &str, channel: &str) -> Result<()> {
        self.send(&command::subscribe(topic, channel))?;
        self.await_ok().with_context(|| format!("SUB {topic} {channel}"))
    }

    /// Writes all of `bytes`, or fails when nothing could be written for the patience.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        let mut stuck_since: Option<Instant> = None;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    stuck_since = None;
                }
                Err(error) if is_temporary(&error) => {
                    let since = *stuck_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > self.patience {
                        bail!("nsqd took no bytes for {:?}", self.patience);
                    }
                }
                Err(error) => return Err(self.reason_of(error)),
            }
        }
        Ok(())
    }

    /// Reads once, for at most a tick.
    pub(crate) fn receive(&mut self) -> Result<Received> {
        match self.stream.read(self.frames.space()) {
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
        match self.stream.shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() != ErrorKind::NotConnected => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// From now on [`receive`](Self::receive) returns at once.
    pub(crate) fn set_nonblocking(&mut self) -> Result<()> {
        Ok(self.stream.set_nonblocking(true)?)
    }

    /// A second handle for writing, for a caller that writes and reads on different threads.
    pub(crate) fn writer(&self) -> Result<TcpStream> {
        let writer = self.stream.try_clone()?;
        writer.set_write_timeout(Some(self.patience))?;
        Ok(writer)
    }

    /// The socket, to wait for bytes on several connections at once.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// How long a wait without progress may last.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    fn await_ok(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            while let Some(event) = self.next_event()? {
                match event {
                    Event::Ok => return Ok(()),
                    Event::Heartbeat => {}
                    other => bail!("unexpected {other:?} instead of OK"),
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
pub(crate) fn connect(address: &str) -> Result<TcpStream> {
    let mut last_error = anyhow!("no address found");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, CONNECT_TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last_error = error.into(),
        }
    }
    Err(last_error)
}

fn is_temporary(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
