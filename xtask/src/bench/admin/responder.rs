//! The little of an HTTP server that nsqadmin's requests need.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);
/// Connections that one listener serves at once; those beyond are closed.
const CONNECTIONS_MAX: usize = 64;
/// Longest line of a request.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Connections do little and hold large bodies elsewhere.
const STACK_BYTES: usize = 128 << 10;

/// A body with its status.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Arc<[u8]>,
}

impl Reply {
    pub(super) fn ok(body: impl Into<Arc<[u8]>>) -> Self {
        Self { status: 200, body: body.into() }
    }

    pub(super) fn not_found(message: &str) -> Self {
        let body = format!("{{\"message\":\"{message}\"}}").into_bytes();
        Self { status: 404, body: body.into() }
    }
}

/// What answers a target, for example `/lookup?topic=orders`.
pub(super) type Answering = dyn Fn(&str) -> Reply + Send + Sync;

/// Listens on a free port. The threads end with this process.
pub(super) fn serve(answering: Arc<Answering>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let open = Arc::new(AtomicUsize::new(0));
    spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if open.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let (answering, open) = (Arc::clone(&answering), Arc::clone(&open));
            let served = spawn(move || {
                complain(converse(&stream, &*answering));
                open.fetch_sub(1, Ordering::Relaxed);
            });
            complain(served);
        }
    })?;
    Ok(address)
}

/// Whoever asked sees a connection that breaks, and says so; this is for who looks on.
fn complain(done: std::io::Result<()>) {
    let is_over = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    if let Err(error) = done
        && !is_over.contains(&error.kind())
    {
        eprintln!("a simulated daemon: {error}");
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).map(drop)
}

/// Answers requests until the other side closes.
fn converse(stream: &TcpStream, answering: &Answering) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let mut lines = Lines { reader: BufReader::new(stream), line: String::new() };
    while let Some(first) = lines.next()? {
        let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut goes_on = first.ends_with("HTTP/1.1");
        while let Some(header) = lines.next()?.filter(|header| !header.is_empty()) {
            goes_on &= !header.eq_ignore_ascii_case("connection: close");
        }
        let Reply { status, body } = answering(&target);
        let (length, connection) = (body.len(), if goes_on { "keep-alive" } else { "close" });
        let head = format!(
            "HTTP/1.1 {status} OK\r\nContent-Type: application/json; charset=utf-8\r\n\
             X-Nsq-Content-Type: nsq; version=1.0\r\nContent-Length: {length}\r\n\
             Connection: {connection}\r\n\r\n"
        );
        (&mut &*stream).write_all(head.as_bytes())?;
        (&mut &*stream).write_all(&body)?;
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

struct Lines<'a> {
    reader: BufReader<&'a TcpStream>,
    line: String,
}

impl Lines<'_> {
    /// The next line without its end; none when the other side has closed.
    fn next(&mut self) -> std::io::Result<Option<&str>> {
        self.line.clear();
        let mut reader = self.reader.by_ref().take(LINE_BYTES_MAX as u64);
        let read = reader.read_line(&mut self.line)?;
        Ok((read > 0).then(|| self.line.trim_end()))
    }
}
