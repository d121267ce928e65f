//! A server that answers every request with the same bytes, or says nothing at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl HttpServer {
    /// Answers with this status and body, or reads and says nothing.
    pub(crate) async fn start(answer: Option<(&str, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&requests);
        let answer = answer.map(|(status, body)| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\nX-NSQ-Content-Type: nsq; version=1.0\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), Arc::clone(&counted)));
            }
        });
        Self { address, requests }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, answer: Option<String>, counted: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    counted.fetch_add(1, Ordering::Relaxed);
    match answer {
        // Whether it is read is the test's business.
        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
        None => std::future::pending().await,
    }
}
