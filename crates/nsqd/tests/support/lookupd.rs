//! An nsqlookupd that does what a test wants, and notes what it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::eventually;

/// What it does when a connection comes, or a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should be.
    Proper,
    /// It answers to IDENTIFY with this, whatever that is.
    Answers(&'static [u8]),
    /// It reads and says nothing.
    Silent,
}

/// One nsqlookupd. It lives as long as the test's process; its connections end with
/// [`Self::hang_up`].
#[derive(Clone)]
pub(crate) struct Lookupd {
    pub(crate) tcp: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    lines: Vec<String>,
    connections: Vec<TcpStream>,
    manner: Manner,
    /// The answer to `/channels`; none: it says nothing.
    channels: Option<String>,
    http_port: u16,
}

impl Lookupd {
    pub(crate) fn start(manner: Manner) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let http = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound");
        let shared = Arc::new(Mutex::new(Shared {
            lines: Vec::new(),
            connections: Vec::new(),
            manner,
            channels: Some("[]".to_owned()),
            http_port: port(&http).port(),
        }));
        let lookupd = Self { tcp: port(&tcp), shared };
        let (of_tcp, of_http) = (lookupd.clone(), lookupd.clone());
        std::thread::spawn(move || tcp.incoming().flatten().for_each(|s| of_tcp.serve(s)));
        std::thread::spawn(move || http.incoming().flatten().for_each(|s| of_http.answer(s)));
        lookupd
    }

    pub(crate) fn flag(&self) -> String {
        format!("--lookupd-tcp-address={}", self.tcp)
    }

    /// The JSON list that `/channels` answers with; `None`: it does not answer.
    pub(crate) fn set_channels(&self, json: Option<&str>) {
        self.lock().channels = json.map(str::to_owned);
    }

    pub(crate) fn set_manner(&self, manner: Manner) {
        self.lock().manner = manner;
    }

    /// Ends all connections.
    pub(crate) fn hang_up(&self) {
        for connection in self.lock().connections.drain(..) {
            // It may have ended by itself.
            if connection.shutdown(std::net::Shutdown::Both).is_ok() {}
        }
    }

    /// Takes the lines that came so far, without pings, once there are at least so many.
    #[track_caller]
    pub(crate) fn take_lines(&self, count: usize) -> Vec<String> {
        eventually("enough was said", || self.lock().lines.len() >= count);
        std::mem::take(&mut self.lock().lines)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("no thread of the test panicked here")
    }

    fn serve(&self, stream: TcpStream) {
        let copy = stream.try_clone().expect("a socket can be cloned");
        self.lock().connections.push(copy);
        let lookupd = self.clone();
        std::thread::spawn(move || lookupd.converse(stream));
    }

    /// To the end of the connection, however it comes.
    fn converse(&self, stream: TcpStream) -> Option<()> {
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        let mut magic = [0; 4];
        reader.read_exact(&mut magic).ok()?;
        assert_eq!(&magic, b"  V1");
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            let manner = self.lock().manner;
            let mut answer = b"OK".to_vec();
            if line == "IDENTIFY" {
                let mut size = [0; 4];
                reader.read_exact(&mut size).ok()?;
                let mut body = vec![0; u32::from_be_bytes(size) as usize];
                reader.read_exact(&mut body).ok()?;
                self.lock().lines.push(format!("IDENTIFY {}", String::from_utf8_lossy(&body)));
                answer = self.info().into_bytes();
            } else if line != "PING" {
                self.lock().lines.push(line.to_owned());
            }
            match manner {
                Manner::Proper => {
                    let size = u32::try_from(answer.len()).expect("it is short");
                    writer.write_all(&[&size.to_be_bytes()[..], &answer].concat()).ok()?;
                }
                Manner::Answers(bytes) => writer.write_all(bytes).ok()?,
                Manner::Silent => {}
            }
        }
    }

    fn info(&self) -> String {
        let (http, tcp) = (self.lock().http_port, self.tcp.port());
        format!(r#"{{"broadcast_address":"127.0.0.1","hostname":"h","http_port":{http},"#)
            + &format!(r#""tcp_port":{tcp},"version":"1.3.0"}}"#)
    }

    /// One request on a connection of its own.
    fn answer(&self, mut stream: TcpStream) {
        let lookupd = self.clone();
        std::thread::spawn(move || {
            let mut head = [0; 1024];
            let count = stream.read(&mut head).unwrap_or(0);
            let target = String::from_utf8_lossy(&head[..count]);
            let target = target.split(' ').nth(1).unwrap_or_default().to_owned();
            lookupd.lock().lines.push(format!("GET {target}"));
            let channels = lookupd.lock().channels.clone();
            let Some(channels) = channels else {
                // Until the other side has had enough.
                return stream.read(&mut head).map(drop);
            };
            let body = format!("{{\"channels\":{channels}}}");
            let length = body.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")
        });
    }
}
