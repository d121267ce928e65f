//! The bytes of one connection: frames in, commands out, and the watch over both.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use nsq_net::{Codec, Stream};
use nsq_proto::{DecodedFrame, Frame, FrameDecoder, MessageId};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::Config;

/// The largest frame that is taken from a daemon that has no messages for us.
const ANSWER_BYTES_MAX: u32 = 1 << 20;
/// The largest frame that is taken of those that bring messages. nsqd's `--max-msg-size` is 1 MiB
/// unless set otherwise. What is allocated grows with what came, not with what was announced.
const FRAME_BYTES_MAX: u32 = 256 << 20;
/// What is kept of an error, for logs and people.
const ERROR_BYTES_MAX: usize = 1 << 10;
/// Room for reading, when there is less than `READ_BYTES_MIN`.
const READ_BYTES: usize = 64 << 10;
const READ_BYTES_MIN: usize = 8 << 10;
/// A buffer for commands that is larger than this is not kept.
const KEPT_BYTES: usize = 1 << 20;
/// With more than this to be written, heartbeats get no answer.
const NOP_BYTES_MAX: usize = 256 << 10;
const HEARTBEAT: &[u8] = b"_heartbeat_";
/// Bytes of a message's frame in front of its body.
const MESSAGE_HEADER_LENGTH: usize = nsq_proto::frame::MESSAGE_HEADER_LENGTH;

/// A connection that frames are read from and commands are written to. Answers heartbeats.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: Stream,
    decoder: FrameDecoder,
    input: BytesMut,
    output: Vec<u8>,
    /// How much of `output` the peer has taken.
    written: usize,
    read_timeout: Duration,
    write_timeout: Duration,
    last_read: Instant,
    /// Since when the peer takes nothing of what is there for it.
    stuck_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

/// A frame other than a heartbeat.
#[derive(Debug)]
pub(crate) enum Received {
    Response(Bytes),
    Error(Bytes),
    Message(ReceivedMessage),
}

#[derive(Debug)]
pub(crate) struct ReceivedMessage {
    pub(crate) timestamp_ns: i64,
    pub(crate) attempts: u16,
    pub(crate) id: MessageId,
    pub(crate) body: Bytes,
}

impl Wire {
    pub(crate) fn new(stream: Stream, config: &Config) -> Self {
        let now = Instant::now();
        Self {
            stream,
            decoder: FrameDecoder::new(ANSWER_BYTES_MAX),
            input: BytesMut::new(),
            output: Vec::new(),
            written: 0,
            read_timeout: config.read_timeout,
            write_timeout: config.write_timeout,
            last_read: now,
            stuck_since: None,
            timer: Box::pin(sleep_until(now + config.read_timeout)),
        }
    }

    /// Messages come from here on.
    pub(crate) fn expect_messages(&mut self) {
        self.decoder = FrameDecoder::new(FRAME_BYTES_MAX);
    }

    /// The stream, for what happens before frames are read.
    pub(crate) fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether something came that was not read as a frame yet.
    pub(crate) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Compresses from here on; what came ahead is compressed already.
    pub(crate) fn start_codec(&mut self, codec: Codec) {
        let ahead = self.input.split();
        self.stream.start_codec(codec, &ahead);
    }

    /// Commands to be written.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// With its size in front.
    pub(crate) fn queue_sized(&mut self, body: &[u8]) {
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.output.extend_from_slice(&size.to_be_bytes());
        self.output.extend_from_slice(body);
    }

    /// Writes what is queued and waits for the next frame.
    pub(crate) async fn exchange(&mut self) -> io::Result<Received> {
        poll_fn(|context| self.poll_flush(context)).await?;
        loop {
            if let Some(received) = self.next_frame()? {
                return Ok(received);
            }
            poll_fn(|context| self.poll_fill(context)).await?;
        }
    }

    /// Ready when everything is written.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = self.poll_write_all(context);
        match &result {
            Poll::Pending => {
                self.stuck_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => self.stuck_since = None,
        }
        result
    }

