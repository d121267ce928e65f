//! Attacks on the port of HTTP.

use std::io::{self, Write};

use super::{MOMENT, Victim, WHILE, connect, drip, listen, say};
use crate::http;

/// Connections of one round.
const CROWD: usize = 20;
/// Connections of one round of a flood: most of them are held.
const FLOOD: usize = 300;
/// Bytes of a head that is too large, and a bit more.
const HEAD_BYTES: usize = (1 << 20) + 1000;

/// Requests that are open to interpretation, or broken.
const SHAPES: [&str; 12] = [
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\nSMUGGLED\r\n0\r\n\r\n",
    "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "Content-Length: -1\r\n\r\nabc",
    "Content-Length: +3\r\n\r\nabc",
    "Content-Length: 99999999999999999999999\r\n\r\nabc",
    "Transfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked, identity\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
    "Transfer-Encoding: chunked\r\n\r\n3;ext=\"\n\"\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
    "Content-Length: 3\nX: y\n\nabcPOST /topic/delete?topic=none HTTP/1.1\r\n\r\n",
];

pub(super) fn slow_requests(victim: &mut Victim) -> io::Result<()> {
    let address = victim.addresses.http;
    let publish = "POST /pub?topic=hostile%23ephemeral HTTP/1.1\r\nHost: x\r\n";
    let mut clients = Vec::new();
    for _ in 0..CROWD {
        clients.push((connect(address)?, format!("{publish}X-Slow: {}", "y".repeat(50)).into()));
        let sized = say(address, format!("{publish}Content-Length: 100\r\n\r\n").as_bytes())?;
        clients.push((sized, vec![b'x'; 90]));
        let chunked = format!("{publish}Transfer-Encoding: chunked\r\n\r\n");
        clients.push((say(address, chunked.as_bytes())?, b"1\r\nx\r\n".repeat(15)));
    }
    drip(clients)
}

pub(super) fn flood(victim: &mut Victim) -> io::Result<()> {
    let half = b"POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
    let mut held = Vec::new();
    for number in 0..FLOOD {
        match number % 8 {
            0 => drop(connect(victim.addresses.http)?),
            1 => held.push(connect(victim.addresses.http)?),
            2 => held.push(say(victim.addresses.http, &half[..20])?),
            _ => held.push(say(victim.addresses.http, half)?),
        }
    }
    held.last_mut().map_or(Ok(true), |stream| listen(stream, WHILE)).map(drop)
}

pub(super) fn smuggling(victim: &mut Victim) -> io::Result<()> {
    let mut open = Vec::new();
    for path in ["/ping", "/pub?topic=hostile%23ephemeral", "/nowhere"] {
        for shape in SHAPES {
            let request = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{shape}");
            open.push(say(victim.addresses.http, request.as_bytes())?);
        }
    }
    open.iter_mut().try_for_each(|stream| listen(stream, MOMENT).map(drop))
}

pub(super) fn large_heads(victim: &mut Victim) -> io::Result<()> {
    let mut target = b"GET /".to_vec();
    target.resize(HEAD_BYTES, b'a');
    let mut field = b"GET /ping HTTP/1.1\r\nHost: x\r\nX: ".to_vec();
    field.resize(HEAD_BYTES, b'a');
    let mut fields = b"GET /ping HTTP/1.1\r\nHost: x\r\n".to_vec();
    while fields.len() < HEAD_BYTES {
        fields.extend(b"A: b\r\n");
    }
    for head in [target, field, fields] {
        let mut stream = connect(victim.addresses.http)?;
        // It may be answered and closed before all of it was said.
        if stream.write_all(&head).is_ok() {
            listen(&mut stream, MOMENT)?;
        }
    }
    Ok(())
}

pub(super) fn names(victim: &mut Victim) -> io::Result<()> {
    let address = victim.addresses.http;
    let long = "n".repeat(10_000);
    for name in ["..%2f..%2fetc", "%00", "%ff", "%", "a%2fb", "%23ephemeral", long.as_str()] {
        for target in ["/topic/create?topic=", "/topic/delete?topic=", "/pub?topic="] {
            http::post(address, &format!("{target}{name}"), b"x")?;
        }
        http::post(address, &format!("/channel/create?topic=hostile&channel={name}"), b"")?;
        http::get(address, &format!("/stats?format=json&topic={name}&channel={name}"))?;
        http::get(address, &format!("/config/{name}"))?;
        http::get(address, &format!("/{name}/../metrics"))?;
    }
    Ok(())
}
