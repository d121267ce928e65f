//! One connection to an nsqlookupd: lines out, framed answers in.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use nsq_net::{Address, Outgoing, TlsClient, dial};

/// How long connecting, a write or an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A connection that has sent the magic.
#[derive(Debug)]
pub(super) struct Connection {
    stream: BufReader<Outgoing>,
    /// A longer answer is refused.
    max_answer_bytes: usize,
}

impl Connection {
    /// Connects to `host:port`. The name is resolved each time: an nsqlookupd that moved is found
    /// again (nsqio/nsq issue 1233).
    pub(super) async fn open(
        address: &str,
        tls: Option<&TlsClient>,
        max_answer_bytes: usize,
    ) -> io::Result<Self> {
        let stream = dial(&Address::parse(address), tls, PATIENCE).await?;
        let mut connection = Self { stream: BufReader::new(stream), max_answer_bytes };
        connection.send(b"  V1").await?;
        Ok(connection)
    }

    /// Sends IDENTIFY with this JSON. Returns the answer.
    pub(super) async fn identify(&mut self, json: &[u8]) -> io::Result<Vec<u8>> {
        let size = u32::try_from(json.len()).map_err(io::Error::other)?;
        let command = [b"IDENTIFY\n", &size.to_be_bytes()[..], json].concat();
        self.send(&command).await?;
        self.answer().await
    }

    /// Sends all lines, which must fit into the buffers of the kernel, then reads an answer to
    /// each. Go NSQ waits for each answer before it sends the next line.
    pub(super) async fn ask(&mut self, lines: &[String]) -> io::Result<Vec<Vec<u8>>> {
        let mut text = String::new();
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        self.send(text.as_bytes()).await?;
        let mut answers = Vec::with_capacity(lines.len());
        for _ in lines {
            answers.push(self.answer().await?);
        }
        Ok(answers)
    }

    /// Returns when the other side ends the connection, or says something without being asked.
    pub(super) async fn ended(&mut self) -> io::Error {
        match self.stream.read_u8().await {
            Ok(_) => io::Error::new(io::ErrorKind::InvalidData, "an answer to no command"),
            Err(error) => error,
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        soon(self.stream.write_all(bytes)).await?;
        soon(self.stream.flush()).await
    }

    async fn answer(&mut self) -> io::Result<Vec<u8>> {
        let size = soon(self.stream.read_i32()).await?;
        let size = usize::try_from(size).ok().filter(|&size| size <= self.max_answer_bytes);
        let size = size.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "an answer of an impossible size")
        })?;
        // A length is no reason to believe that so much will come.
        let mut answer = Vec::new();
        let mut stream = (&mut self.stream).take(size as u64);
        let read = soon(stream.read_to_end(&mut answer)).await?;
        if read < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(answer)
    }
}

async fn soon<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
