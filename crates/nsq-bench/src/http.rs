//! The few HTTP calls a benchmark makes to nsqd, over one kept-alive connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connection::connect;

/// Longest line of an answer, and most header lines.
const MAX_LINE_BYTES: u64 = 8 << 10;
const MAX_HEADER_LINES: usize = 100;
/// Longest body of an answer.
const MAX_BODY_BYTES: u64 = 1 << 20;

/// A client of nsqd's HTTP API.
pub(crate) struct HttpClient {
    address: String,
    timeout: Duration,
    stream: Option<BufReader<TcpStream>>,
}

impl HttpClient {
    /// Makes a client that connects with the first call.
    pub(crate) fn new(address: &str, timeout: Duration) -> Self {
        Self { address: address.to_owned(), timeout, stream: None }
    }

    /// Creates a topic.
    pub(crate) fn create_topic(&mut self, topic: &str) -> Result<()> {
        self.post(&format!("/topic/create?topic={}", escaped(topic)))
    }

    /// Creates a channel of a topic that exists.
    pub(crate) fn create_channel(&mut self, topic: &str, channel: &str) -> Result<()> {
        let (topic, channel) = (escaped(topic), escaped(channel));
        self.post(&format!("/channel/create?topic={topic}&channel={channel}"))
    }

    /// Deletes a topic with its channels.
    pub(crate) fn delete_topic(&mut self, topic: &str) -> Result<()> {
        self.post(&format!("/topic/delete?topic={}", escaped(topic)))
    }

    fn post(&mut self, path: &str) -> Result<()> {
        self.exchange(path).with_context(|| format!("POST http://{}{path}", self.address))
    }

    fn exchange(&mut self, path: &str) -> Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.address);
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = read_answer(&mut stream)?;
        if answer.status != 200 {
            bail!("status {}: {}", answer.status, answer.body);
        }
        if answer.is_reusable {
            self.stream = Some(stream);
        }
        Ok(())
    }

    fn connect(&self) -> Result<BufReader<TcpStream>> {
        let stream = connect(&self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }
}

struct Answer {
    status: u16,
    body: String,
    is_reusable: bool,
}

fn read_answer(stream: &mut impl BufRead) -> Result<Answer> {
    let status_line = read_line(stream)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .with_context(|| format!("not an HTTP status line: {status_line:?}"))?;
    let mut length = None;
    let mut closes = false;
    for _ in 0..MAX_HEADER_LINES {
        let line = read_line(stream)?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        match line.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = Some(value.parse::<u64>()?),
            Some(("connection", value)) => closes = value == "close",
            _ => {}
        }
    }
    // Without a length only the end of the connection ends the body; it is not needed then.
    let mut body = Vec::new();
    let length_bytes = length.unwrap_or(0).min(MAX_BODY_BYTES);
    stream.take(length_bytes).read_to_end(&mut body)?;
    let is_reusable = !closes && length.is_some_and(|length| length <= MAX_BODY_BYTES);
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), is_reusable })
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        bail!("the answer ended in the middle of a line");
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
}

/// Names have only one character that means something in a URL.
fn escaped(name: &str) -> String {
    name.replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole() {
        let mut stream: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: x\r\n\
            content-length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.is_reusable), (404, "abc", true));
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.is_reusable), (200, "", false));
    }

    #[test]
    fn broken_answers_are_errors() {
        for wrong in [&b""[..], b"HTTP/1.1", b"x\r\n\r\n", b"HTTP/1.1 200 OK\r\nConte"] {
            let mut stream = wrong;
            assert!(read_answer(&mut stream).is_err());
        }
    }
}