    fn poll_write_all(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.output.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(self.stream.poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
            self.stuck_since = None;
        }
        self.written = 0;
        self.output.clear();
        self.output.shrink_to(KEPT_BYTES);
        if self.stream.wants_flush() {
            return self.stream.poll_flush(context);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once. The end is an error: daemons do not end a conversation.
    pub(crate) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.stream.poll_readable(context))?;
        if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
            self.input.reserve(READ_BYTES);
        }
        if ready!(self.stream.poll_read(context, &mut self.input))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.last_read = Instant::now();
        Poll::Ready(Ok(()))
    }

    /// The next complete frame that was read. Heartbeats are answered and left out.
    pub(crate) fn next_frame(&mut self) -> io::Result<Option<Received>> {
        loop {
            let decoded = self.decoder.next(&self.input);
            let decoded =
                decoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let DecodedFrame::Frame { frame, used } = decoded else { return Ok(None) };
            let received = match frame {
                Frame::Response(HEARTBEAT) => {
                    self.input.advance(used);
                    // Who reads nothing needs no further answer.
                    if self.output.len() < NOP_BYTES_MAX {
                        self.output.extend_from_slice(b"NOP\n");
                    }
                    continue;
                }
                Frame::Response(data) => Received::Response(owned(data)),
                Frame::Error(data) => {
                    Received::Error(owned(data.get(..ERROR_BYTES_MAX).unwrap_or(data)))
                }
                Frame::Message(message) => {
                    let (timestamp_ns, attempts) = (message.timestamp_ns, message.attempts);
                    let id = message.id;
                    let body = self.input.split_to(used).freeze().slice(MESSAGE_HEADER_LENGTH..);
                    let message = ReceivedMessage { timestamp_ns, attempts, id, body };
                    return Ok(Some(Received::Message(message)));
                }
            };
            self.input.advance(used);
            return Ok(Some(received));
        }
    }

    /// Ready with an error when the peer was silent or stuck for too long, and without one at the
    /// moment `wanted`, if there is one.
    pub(crate) fn poll_deadlines(
        &mut self,
        context: &mut Context<'_>,
        wanted: Option<Instant>,
    ) -> Poll<io::Result<()>> {
        loop {
            let silent_at = self.last_read + self.read_timeout;
            let stuck_at = self.stuck_since.map(|since| since + self.write_timeout);
            let first = [Some(silent_at), stuck_at, wanted].into_iter().flatten().min();
            let first = first.unwrap_or(silent_at);
            // Moving a timer is dearer than being woken in vain once in a while.
            if first < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(first);
            }
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if now >= silent_at {
                let text = format!("nothing came for {:?}", self.read_timeout);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            if stuck_at.is_some_and(|stuck_at| now >= stuck_at) {
                let text = format!("nothing was taken for {:?}", self.write_timeout);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            }
            if wanted.is_some_and(|wanted| now >= wanted) {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// `OK` is by far the most frequent, and static.
fn owned(data: &[u8]) -> Bytes {
    if data == b"OK" { Bytes::from_static(b"OK") } else { Bytes::copy_from_slice(data) }
}

#[cfg(test)]
mod tests {
    use nsq_net::{Address, Socket};
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// Their answers were heaped up for somebody who read none.
    #[tokio::test]
    async fn heartbeats_without_end_take_no_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let address = Address::parse(&address);
        let connecting = Socket::connect(&address, Duration::from_secs(20));
        let (socket, accepted) = tokio::join!(connecting, listener.accept());
        let (mut peer, _) = accepted.expect("a client");
        let sending = tokio::spawn(async move {
            let beats = nsq_proto::frame::HEARTBEAT.repeat(1000);
            for _ in 0..200 {
                peer.write_all(&beats).await.expect("somebody reads");
            }
        });
        let mut wire = Wire::new(Stream::new(socket.expect("a server")), &Config::default());
        while poll_fn(|context| wire.poll_fill(context)).await.is_ok() {
            assert!(wire.next_frame().expect("frames").is_none());
        }
        sending.await.expect("no panic");
        assert!(wire.output().len() <= NOP_BYTES_MAX + 4, "{}", wire.output().len());
        assert!(wire.output().starts_with(b"NOP\nNOP\n"));
    }
}
