//! An nsqd that does as the test says, and checks what it is told.

use std::future::Future;
use std::time::Duration;

use nsq_client::{Config, Consumer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Only a defect takes so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// What nsqd says of itself, as far as it matters here.
pub(crate) const FACTS: &str = r#"{"max_rdy_count":2500,"msg_timeout":60000}"#;

/// Must be over within [`PATIENCE`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} takes too long"))
}

/// Becomes true within [`PATIENCE`].
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let check = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    soon(what, check).await;
}

/// Ten in flight, and quick attempts to connect again.
pub(crate) fn config() -> Config {
    Config {
        max_in_flight: 10,
        lookupd_poll_interval: Duration::from_millis(10),
        client_id: "me".to_owned(),
        hostname: "here".to_owned(),
        user_agent: "test/1".to_owned(),
        ..Config::default()
    }
}

pub(crate) struct Nsqd {
    listener: TcpListener,
    pub(crate) address: String,
}

/// A client that is connected to it.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Nsqd {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        Self { listener, address }
    }

    pub(crate) async fn accept(&self) -> Client {
        let (stream, _) = soon("a connection", self.listener.accept()).await.expect("a client");
        Client { stream }
    }

    /// A client that has said who it is.
    pub(crate) async fn identified(&self) -> Client {
        let mut client = self.accept().await;
        client.expect(b"  V2IDENTIFY\n").await;
        client.sized().await;
        client.response(FACTS).await;
        client
    }

    /// A client that has subscribed, and a consumer that is it.
    pub(crate) async fn consumer(&self, config: Config) -> (Consumer, Client) {
        let mut consumer = Consumer::new("t", "c", config).expect("a consumer");
        let addresses = [&self.address];
        let (connected, mut client) =
            tokio::join!(consumer.connect_to_nsqds(&addresses), self.identified());
        connected.expect("it is there");
        client.expect(b"SUB t c\n").await;
        (consumer, client)
    }
}

impl Client {
    /// These bytes come next.
    pub(crate) async fn expect(&mut self, bytes: &[u8]) {
        let mut said = vec![0; bytes.len()];
        let wanted = String::from_utf8_lossy(bytes).into_owned();
        let read = soon(&wanted, self.stream.read_exact(&mut said)).await;
        read.unwrap_or_else(|error| panic!("{wanted:?} did not come: {error}"));
        assert_eq!(String::from_utf8_lossy(&said), wanted);
    }

    /// The rest of a line.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            let byte = soon("a line", self.stream.read_u8()).await.expect("a line");
            if byte == b'\n' {
                return String::from_utf8(line).expect("text");
            }
            line.push(byte);
        }
    }

    /// A size and so many bytes.
    pub(crate) async fn sized(&mut self) -> Vec<u8> {
        let size = soon("a size", self.stream.read_u32()).await.expect("a size");
        let mut body = vec![0; size as usize];
        soon("a body", self.stream.read_exact(&mut body)).await.expect("a body");
        body
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        soon("sending", self.stream.write_all(bytes)).await.expect("a client that lives");
    }

    pub(crate) async fn response(&mut self, text: &str) {
        self.send(&frame(0, text.as_bytes())).await;
    }

    pub(crate) async fn error(&mut self, text: &str) {
        self.send(&frame(1, text.as_bytes())).await;
    }

    /// The client closes the connection and says nothing more.
    pub(crate) async fn closed(&mut self) {
        let mut said = Vec::new();
        // That it resets the connection is an end as well.
        drop(soon("the end", self.stream.read_to_end(&mut said)).await);
        assert_eq!(String::from_utf8_lossy(&said), "");
    }
}

/// `(size, type, data)`, as in the documentation of the protocol.
pub(crate) fn frame(kind: u32, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len() + 4).expect("small");
    [&size.to_be_bytes()[..], &kind.to_be_bytes(), data].concat()
}

/// `(timestamp, attempts, id, body)`.
pub(crate) fn message(number: u64, body: &[u8]) -> Vec<u8> {
    let id = format!("{number:016x}");
    let data = [&1_i64.to_be_bytes()[..], &1_u16.to_be_bytes(), id.as_bytes(), body].concat();
    frame(2, &data)
}
