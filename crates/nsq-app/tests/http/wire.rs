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
        let (head, body) = self.next_head_and_body(has_body).await;
        head + &String::from_utf8(body).expect("UTF-8")
    }

    /// The same as it came, with a body of any bytes.
    pub(crate) async fn next_head_and_body(&mut self, has_body: bool) -> (String, Vec<u8>) {
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
        let head = [&[status], headers.as_slice(), &["", ""]].concat().join("\n");
        (head, self.received.drain(..length).collect())
    }

    /// The next piece of a chunked body; empty at its end.
    pub(crate) async fn next_chunk(&mut self) -> String {
        let size_end = loop {
            if let Some(at) = self.received.windows(2).position(|two| two == b"\r\n") {
                break at;
            }
            assert!(self.receive().await, "closed in {:?}", self.received);
        };
        let size = str::from_utf8(&self.received[..size_end]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let chunk_end = size_end + 2 + size;
        while self.received.len() < chunk_end + 2 {
            assert!(self.receive().await, "closed in a chunk");
        }
        let piece: Vec<u8> = self.received.drain(..chunk_end + 2).collect();
        assert_eq!(&piece[chunk_end..], b"\r\n");
        String::from_utf8(piece[size_end + 2..chunk_end].to_vec()).expect("UTF-8")
    }

    /// All that comes until the daemon closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.receive().await {}
        String::from_utf8(std::mem::take(&mut self.received)).expect("UTF-8")
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
