//! A client that speaks bytes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the daemon listens");
        Self { stream, received: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("the daemon reads");
    }

    /// Sends a request and returns its response as [`next_response`](Self::next_response) does.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> String {
        self.send(request).await;
        self.next_response(true).await
    }

    /// A response with its headers sorted and without date; lines end in a bare newline.
    pub(crate) async fn next_response(&mut self, has_body: bool) -> String {
        let head_end = loop {
            if let Some(at) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.receive().await, "closed in {:?}", self.received);
        };
        let head: Vec<u8> = self.received.drain(..head_end).collect();
        let head = String::from_utf8(head).expect("heads are ASCII");
        let (status, headers) = head.split_once("\r\n").expect("a status line");
        let mut headers: Vec<&str> = headers
            .split_terminator("\r\n")
            .filter(|header| !header.is_empty() && !header.starts_with("Date: "))
            .collect();
        headers.sort_unstable();
        let length = headers.iter().find_map(|header| header.strip_prefix("Content-Length: "));
        let length = match length {
            Some(length) if has_body => length.parse().expect("a number"),
            _ => 0,
        };
        while self.received.len() < length {
            assert!(self.receive().await, "closed in a body");
        }
        let body = String::from_utf8(self.received.drain(..length).collect()).expect("UTF-8");
        [&[status], headers.as_slice(), &["", &body]].concat().join("\n")
    }

    /// Whether the daemon closes now, without sending more.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.receive().await
    }

    /// Whether the connection takes another request.
    pub(crate) async fn is_usable(&mut self) -> bool {
        self.ask("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").await.starts_with("HTTP/1.1 200 OK\n")
    }

    async fn receive(&mut self) -> bool {
        self.stream.read_buf(&mut self.received).await.expect("no reset") > 0
    }
}
