//! A TCP client that reads like a transcript.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ClientConfig;

use super::layers::{self, Handshake, Layer};
use super::{PATIENCE, UNKNOWN_ID, identify, is_original};

/// A frame as it came.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u32,
    pub(crate) data: Vec<u8>,
}

impl Frame {
    pub(crate) fn response(data: impl AsRef<[u8]>) -> Self {
        Self { kind: 0, data: data.as_ref().to_vec() }
    }

    pub(crate) fn error(text: impl AsRef<[u8]>) -> Self {
        Self { kind: 1, data: text.as_ref().to_vec() }
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = ["response", "error", "message"].get(self.kind as usize).unwrap_or(&"unknown");
        let shown = &self.data[..self.data.len().min(300)];
        write!(out, "{kind}({})", shown.escape_ascii())
    }
}

/// A delivered message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) timestamp_ns: i64,
    pub(crate) attempts: u16,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The body of a message that the test published as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the test published text")
    }
}

/// A reset, or an end of the socket within the layers above it.
fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)
}

/// One connection.
pub(crate) struct Client {
    socket: TcpStream,
    /// What commands and frames pass through: the socket, or layers above it.
    stream: Box<dyn Layer>,
}

impl Client {
    /// A connection on which nothing was sent yet.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("the daemon listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a valid timeout");
        socket.set_nodelay(true).expect("a TCP socket");
        let stream = Box::new(socket.try_clone().expect("a descriptor is free"));
        Self { socket, stream }
    }

    /// Goes on in TLS; the daemon must have agreed.
    pub(crate) fn try_tls(&mut self, config: Arc<ClientConfig>) -> std::io::Result<()> {
        let socket = self.socket.try_clone()?;
        self.stream = layers::tls(socket, config)?;
        Ok(())
    }

    /// The same up to the `OK` in it. With TLS 1.3 a refused certificate shows only now.
    pub(crate) fn try_start_tls(&mut self, config: Arc<ClientConfig>) -> std::io::Result<()> {
        self.try_tls(config)?;
        let mut frame = [0; 10];
        self.stream.read_exact(&mut frame)?;
        assert_eq!(&frame, b"\0\0\0\x06\0\0\0\0OK");
        Ok(())
    }

    /// Sends the bytes and the first of the handshake in one piece; see [`Self::finish_tls`].
    #[track_caller]
    pub(crate) fn send_with_hello(
        &mut self,
        bytes: impl AsRef<[u8]>,
        config: Arc<ClientConfig>,
    ) -> Handshake {
        let mut handshake = Handshake::new(config);
        let hello = handshake.hello();
        self.send([bytes.as_ref(), &hello].concat());
        handshake
    }

    /// Goes on in TLS with a handshake that began before.
    #[track_caller]
    pub(crate) fn finish_tls(&mut self, handshake: Handshake) {
        let socket = self.socket.try_clone().expect("a descriptor is free");
        self.stream = handshake.finish(socket).expect("the handshake succeeds");
    }

    /// Goes on in TLS and gets the `OK` in it.
    #[track_caller]
    pub(crate) fn start_tls(&mut self, config: Arc<ClientConfig>) {
        self.try_tls(config).expect("the handshake succeeds");
        self.expect_ok();
    }

    /// Goes on in snappy, above what there is, and gets the `OK` in it.
    #[track_caller]
    pub(crate) fn start_snappy(&mut self) {
        self.wrap(layers::snappy);
        self.expect_ok();
    }

    /// Goes on in deflate, above what there is, and gets the `OK` in it.
    #[track_caller]
    pub(crate) fn start_deflate(&mut self) {
        self.wrap(layers::deflate);
        self.expect_ok();
    }

    fn wrap(&mut self, layer: fn(Box<dyn Layer>) -> Box<dyn Layer>) {
        let below = std::mem::replace(&mut self.stream, Box::new(std::io::empty()));
        self.stream = layer(below);
    }

    /// The next bytes as they come through the layers.
    #[track_caller]
    pub(crate) fn expect_bytes(&mut self, expected: &[u8]) {
        let mut received = vec![0; expected.len()];
        self.stream.read_exact(&mut received).expect("as many bytes");
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// The next byte as it comes through the layers.
    #[track_caller]
    pub(crate) fn expect_byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).expect("one more byte");
        byte[0]
    }

    /// IDENTIFY with feature negotiation; returns the answer as it came.
    #[track_caller]
    pub(crate) fn negotiate(&mut self, request: &str) -> String {
        let request = format!(r#"{{"feature_negotiation":true,{}"#, &request[1..]);
        self.send(identify(request.replace(",}", "}")));
        let frame = self.next_frame().expect("an answer");
        assert_eq!(frame.kind, 0, "{frame:?}");
        String::from_utf8(frame.data).expect("JSON")
    }

    pub(crate) fn local_address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is connected")
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the daemon reads");
    }

    /// Sends to a daemon that may have closed already.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())?;
        self.stream.flush()
    }

    /// Sends bytes below all layers, to a daemon that may have closed already.
    pub(crate) fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.socket.write_all(bytes.as_ref())
    }

    /// Sends no more; the daemon sees the end of the input.
    #[track_caller]
    pub(crate) fn send_end(&mut self) {
        self.socket.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// The next frame; `None` when the connection was closed instead. Whether that arrives as an
    /// end or as a reset depends only on what the kernel had unread.
    #[track_caller]
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        let mut head = [0; 8];
        if !self.read_or_closed(&mut head) {
            return None;
        }
        let word = |at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let length = (word(0) as usize).checked_sub(4).expect("the size counts the type");
        assert!(length <= 64 << 20, "a frame of {length} bytes");
        let mut data = vec![0; length];
        self.stream.read_exact(&mut data).expect("the rest of a frame");
        Some(Frame { kind: word(4), data })
    }

    #[track_caller]
    fn read_or_closed(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read(&mut buffer[..1]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if is_end(error.kind()) => return false,
            Err(error) => panic!("nothing came within {PATIENCE:?}: {error}"),
        }
        self.stream.read_exact(&mut buffer[1..]).expect("the rest of a frame");
        true
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, frame: &Frame) {
        assert_eq!(self.next_frame().as_ref(), Some(frame));
    }

    #[track_caller]
    pub(crate) fn expect_ok(&mut self) {
        self.expect(&Frame::response("OK"));
    }

    #[track_caller]
    pub(crate) fn expect_error(&mut self, text: impl AsRef<[u8]>) {
        self.expect(&Frame::error(text));
    }

    #[track_caller]
    pub(crate) fn expect_closed(&mut self) {
        assert_eq!(self.next_frame(), None);
    }

    /// An error frame, then an orderly end: a reset could destroy the frame on its way. The
    /// original resets when it has unread input.
    #[track_caller]
    pub(crate) fn expect_last_error(&mut self, text: impl AsRef<[u8]>) {
        self.expect_error(text);
        if is_original() {
            self.expect_closed();
        } else {
            assert_eq!(self.stream.read(&mut [0]).expect("no reset"), 0);
        }
    }

    #[track_caller]
    pub(crate) fn expect_message(&mut self) -> Message {
        let frame = self.next_frame().expect("still connected");
        assert_eq!(frame.kind, 2, "{frame:?}");
        let data = frame.data;
        Message {
            timestamp_ns: i64::from_be_bytes(data[..8].try_into().expect("8 bytes")),
            attempts: u16::from_be_bytes(data[8..10].try_into().expect("2 bytes")),
            id: String::from_utf8(data[10..26].to_vec()).expect("ids are ASCII"),
            body: data[26..].to_vec(),
        }
    }

    /// The bodies of the next `count` messages.
    #[track_caller]
    pub(crate) fn expect_bodies(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.expect_message().text().to_owned()).collect()
    }

    /// Nothing was sent: the answer to a command comes next, twice, because what it had ready the
    /// daemon would have sent in between. Only for consumers.
    #[track_caller]
    pub(crate) fn expect_nothing(&mut self) {
        for _ in 0..2 {
            self.send(format!("TOUCH {UNKNOWN_ID}\n"));
            self.expect_error(format!("E_TOUCH_FAILED TOUCH {UNKNOWN_ID} failed ID not in flight"));
        }
    }

    #[track_caller]
    pub(crate) fn identify(&mut self, json: &str) {
        self.send(identify(json));
        self.expect_ok();
    }

    #[track_caller]
    pub(crate) fn subscribe(&mut self, topic: &str, channel: &str) {
        self.send(format!("SUB {topic} {channel}\n"));
        self.expect_ok();
    }

    #[track_caller]
    pub(crate) fn ready(&mut self, count: usize) {
        self.send(format!("RDY {count}\n"));
    }

    #[track_caller]
    pub(crate) fn finish(&mut self, message: &Message) {
        self.send(format!("FIN {}\n", message.id));
    }

    #[track_caller]
    pub(crate) fn requeue(&mut self, message: &Message, delay_ms: u64) {
        self.send(format!("REQ {} {delay_ms}\n", message.id));
    }
}
