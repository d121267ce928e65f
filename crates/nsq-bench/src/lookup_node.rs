//! `LookupNode`: what nsqlookupd sees of an nsqd, without the nsqd.

use std::io::{BufReader, Read, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use socket2::Socket;

use crate::connection::connect;

/// First bytes of every connection of an nsqd.
const MAGIC: &[u8; 4] = b"  V1";
/// Longest answer believed: the largest is the one to `IDENTIFY`.
const MAX_ANSWER_BYTES: u32 = 64 << 10;
/// How many commands wait for their answers at once; their lines fit any kernel's buffers.
const UNDER_WAY: usize = 64;

/// One connection of a daemon that registers topics.
pub(crate) struct LookupNode {
    stream: BufReader<Socket>,
}

#[derive(Serialize)]
struct Identity<'a> {
    broadcast_address: &'a str,
    hostname: &'a str,
    http_port: u16,
    tcp_port: u16,
    version: &'a str,
}

impl LookupNode {
    /// Connects and identifies as the node with this name.
    pub(crate) fn open(address: &str, name: &str, timeout: Duration) -> Result<Self> {
        let stream = connect(address)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let mut node = Self { stream: BufReader::new(stream) };
        let identity = Identity {
            broadcast_address: name,
            hostname: name,
            http_port: 4151,
            tcp_port: 4150,
            version: "1.3.0",
        };
        let json = serde_json::to_vec(&identity)?;
        let size = u32::try_from(json.len())?.to_be_bytes();
        node.send(&[&MAGIC[..], b"IDENTIFY\n", &size, &json].concat())?;
        let answer = node.answer()?;
        ensure!(answer.starts_with(b"{"), "IDENTIFY: {}", String::from_utf8_lossy(&answer));
        Ok(node)
    }

    /// Registers a channel of each topic, and so the topic; calls `done` with how many it were.
    pub(crate) fn register<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a str>,
        channel: &str,
        mut done: impl FnMut(u64),
    ) -> Result<()> {
        let lines: Vec<_> =
            topics.into_iter().map(|topic| format!("REGISTER {topic} {channel}\n")).collect();
        for some in lines.chunks(UNDER_WAY) {
            self.send(some.concat().as_bytes())?;
            for line in some {
                self.expect_ok().with_context(|| line.trim_end().to_owned())?;
            }
            done(some.len() as u64);
        }
        Ok(())
    }

    /// Says that it is still there.
    pub(crate) fn ping(&mut self) -> Result<()> {
        self.send(b"PING\n")?;
        self.expect_ok().context("PING")
    }

    fn expect_ok(&mut self) -> Result<()> {
        let answer = self.answer()?;
        ensure!(answer == b"OK", "{}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// An answer is a size and so many bytes.
    fn answer(&mut self) -> Result<Vec<u8>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size);
        ensure!(size <= MAX_ANSWER_BYTES, "an answer of {size} bytes");
        let mut answer = vec![0; size as usize];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }
}
