//! An nsqd, as far as nsqlookupd sees it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::{PATIENCE, is_original};

/// Bytes behind their size.
pub(crate) fn with_size(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let size = u32::try_from(body.len()).expect("test bodies are small");
    [&size.to_be_bytes(), body].concat()
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    /// A connection on which nothing was sent yet.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream }
    }

    /// The address as the daemon sees it.
    pub(crate) fn address(&self) -> String {
        self.stream.local_addr().expect("it is connected").to_string()
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the daemon reads");
    }

    /// Sends no more; the daemon sees the end of the input.
    #[track_caller]
    pub(crate) fn send_end(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it is connected");
    }

    /// The next response; `None` when the connection was closed instead.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Option<String> {
        let mut size = [0; 4];
        match self.stream.read(&mut size[..1]) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("nothing came within {PATIENCE:?}: {error}"),
        }
        self.stream.read_exact(&mut size[1..]).expect("the rest of a size");
        let size = u32::from_be_bytes(size);
        assert!(size < 1 << 20, "a response of {size} bytes");
        let mut data = vec![0; size as usize];
        self.stream.read_exact(&mut data).expect("the rest of a response");
        Some(String::from_utf8(data).expect("responses are text"))
    }

    /// Sends a line that is answered with `OK`.
    #[track_caller]
    pub(crate) fn order(&mut self, line: &str) {
        self.send(format!("{line}\n"));
        assert_eq!(self.response().as_deref(), Some("OK"), "{line}");
    }

    #[track_caller]
    pub(crate) fn identify(&mut self, body: impl AsRef<[u8]>) -> Option<String> {
        self.send([b"IDENTIFY\n".as_slice(), &with_size(body)].concat());
        self.response()
    }

    /// An error, then an orderly end: a reset could destroy the error on its way. The original
    /// resets when it has unread input.
    #[track_caller]
    pub(crate) fn expect_last(&mut self, error: &str) {
        assert_eq!(self.response().as_deref(), Some(error));
        if is_original() {
            assert_eq!(self.response(), None);
        } else {
            assert_eq!(self.stream.read(&mut [0]).expect("no reset"), 0);
        }
    }
}
