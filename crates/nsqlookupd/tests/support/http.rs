//! An HTTP client that shows what is on the wire.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::PATIENCE;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header, whose name is spelled as on the wire.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Status and body in one line.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.status, self.body).trim_end().to_owned()
    }
}

/// A request whose response is to come.
pub(crate) struct Asked {
    stream: TcpStream,
}

impl Asked {
    /// The response.
    #[track_caller]
    pub(crate) fn answer(mut self) -> Answer {
        let mut received = Vec::new();
        self.stream.read_to_end(&mut received).expect("a whole response");
        let received = String::from_utf8(received).expect("UTF-8");
        let (head, body) = received.split_once("\r\n\r\n").expect("a whole head");
        let status = head.split(' ').nth(1).expect("a status line");
        let status = status.parse().expect("a number");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

/// Sends a request without a body.
#[track_caller]
pub(crate) fn ask_later(address: SocketAddr, method: &str, target: &str) -> Asked {
    let mut stream = TcpStream::connect(address).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    // Without chunks, which HTTP/1.0 has not.
    let head = format!("{method} {target} HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("the daemon reads");
    Asked { stream }
}

#[track_caller]
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str) -> Answer {
    ask_later(address, method, target).answer()
}
