//! The HTTP calls a benchmark makes to nsqd one at a time, over one kept-alive connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

use crate::connection::{connect, is_unix};

use crate::http_head::{BodyEnd, HttpHead, MAX_HEAD_BYTES};

/// How much of a body is kept, for the text of an error; the rest is only counted.
const MAX_KEPT_BYTES: usize = 1 << 10;
/// Longest body of an answer.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// A client of nsqd's HTTP API.
pub(crate) struct HttpClient {
    address: String,
    timeout: Duration,
    stream: Option<BufReader<Socket>>,
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

    /// Stops the flow of messages from a topic to its channels.
    pub(crate) fn pause_topic(&mut self, topic: &str) -> Result<()> {
        self.post(&format!("/topic/pause?topic={}", escaped(topic)))
    }

    /// Lets the messages flow again.
    pub(crate) fn unpause_topic(&mut self, topic: &str) -> Result<()> {
        self.post(&format!("/topic/unpause?topic={}", escaped(topic)))
    }

    /// Deletes a topic with its channels.
    pub(crate) fn delete_topic(&mut self, topic: &str) -> Result<()> {
        self.post(&format!("/topic/delete?topic={}", escaped(topic)))
    }

    /// Asks for a page and returns the size of its body; `None` when there is no such page.
    pub(crate) fn page_size(&mut self, path: &str) -> Result<Option<u64>> {
        let answer = self.call("GET", path)?;
        match answer.status {
            200 => Ok(Some(answer.body_bytes)),
            404 => Ok(None),
            status => bail!("GET {path}: status {status}: {}", answer.text),
        }
    }

    fn post(&mut self, path: &str) -> Result<()> {
        let answer = self.call("POST", path)?;
        let (status, text) = (answer.status, &answer.text);
        ensure!(status == 200, "POST {path}: status {status}: {text}");
        Ok(())
    }

    fn call(&mut self, method: &str, path: &str) -> Result<Answer> {
        self.exchange(method, path)
            .with_context(|| format!("{method} http://{}{path}", self.address))
    }

    fn exchange(&mut self, method: &str, path: &str) -> Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        // The path of a unix socket is no host.
        let host = if is_unix(&self.address) { "localhost" } else { &self.address };
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n");
        stream.get_mut().write_all(request.as_bytes())?;
        let answer = read_answer(&mut stream)?;
        if !answer.closes {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    fn connect(&self) -> Result<BufReader<Socket>> {
        let stream = connect(&self.address)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }
}

struct Answer {
    status: u16,
    /// The beginning of the body.
    text: String,
    body_bytes: u64,
    closes: bool,
}

/// Takes a body in: keeps its beginning, counts all of it.
#[derive(Default)]
struct Body {
    kept: Vec<u8>,
    size_bytes: u64,
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_KEPT_BYTES.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend(bytes.iter().take(room));
        self.size_bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_answer(stream: &mut impl BufRead) -> Result<Answer> {
    let mut lines = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        ensure!(lines.len() + line.len() < MAX_HEAD_BYTES, "the answer's head is too long");
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
    }
    let head = HttpHead::parse(&lines)?;
    let mut body = Body::default();
    match head.body_end {
        BodyEnd::Length(length) => copy(stream, length, &mut body)?,
        BodyEnd::LastChunk => copy_chunks(stream, &mut body)?,
        BodyEnd::Close => {
            io::copy(&mut stream.take(MAX_BODY_BYTES), &mut body)?;
        }
    }
    let text = String::from_utf8_lossy(&body.kept).into_owned();
    let body_bytes = body.size_bytes;
    Ok(Answer { status: head.status, text, body_bytes, closes: head.closes })
}

/// Chunks are `<size in hex>\r\n<bytes>\r\n`; the one without bytes is the last.
fn copy_chunks(stream: &mut impl BufRead, body: &mut Body) -> Result<()> {
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16)
            .with_context(|| format!("not the size of a chunk: {line:?}"))?;
        copy(stream, size, body)?;
        ensure!(read_line(stream)?.is_empty(), "a chunk is longer than it said");
        if size == 0 {
            return Ok(());
        }
    }
}

fn copy(stream: &mut impl BufRead, length_bytes: u64, body: &mut Body) -> Result<()> {
    let total = body.size_bytes.saturating_add(length_bytes);
    ensure!(total <= MAX_BODY_BYTES, "a body of {total} bytes is too long");
    let copied = io::copy(&mut stream.take(length_bytes), body)?;
    ensure!(copied == length_bytes, "the answer ended in the middle of its body");
    Ok(())
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_HEAD_BYTES as u64).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        bail!("the answer ended in the middle of a line");
    }
    Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())
}

/// Names have only one character that means something in a URL.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole() {
        let mut stream: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Type: x\r\n\
            content-length: 3\r\n\r\nabc\
            HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n\
            HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe rest";
        let expected =
            [(404, "abc", 3, false), (200, "abc0123456789", 13, false), (200, "the rest", 8, true)];
        for (status, text, body_bytes, closes) in expected {
            let answer = read_answer(&mut stream).unwrap();
            assert_eq!((answer.status, answer.text.as_str()), (status, text));
            assert_eq!((answer.body_bytes, answer.closes), (body_bytes, closes), "{text}");
        }
    }

    #[test]
    fn a_long_body_is_counted_and_not_kept() {
        let length = MAX_KEPT_BYTES * 3;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let bytes = [head.as_bytes(), &vec![b'x'; length]].concat();
        let answer = read_answer(&mut bytes.as_slice()).unwrap();
        assert_eq!((answer.body_bytes, answer.text.len()), (length as u64, MAX_KEPT_BYTES));
    }

    #[test]
    fn broken_answers_are_errors() {
        let wrong: [&[u8]; 7] = [
            b"",
            b"HTTP/1.1",
            b"x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConte",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        ];
        for mut stream in wrong {
            assert!(read_answer(&mut stream).is_err());
        }
    }
}
