//! `HttpHead`: what a benchmark wants to know of the lines before an HTTP answer's body.

use anyhow::{Context, Result};

/// Longest head believed.
pub(crate) const MAX_HEAD_BYTES: usize = 8 << 10;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// After this many bytes.
    Length(u64),
    /// After the chunk without bytes.
    LastChunk,
    /// With the end of the connection.
    Close,
}

/// Status line and headers of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpHead {
    pub(crate) status: u16,
    pub(crate) body_end: BodyEnd,
    /// The daemon will close the connection after this answer.
    pub(crate) closes: bool,
}

impl HttpHead {
    /// Parses the lines of a head.
    pub(crate) fn parse(head: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines();
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .with_context(|| format!("not an HTTP status line: {status_line:?}"))?;
        let mut body_end = BodyEnd::Close;
        let mut closes = false;
        for line in lines {
            let line = line.to_ascii_lowercase();
            match line.split_once(':').map(|(name, value)| (name, value.trim())) {
                Some(("content-length", value)) => body_end = BodyEnd::Length(value.parse()?),
                Some(("transfer-encoding", "chunked")) => body_end = BodyEnd::LastChunk,
                Some(("connection", value)) => closes = value == "close",
                _ => {}
            }
        }
        Ok(Self { status, body_end, closes: closes || body_end == BodyEnd::Close })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_say_where_the_body_ends() {
        let cases = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, BodyEnd::Length(2), false),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", 200, BodyEnd::LastChunk, false),
            ("HTTP/1.1 404 Not Found\r\n\r\n", 404, BodyEnd::Close, true),
            (
                "HTTP/1.0 413 x\r\nConnection: close\r\ncontent-length:0",
                413,
                BodyEnd::Length(0),
                true,
            ),
        ];
        for (head, status, body_end, closes) in cases {
            let expected = HttpHead { status, body_end, closes };
            assert_eq!(HttpHead::parse(head.as_bytes()).unwrap(), expected, "{head}");
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for wrong in ["", "x", "HTTP/1.1", "HTTP/1.1 abc", "HTTP/1.1 200 OK\r\nContent-Length: x"] {
            assert!(HttpHead::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
