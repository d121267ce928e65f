//! An auth server that says what a test wants, and notes what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Certificates;
use super::layers::Layer;

/// One auth server. It lives as long as the test's process.
#[derive(Clone)]
pub(crate) struct AuthServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// The heads of the requests, line by line.
    requests: Vec<Vec<String>>,
    /// Those that got no answer.
    held: Vec<TcpStream>,
    reply: Reply,
}

/// What it answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status and this body.
    Status(u16, String),
    /// These bytes and the end.
    Raw(Vec<u8>),
    /// Nothing; the connection stays open.
    Silence,
}

impl Reply {
    /// 200 with this body.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Status(200, body.into())
    }
}

impl AuthServer {
    pub(crate) fn start(reply: Reply) -> Self {
        Self::serve(reply, None)
    }

    /// One that speaks TLS, with the certificate of the server.
    pub(crate) fn start_securely(reply: Reply, certificates: &Certificates) -> Self {
        Self::serve(reply, Some(certificates.of_server()))
    }

    fn serve(reply: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let shared = Shared { requests: Vec::new(), held: Vec::new(), reply };
        let server = Self { address, shared: Arc::new(Mutex::new(shared)) };
        let serving = server.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let held = socket.try_clone().expect("a descriptor is free");
                match &tls {
                    None => serving.answer(Box::new(socket), held),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config));
                        let connection = connection.expect("a valid configuration");
                        serving.answer(Box::new(StreamOwned::new(connection, socket)), held);
                    }
                }
            }
        });
        server
    }

    pub(crate) fn flag(&self) -> String {
        format!("--auth-http-address={}", self.address)
    }

    /// From now on it answers so.
    pub(crate) fn replies(&self, reply: Reply) {
        self.lock().reply = reply;
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<Vec<String>> {
        self.lock().requests.clone()
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.lock().requests.len()
    }

    /// Ends the connections that got no answer.
    pub(crate) fn hang_up(&self) {
        for socket in self.lock().held.drain(..) {
            socket.shutdown(Shutdown::Both).expect("it is connected");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no test panics while it is locked")
    }

    fn answer(&self, stream: Box<dyn Layer>, socket: TcpStream) {
        let mut reader = BufReader::new(stream);
        let lines = reader.by_ref().lines().map_while(Result::ok);
        let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        if head.is_empty() {
            // A handshake that failed, for instance.
            return;
        }
        let reply = {
            let mut shared = self.lock();
            shared.requests.push(head);
            shared.reply.clone()
        };
        let bytes = match reply {
            Reply::Silence => {
                self.lock().held.push(socket);
                return;
            }
            Reply::Raw(bytes) => bytes,
            Reply::Status(status, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {length}\r\n");
                format!("{head}Connection: close\r\n\r\n{body}").into_bytes()
            }
        };
        match reader.get_mut().write_all(&bytes) {
            // A daemon that has given up meanwhile is no failure of the test.
            Ok(()) | Err(_) => {}
        }
    }
}
