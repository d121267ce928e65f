//! The connection of one nsqd.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use nsq_app::duration::DurationText;
use nsq_net::{Incoming, Peer as NetPeer};
use nsq_proto::{ChannelName, TopicName};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
    ReadHalf, WriteHalf,
};
use tokio::time::timeout;

use crate::command::{self, Command};
use crate::crowd::Presence;
use crate::daemon::Daemon;
use crate::identify;
use crate::registry::{ConnectionId, Peer, Registration};

const MAGIC: [u8; 4] = *b"  V1";
/// How long a connection may take to send the magic.
const MAGIC_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take no byte of its responses.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest command line; names make it 160 bytes at most.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// Largest body of `IDENTIFY`.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long, and how much, is read after an error, so that the client gets to read it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: u64 = 2 * BODY_BYTES_MAX as u64;

/// How a connection ends.
enum End {
    /// The client closed, in the middle of a command or not.
    Closed,
    /// The client broke a rule: this is its last response.
    Refused(Vec<u8>),
    /// The connection broke.
    Broken(io::Error),
    /// There are too many, and this one is wanted least.
    Unwanted,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Broken(error),
        }
    }
}

/// Reads commands, changes the registry, writes responses.
///
/// ```text
/// magic ──"  V1"──> anonymous ──IDENTIFY──> identified ──end──> registered nowhere
/// ```
pub(crate) struct Connection {
    daemon: Arc<Daemon>,
    number: ConnectionId,
    address: NetPeer,
    presence: Arc<Presence>,
    input: BufReader<ReadHalf<Incoming>>,
    output: BufWriter<WriteHalf<Incoming>>,
    peer: Option<Arc<Peer>>,
    line: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(
        daemon: Arc<Daemon>,
        number: ConnectionId,
        address: NetPeer,
        presence: Arc<Presence>,
        stream: Incoming,
    ) -> Self {
        let (input, output) = tokio::io::split(stream);
        let (input, output) = (BufReader::new(input), BufWriter::new(output));
        Self { daemon, number, address, presence, input, output, peer: None, line: Vec::new() }
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(mut self) {
        let (daemon, address) = (Arc::clone(&self.daemon), self.address);
        let _open = daemon.tcp.accept();
        daemon.log.info(format_args!("TCP: new client({address})"));
        let (shutdown, presence) = (daemon.shutdown.clone(), Arc::clone(&self.presence));
        let end = tokio::select! {
            end = self.serve() => end,
            () = shutdown.wait() => End::Closed,
            () = presence.unwanted() => End::Unwanted,
        };
        // First of all, so that nobody is sent to an nsqd that may be gone.
        self.leave();
        match end {
            End::Closed => daemon.log.info(format_args!("client({address}) - closed")),
            End::Broken(error) => {
                daemon.log.error(format_args!("client({address}) - {error}"));
                // The reason may be a handshake that failed, which the client is to learn.
                linger(&mut self.input).await;
            }
            End::Unwanted => {
                daemon.log.info(format_args!("client({address}) - closed to make room"));
            }
            End::Refused(text) => self.refuse(&text).await,
        }
        daemon.log.info(format_args!("PROTOCOL(V1): [{address}] exiting ioloop"));
    }

    async fn serve(&mut self) -> End {
        match self.greet().await {
            Ok(()) => {}
            Err(end) => return end,
        }
        loop {
            if let Err(end) = self.serve_command().await {
                return end;
            }
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let mut magic = [0; MAGIC.len()];
        match timeout(MAGIC_TIMEOUT, self.input.read_exact(&mut magic)).await {
            Err(_) => return Err(End::Broken(io::ErrorKind::TimedOut.into())),
            Ok(read) => read?,
        };
        let (log, address) = (&self.daemon.log, self.address);
        let shown = String::from_utf8_lossy(&magic);
        log.info(format_args!("CLIENT({address}): desired protocol magic '{shown}'"));
        if magic != MAGIC {
            return Err(End::Refused(b"E_BAD_PROTOCOL".to_vec()));
        }
        Ok(())
    }

    async fn serve_command(&mut self) -> Result<(), End> {
        self.read_line().await?;
        let command = command::parse(&self.line, self.peer.is_some()).map_err(End::Refused)?;
        let daemon = Arc::clone(&self.daemon);
        self.presence.hear(daemon.clock.now_ns());
        let response = match command {
            Command::Identify => {
                self.identify().await?;
                daemon.identity.as_slice()
            }
            Command::Ping => {
                self.ping();
                b"OK"
            }
            Command::Register(topic, channel) => {
                self.register(&topic, channel.as_ref());
                b"OK"
            }
            Command::Unregister(topic, channel) => {
                self.unregister(&topic, channel.as_ref());
                b"OK"
            }
        };
        let in_time = timeout(WRITE_TIMEOUT, async {
            write(&mut self.output, response).await?;
            // What came in one piece is answered in one piece.
            match self.input.buffer().contains(&b'\n') {
                true => Ok(()),
                false => self.output.flush().await,
            }
        });
        in_time.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        Ok(())
    }

    /// Reads to the end of a line.
    async fn read_line(&mut self) -> Result<(), End> {
        self.line.clear();
        loop {
            let buffer = self.input.fill_buf().await?;
            if buffer.is_empty() {
                return Err(End::Closed);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            if self.line.len() + piece.len() > LINE_BYTES_MAX {
                return Err(End::Refused(b"E_INVALID command line too long".to_vec()));
            }
            self.line.extend_from_slice(piece);
            let used = end.map_or(buffer.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                return Ok(());
            }
        }
    }

    async fn identify(&mut self) -> Result<(), End> {
        let refused = |text: String| End::Refused(format!("E_BAD_BODY IDENTIFY {text}").into());
        let ended = |what: &str, error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => refused(format!("failed to read {what}")),
            _ => End::Broken(error),
        };
        // The size may be a while in coming: nothing that was answered should wait for it.
        self.output.flush().await?;
        let size = self.input.read_i32().await.map_err(|error| ended("body size", error))?;
        let length = usize::try_from(size);
        let length = length.map_err(|_| refused(format!("invalid body size {size}")))?;
        if length > BODY_BYTES_MAX {
            return Err(refused(format!("body too big {length} > {BODY_BYTES_MAX}")));
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).await.map_err(|error| ended("body", error))?;
        let identity = identify::parse(&body).map_err(|text| End::Refused(text.to_vec()))?;
        let (daemon, address) = (&self.daemon, self.address);
        daemon.log.info(format_args!(
            "CLIENT({address}): IDENTIFY Address:{} TCP:{} HTTP:{} Version:{}",
            identity.broadcast_address, identity.tcp_port, identity.http_port, identity.version
        ));
        let now_ns = daemon.clock.now_ns();
        let peer = Arc::new(Peer::new(self.number, address.to_string(), identity, now_ns));
        daemon.registry.connect(&peer);
        self.presence.identify();
        self.peer = Some(peer);
        self.log_change("REGISTER", "client", "", "");
        Ok(())
    }

    fn ping(&self) {
        let Some(peer) = &self.peer else { return };
        let (daemon, address) = (&self.daemon, self.address);
        let now_ns = daemon.clock.now_ns();
        let before_ns = daemon.registry.ping(peer, now_ns);
        let age = u64::try_from(now_ns.saturating_sub(before_ns)).unwrap_or(0);
        let age = DurationText(Duration::from_nanos(age));
        daemon.log.info(format_args!("CLIENT({address}): pinged (last ping {age})"));
    }

    fn register(&self, topic: &TopicName, channel: Option<&ChannelName>) {
        let peer = self.peer.as_ref().expect("the command was admitted");
        let registered = self.daemon.registry.register(peer, topic, channel);
        if let Some(channel) = channel.filter(|_| registered.channel) {
            self.log_change("REGISTER", "channel", topic.as_str(), channel.as_str());
        }
        if registered.topic {
            self.log_change("REGISTER", "topic", topic.as_str(), "");
        }
    }

    fn unregister(&self, topic: &TopicName, channel: Option<&ChannelName>) {
        let (daemon, address) = (&self.daemon, self.address);
        if let Some(channel) = channel {
            let gone = daemon.registry.unregister_channel(self.number, topic, channel);
            if !gone.channels.is_empty() {
                self.log_change("UNREGISTER", "channel", topic.as_str(), channel.as_str());
            }
            return;
        }
        let gone = daemon.registry.unregister_topic(self.number, topic);
        for channel in gone.channels {
            daemon.log.warning(format_args!(
                "client({address}) unexpected UNREGISTER category:channel key:{topic} \
                 subkey:{channel}"
            ));
        }
        if gone.topic {
            self.log_change("UNREGISTER", "topic", topic.as_str(), "");
        }
    }

    /// Takes the nsqd out of the registry.
    fn leave(&mut self) {
        if self.peer.take().is_none() {
            return;
        }
        for Registration { topic, channel } in self.daemon.registry.disconnect(self.number) {
            match channel {
                Some(channel) => {
                    self.log_change("UNREGISTER", "channel", topic.as_str(), channel.as_str());
                }
                None => self.log_change("UNREGISTER", "topic", topic.as_str(), ""),
            }
        }
        self.log_change("UNREGISTER", "client", "", "");
    }

    fn log_change(&self, what: &str, category: &str, key: &str, subkey: &str) {
        let address = self.address;
        self.daemon.log.info(format_args!(
            "DB: client({address}) {what} category:{category} key:{key} subkey:{subkey}"
        ));
    }

    /// Writes the last response, and reads on for a while: closing with input unread would destroy
    /// the response on its way.
    async fn refuse(&mut self, text: &[u8]) {
        let address = self.address;
        let shown = String::from_utf8_lossy(text);
        self.daemon.log.error(format_args!("client({address}) - {shown}"));
        let last = async {
            write(&mut self.output, text).await?;
            self.output.flush().await?;
            self.output.shutdown().await?;
            io::Result::Ok(())
        };
        // Otherwise the client will not read it.
        if let Ok(Ok(())) = timeout(LINGER, last).await {
            linger(&mut self.input).await;
        }
    }
}

impl Drop for Connection {
    /// However its task ends.
    fn drop(&mut self) {
        self.leave();
    }
}

/// Reads for a while what nobody wants.
async fn linger(input: &mut (impl AsyncRead + Unpin)) {
    let mut rest = input.take(LINGER_BYTES_MAX);
    match timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await {
        // The client has read our last words, or will not.
        Ok(_) | Err(_) => {}
    }
}

/// Writes a response: its size and its bytes, without a type.
async fn write(output: &mut (impl AsyncWrite + Unpin), response: &[u8]) -> io::Result<()> {
    let size = i32::try_from(response.len()).expect("a line or less");
    output.write_i32(size).await?;
    output.write_all(response).await
}
