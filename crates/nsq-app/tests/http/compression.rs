//! Bodies that are shorter on their way.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, GzDecoder};

use crate::daemon::{Daemon, stream_of};

/// How the answer is encoded, and how long it is, with what is decoded in its place.
async fn ask(daemon: &Daemon, request: &str, accepted: &str) -> (String, usize, Vec<u8>) {
    let mut client = daemon.connect().await;
    client.send(format!("{request} HTTP/1.1\r\nHost: x\r\n{accepted}\r\n")).await;
    let (head, body) = client.next_head_and_body(!request.starts_with("HEAD")).await;
    assert!(head.contains("\nVary: Accept-Encoding\n"), "{head}");
    let coding = head.lines().find_map(|line| line.strip_prefix("Content-Encoding: "));
    let coding = coding.unwrap_or_default().to_owned();
    let mut plain = Vec::new();
    match coding.as_str() {
        "gzip" => GzDecoder::new(&body[..]).read_to_end(&mut plain).expect("gzip"),
        "deflate" => DeflateDecoder::new(&body[..]).read_to_end(&mut plain).expect("deflate"),
        _ => {
            plain.clone_from(&body);
            0
        }
    };
    assert!(client.is_usable().await);
    (coding, body.len(), plain)
}

#[tokio::test]
async fn the_first_coding_of_the_list_is_taken() {
    let daemon = Daemon::compressing().await;
    for (accepted, expected) in [
        ("Accept-Encoding: gzip\r\n", "gzip"),
        ("Accept-Encoding: br, deflate, gzip\r\n", "deflate"),
        ("Accept-Encoding: gzip;q=0, deflate;q=0.5\r\n", "deflate"),
        ("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", "gzip"),
        ("Accept-Encoding: br, *\r\n", ""),
        ("Accept-Encoding: \r\n", ""),
        ("", ""),
    ] {
        // Long enough for the other thread, too.
        for count in [256, 5000, 65_536, 65_537, 3_000_000] {
            let (coding, length, plain) =
                ask(&daemon, &format!("GET /letters/{count}"), accepted).await;
            assert_eq!(coding, expected, "{accepted}");
            assert!(plain == vec![b'x'; count], "{accepted} {count}");
            assert_eq!(length < count, !coding.is_empty(), "{accepted} {count}");
        }
    }
}

#[tokio::test]
async fn what_does_not_gain_is_sent_as_it_is() {
    let daemon = Daemon::compressing().await;
    for request in ["GET /letters/255", "GET /image/5000", "GET /nowhere", "POST /topic/create"] {
        let (coding, _, _) = ask(&daemon, request, "Accept-Encoding: gzip\r\n").await;
        assert_eq!(coding, "", "{request}");
    }
    let (coding, length, _) = ask(&daemon, "HEAD /letters/5000", "Accept-Encoding: gzip\r\n").await;
    assert_eq!((coding.as_str(), length), ("", 0));
}

#[tokio::test]
async fn failures_are_compressed_like_answers() {
    let daemon = Daemon::compressing().await;
    let path = "x".repeat(1000);
    // The page of a redirect repeats the path.
    let target = format!("GET //letters/{path}");
    let (coding, _, plain) = ask(&daemon, &target, "Accept-Encoding: gzip\r\n").await;
    assert_eq!(coding, "gzip");
    let page = format!("<a href=\"/letters/{path}\">Moved Permanently</a>.\n\n");
    assert_eq!(String::from_utf8(plain).expect("UTF-8"), page);
}

#[tokio::test]
async fn streams_are_not_compressed() {
    let daemon = Daemon::compressing().await;
    let mut client = daemon.connect().await;
    client.send("GET /stream HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n").await;
    let head = client.next_response(false).await;
    assert!(!head.contains("Encoding: gzip") && !head.contains("Vary"), "{head}");
    let mut sender = stream_of(&daemon);
    sender.send(Bytes::from(vec![b'x'; 1000])).await.expect("somebody reads");
    assert_eq!(client.next_chunk().await, "x".repeat(1000));
}

#[tokio::test]
async fn nothing_is_compressed_unless_it_is_asked_for() {
    let daemon = Daemon::start().await;
    let mut client = daemon.connect().await;
    let request = "GET /letters/1000 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
    let response = client.ask(request).await;
    assert!(!response.contains("Content-Encoding") && !response.contains("Vary"), "{response}");
}
