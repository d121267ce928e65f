//! An HTTP client that shows what is on the wire.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::ClientConfig;

use super::{PATIENCE, layers};

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In the order of the wire, names as sent.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header; its name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    /// Status and body in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.status, self.text()).trim_end().to_owned()
    }
}

/// Sends the bytes of a request and reads the response until the daemon closes. The request must
/// ask for that.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    // A request that is refused early need not be read to its end.
    let sent = stream.write_all(request);
    let mut received = Vec::new();
    let read = stream.read_to_end(&mut received);
    assert!(!received.is_empty(), "no response: sent {sent:?}, read {read:?}");
    parse(&received)
}

/// The same over TLS, whose handshake may fail.
pub(crate) fn ask_securely(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    request: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = layers::tls(connect(address), Arc::clone(config))?;
    stream.write_all(request)?;
    let mut received = Vec::new();
    // With TLS 1.3 a refused certificate shows only now.
    stream.read_to_end(&mut received)?;
    Ok(parse(&received))
}

#[track_caller]
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    stream
}

#[track_caller]
fn parse(received: &[u8]) -> Answer {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = std::str::from_utf8(&received[..end]).expect("heads are ASCII");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let headers = lines.map(|line| line.split_once(": ").expect("name and value"));
    let mut answer = Answer {
        status: status.parse().expect("a number"),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: received[end + 4..].to_vec(),
    };
    if answer.header("Transfer-Encoding") == Some("chunked") {
        answer.body = unchunk(&answer.body);
    }
    answer
}

#[track_caller]
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk size");
        let size = std::str::from_utf8(&rest[..end]).expect("hexadecimal");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
