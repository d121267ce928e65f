//! The HTTP side of the fake: publishing, administration, statistics.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::{World, read_sized, read_u32};

/// Answers requests until the client closes; `begun` is what was read of the first one.
pub(super) fn serve(
    world: &World,
    writer: &mut TcpStream,
    begun: &[u8],
    reader: &mut BufReader<TcpStream>,
) -> io::Result<()> {
    world.lock().seen.http_connections += 1;
    let mut begun = String::from_utf8(begun.to_vec()).unwrap();
    loop {
        let mut line = std::mem::take(&mut begun);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let [method, target, "HTTP/1.1"] = words[..] else { panic!("no request: {line:?}") };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = read_body(reader)?;
        let request = format!("{method} {path}");
        *world.lock().seen.requests.entry(request.clone()).or_default() += 1;
        let answer = match request.as_str() {
            "POST /pub" => publish(world, query, vec![body]),
            "POST /mpub" => publish(world, query, batch(&body)?),
            "POST /topic/pause" if world.faults.refuse_pause => answer("500 x", "PAUSE_FAILED"),
            "POST /topic/create"
            | "POST /topic/pause"
            | "POST /topic/unpause"
            | "POST /topic/delete" => {
                assert!(!argument(query, "topic").unwrap().is_empty());
                answer("200 OK", "")
            }
            "POST /channel/create" => {
                assert_eq!(argument(query, "channel"), Some("bench"));
                answer("200 OK", "")
            }
            "GET /stats" if query == "format=json" => answer("200 OK", "{}"),
            // Go's server sends long answers in chunks.
            "GET /stats" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                             4\r\nnsqd\r\nB\r\n version 9\n\r\n0\r\n\r\n"
                .to_owned(),
            "GET /metrics" if world.faults.no_metrics => answer("404 x", "NOT_FOUND"),
            "GET /metrics" => answer("200 OK", "nsq_up 1\n"),
            _ => panic!("unexpected request {line:?}"),
        };
        writer.write_all(answer.as_bytes())?;
    }
}

fn publish(world: &World, query: &str, bodies: Vec<Vec<u8>>) -> String {
    if let Some(defer_ms) = argument(query, "defer") {
        world.lock().seen.deferred.push(defer_ms.to_owned());
    }
    if world.accepts(argument(query, "topic").unwrap(), bodies) {
        answer("200 OK", "OK")
    } else {
        answer("503 Service Unavailable", r#"{"message":"EXITING"}"#)
    }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn argument<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
}

fn read_body(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            None => break,
            Some(("Content-Length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn batch(mut body: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let count = read_u32(&mut body)?;
    let bodies = (0..count).map(|_| read_sized(&mut body)).collect();
    assert!(body.is_empty(), "bytes behind the last message");
    bodies
}
