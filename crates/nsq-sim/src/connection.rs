//! A blocking connection to a daemon.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nsq_proto::{DecodedFrame, Frame, FrameDecoder};

use crate::command;

/// Frames beyond this size are not expected.
const MAX_FRAME_BYTES: u32 = 16 << 20;
const READ_BYTES: usize = 64 << 10;
/// How long an answer may take: only a daemon that is stuck needs it.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a daemon sent, other than heartbeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// `OK` or another response.
    Response(Vec<u8>),
    /// `E_…` and why.
    Error(String),
    /// A message.
    Message(Message),
}

/// A message as it was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id, 16 characters.
    pub id: String,
    /// Which delivery this is.
    pub attempts: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// A client's connection, identified.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// How much of the input was taken.
    taken: usize,
}

impl Connection {
    /// Connects and identifies.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let mut connection = Self { stream, input: Vec::new(), taken: 0 };
        connection.send(command::MAGIC)?;
        match connection.ask(&command::identify("{\"client_id\":\"sim\"}"))? {
            Received::Response(ok) if ok == b"OK" => Ok(connection),
            other => Err(io::Error::other(format!("IDENTIFY was answered with {other:?}"))),
        }
    }

    /// Writes `bytes`.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a command and waits for what comes next.
    pub fn ask(&mut self, command: &[u8]) -> io::Result<Received> {
        self.send(command)?;
        self.answer()
    }

    /// Waits for what comes next.
    pub fn answer(&mut self) -> io::Result<Received> {
        self.receive(PATIENCE)?.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }

    /// What comes within `time`, if anything does. Heartbeats are answered.
    pub fn receive(&mut self, time: Duration) -> io::Result<Option<Received>> {
        let deadline = Instant::now() + time;
        loop {
            match self.take_frame()? {
                Some(Received::Response(text)) if text == b"_heartbeat_" => self.send(b"NOP\n")?,
                Some(received) => return Ok(Some(received)),
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if !self.read(left)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// What has come already, if anything has.
    pub fn take_frame(&mut self) -> io::Result<Option<Received>> {
        let rest = self.input.get(self.taken..).unwrap_or_default();
        let decoded = FrameDecoder::new(MAX_FRAME_BYTES).next(rest).map_err(io::Error::other)?;
        let DecodedFrame::Frame { frame, used } = decoded else { return Ok(None) };
        let received = match frame {
            Frame::Response(data) => Received::Response(data.to_vec()),
            Frame::Error(data) => Received::Error(String::from_utf8_lossy(data).into_owned()),
            Frame::Message(message) => Received::Message(Message {
                id: String::from_utf8_lossy(&message.id.0).into_owned(),
                attempts: message.attempts,
                body: message.body.to_vec(),
            }),
        };
        self.taken += used;
        Ok(Some(received))
    }

    /// Reads what comes within `time`; false when nothing does.
    fn read(&mut self, time: Duration) -> io::Result<bool> {
        self.input.drain(..self.taken);
        self.taken = 0;
        self.stream.set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.input[before..]);
        self.input.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}
