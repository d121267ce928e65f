//! What lies between a client's commands and its socket. None of this is the daemon's code.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Decompress, FlushDecompress};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Bytes in both directions.
pub(crate) trait Layer: Read + Write + Send {}

impl<T: Read + Write + Send> Layer for T {}

/// A handshake whose first bytes the caller may send.
pub(crate) struct Handshake(ClientConnection);

impl Handshake {
    pub(crate) fn new(config: Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("localhost").expect("a name");
        Self(ClientConnection::new(config, name).expect("a valid configuration"))
    }

    /// The first bytes; [`Self::finish`] does not send them again.
    pub(crate) fn hello(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.write_tls(&mut bytes).expect("a vector takes everything");
        bytes
    }

    /// TLS on this socket.
    pub(crate) fn finish(mut self, mut socket: TcpStream) -> io::Result<Box<dyn Layer>> {
        while self.0.is_handshaking() {
            self.0.complete_io(&mut socket)?;
        }
        // No protocol was offered, or none is spoken here.
        assert_eq!(self.0.alpn_protocol(), None);
        Ok(Box::new(StreamOwned::new(self.0, socket)))
    }
}

/// TLS on a socket, after its handshake.
pub(crate) fn tls(socket: TcpStream, config: Arc<ClientConfig>) -> io::Result<Box<dyn Layer>> {
    Handshake::new(config).finish(socket)
}

/// Snappy's framing format in both directions.
pub(crate) fn snappy(below: Box<dyn Layer>) -> Box<dyn Layer> {
    let (read, write) = Shared::halves(below);
    let read = snap::read::FrameDecoder::new(read);
    Box::new(Pair { read, write: snap::write::FrameEncoder::new(write) })
}

/// Raw deflate in both directions.
pub(crate) fn deflate(below: Box<dyn Layer>) -> Box<dyn Layer> {
    let (read, write) = Shared::halves(below);
    let write = DeflateEncoder::new(write, Compression::default());
    let state = Decompress::new(false);
    Box::new(Pair { read: Inflate { below: read, state, input: Vec::new() }, write })
}

/// Decompresses deflate. Unlike flate2's own reader it asks for more input only when there is no
/// output without.
struct Inflate<R> {
    below: R,
    state: Decompress,
    /// What the decompressor has not taken yet.
    input: Vec<u8>,
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            self.state.decompress(&self.input, buffer, FlushDecompress::Sync)?;
            let taken = usize::try_from(self.state.total_in() - taken).expect("of the input");
            let given = usize::try_from(self.state.total_out() - given).expect("of the buffer");
            self.input.drain(..taken);
            if given > 0 {
                return Ok(given);
            }
            let mut more = [0; 4096];
            let count = self.below.read(&mut more)?;
            if count == 0 {
                return Ok(0);
            }
            self.input.extend_from_slice(&more[..count]);
        }
    }
}

/// These bytes in snappy: a stream of its own, with its identifier.
pub(crate) fn in_snappy(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.into_inner().expect("a vector takes everything")
}

/// These bytes in deflate: a stream that may go on.
pub(crate) fn in_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.flush().expect("a vector takes everything");
    encoder.get_ref().clone()
}

/// One layer that two decoders share; they take turns.
struct Shared(Arc<Mutex<Box<dyn Layer>>>);

impl Shared {
    fn halves(below: Box<dyn Layer>) -> (Self, Self) {
        let below = Arc::new(Mutex::new(below));
        (Self(Arc::clone(&below)), Self(below))
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic while it is locked").read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic while it is locked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().expect("no panic while it is locked").flush()
    }
}

/// A decoder and an encoder.
struct Pair<R, W> {
    read: R,
    write: W,
}

impl<R: Read, W> Read for Pair<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read.read(buffer)
    }
}

impl<R, W: Write> Write for Pair<R, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write.flush()
    }
}
