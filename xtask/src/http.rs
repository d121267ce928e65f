//! Requests to a daemon on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Longest silence of a daemon.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 30;
/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// What a daemon answered, and when.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// As it came over the wire, compressed or not.
    pub(crate) body: Vec<u8>,
    /// How long that was.
    pub(crate) body_bytes: usize,
    /// From before connecting until the first byte came.
    pub(crate) first_byte: Duration,
    /// The same until the last.
    pub(crate) total: Duration,
}

impl Answer {
    /// The same for those who only count.
    pub(crate) fn without_body(self) -> Self {
        Self { body: Vec::new(), ..self }
    }
}

/// Asks and reads the whole answer. A request of HTTP 1.0 is answered in one piece.
pub(crate) fn ask(address: &str, request: &str, headers: &[&str], body: &[u8]) -> Result<Answer> {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{request} HTTP/1.0\r\nHost: {address}\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut bytes = vec![0; 1];
    let whole = || format!("{request} at {address}");
    stream.read_exact(&mut bytes).with_context(whole)?;
    let first_byte = started.elapsed();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).with_context(whole)?;
    let total = started.elapsed();
    let (status, body_at) = read_head(&bytes).with_context(whole)?;
    let body = bytes.split_off(body_at);
    Ok(Answer { status, body_bytes: body.len(), body, first_byte, total })
}

/// Gives an order that must be carried out.
pub(crate) fn order(address: &str, target: &str, body: &[u8]) -> Result<()> {
    let answer = ask(address, &format!("POST {target}"), &[], body)?;
    let said = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status == 200, "POST {target} at {address}: {} {said}", answer.status);
    Ok(())
}

/// The status, and where the body begins.
fn read_head(bytes: &[u8]) -> Option<(u16, usize)> {
    let mut starts = bytes.windows(4).take(HEAD_BYTES_MAX);
    let body_at = starts.position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(bytes.get(..body_at)?).ok()?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body_at))
}

#[cfg(test)]
mod tests {
    use super::read_head;

    #[test]
    fn heads() {
        assert_eq!(read_head(b"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n{}"), Some((404, 32)));
        assert_eq!(read_head(b"HTTP/1.0 200 OK\r\n"), None);
        assert_eq!(read_head(b"nonsense\r\n\r\n"), None);
    }
}
