//! Answers that are shorter on their way.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::read::{DeflateDecoder, GzDecoder};
use nsq_sim::Daemon;

use super::support::{Admin, PATIENCE};

/// Head and body of the answer.
#[track_caller]
fn fetch(admin: &Admin, target: &str, coding: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(admin.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a valid timeout");
    let request = format!("GET {target} HTTP/1.0\r\nAccept-Encoding: {coding}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("a whole answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).expect("heads are ASCII"), body)
}

#[test]
fn answers_are_compressed_for_those_who_accept_it() {
    let lookupd = Daemon::lookupd(&[]);
    for number in 0..40 {
        lookupd.order(&format!("/topic/create?topic=orders_{number}"), "");
    }
    let admin = Admin::of_lookupds(&[lookupd.addresses().http], &[]);
    let (head, plain) = fetch(&admin, "/api/topics", "br");
    assert!(!head.contains("Content-Encoding"), "{head}");
    let text = String::from_utf8(plain.clone()).expect("UTF-8");
    assert!(text.contains("orders_39"), "{text}");

    let (head, body) = fetch(&admin, "/api/topics", "gzip, deflate, br");
    assert!(head.contains("\r\nContent-Encoding: gzip\r\n"), "{head}");
    assert!(head.contains("\r\nVary: Accept-Encoding\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: application/json; charset=utf-8\r\n"), "{head}");
    let mut decoded = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut decoded).expect("gzip");
    assert!(decoded == plain && body.len() < plain.len() / 2);

    let (head, body) = fetch(&admin, "/api/topics", "deflate");
    assert!(head.contains("\r\nContent-Encoding: deflate\r\n"), "{head}");
    let mut decoded = Vec::new();
    DeflateDecoder::new(&body[..]).read_to_end(&mut decoded).expect("deflate");
    assert!(decoded == plain);

    // Too short to gain by it.
    let (head, body) = fetch(&admin, "/ping", "gzip");
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{head}");
    assert_eq!(body, b"OK");
}
