//! An auth server that knows one secret.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::Result;

/// The secret of the scripts as it comes in a query.
const SECRET: &str = "secret=a+secret+%26+more&";
const EVERYTHING: &str = r#"{"ttl":3600,"identity":"a foreign client","authorizations":
    [{"topic":".*","channels":[".*"],"permissions":["subscribe","publish"]}]}"#;

/// Starts one that lives as long as this process.
pub(super) fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            if let Err(error) = stream.and_then(answer) {
                eprintln!("the auth server of this check: {error}");
            }
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    // The rest of the head is read: a close with unread input would destroy the answer.
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = match request.contains(SECRET) {
        true => ("200 OK", EVERYTHING),
        false => ("403 Forbidden", ""),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}
