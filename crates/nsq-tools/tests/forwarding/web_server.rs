//! An HTTP server that does what a test wants, and notes what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// It lives as long as the test's process.
#[derive(Clone)]
pub(crate) struct WebServer {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// `POST /path HTTP/1.1` and the headers, line by line.
    pub(crate) head: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// The number of its connection.
    pub(crate) connection: usize,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// This status, further headers, and this body.
    Status(u16, &'static str, String),
    /// These bytes and the end of the connection.
    Raw(&'static str),
    /// Nothing; the connection stays open.
    Silence,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, "", "done".to_owned())
    }
}

impl WebServer {
    /// `reply` gets the request and how many came before it.
    pub(crate) fn start(reply: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let server = Self { address, requests: Arc::default() };
        let (serving, reply) = (server.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for (stream, number) in listener.incoming().zip(0..) {
                let (serving, reply) = (serving.clone(), Arc::clone(&reply));
                let stream = stream.expect("a connection");
                // A client that leaves ends its thread.
                std::thread::spawn(move || serving.serve(stream, number, &*reply));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no thread panicked").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().expect("no thread panicked").len()
    }

    fn serve(
        &self,
        stream: TcpStream,
        number: usize,
        reply: &dyn Fn(&Request, usize) -> Reply,
    ) -> std::io::Result<()> {
        let mut input = BufReader::new(stream.try_clone()?);
        let mut output = stream;
        while let Some(request) = read(&mut input, number)? {
            let before = {
                let mut requests = self.requests.lock().expect("no thread panicked");
                requests.push(request.clone());
                requests.len() - 1
            };
            match reply(&request, before) {
                Reply::Status(status, headers, body) => {
                    let length = body.len();
                    let head =
                        format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}");
                    output.write_all(format!("{head}\r\n{body}").as_bytes())?;
                }
                Reply::Raw(bytes) => return output.write_all(bytes.as_bytes()),
                Reply::Silence => {
                    let mut rest = Vec::new();
                    input.read_to_end(&mut rest)?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Request {
    /// The request line.
    pub(crate) fn line(&self) -> &str {
        &self.head[0]
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head[1..].iter().filter_map(|line| line.split_once(": "));
        pairs.filter(|(found, _)| *found == name).map(|(_, value)| value).next()
    }
}

fn read(input: &mut impl BufRead, connection: usize) -> std::io::Result<Option<Request>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let mut request = Request { head, body: Vec::new(), connection };
    let length = request.header("Content-Length").and_then(|text| text.parse().ok());
    request.body.resize(length.unwrap_or(0), 0);
    input.read_exact(&mut request.body)?;
    Ok(Some(request))
}
