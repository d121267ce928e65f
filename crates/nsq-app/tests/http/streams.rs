//! Responses that are sent piece by piece.

use std::time::Duration;

use bytes::Bytes;
use nsq_app::http::{Closed, StreamSender};

use crate::daemon::{CONNECTIONS_MAX, Daemon, LARGE_BYTES, stream_of};
use crate::wire::Client;

/// How long to wait for something that must happen. Only a defect makes a test wait so long.
const PATIENCE: Duration = Duration::from_secs(20);

const GET_STREAM: &str = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

const HEAD: &str = "\
HTTP/1.1 200 OK
Content-Type: text/event-stream
Transfer-Encoding: chunked

";

/// A client of a stream, and the stream.
async fn streaming(daemon: &Daemon) -> (Client, StreamSender) {
    let mut client = daemon.connect().await;
    client.send(GET_STREAM).await;
    assert_eq!(client.next_response(false).await, HEAD);
    (client, stream_of(daemon))
}

async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("it happens in time")
}

#[tokio::test]
async fn pieces_arrive_as_they_are_sent_and_the_connection_goes_on() {
    let mut daemon = Daemon::start().await;
    let (mut client, mut sender) = streaming(&daemon).await;
    // The line is there before the first piece.
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /stream");
    for piece in ["data: 1\n\n", "data: 2\n\n"] {
        sender.send(Bytes::from(piece)).await.expect("somebody reads");
        assert_eq!(client.next_chunk().await, piece);
    }
    // An empty piece would be the end of a chunked body.
    sender.send(Bytes::new()).await.expect("somebody reads");
    sender.send(Bytes::from("end")).await.expect("somebody reads");
    drop(sender);
    assert_eq!(client.next_chunk().await, "end");
    assert_eq!(client.next_chunk().await, "");
    assert!(client.is_usable().await);
}

#[tokio::test]
async fn http_1_0_and_close_end_with_the_connection() {
    let daemon = Daemon::start().await;
    for (request, head) in [
        ("GET /stream HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK\nContent-Type: text/event-stream\n\n"),
        (
            "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\nConnection: close\nContent-Type: text/event-stream\n\
             Transfer-Encoding: chunked\n\n",
        ),
    ] {
        let mut client = daemon.connect().await;
        client.send(request).await;
        assert_eq!(client.next_response(false).await, head);
        let mut sender = stream_of(&daemon);
        sender.send(Bytes::from("piece")).await.expect("somebody reads");
        drop(sender);
        let rest = client.rest().await;
        let expected = if head.contains("chunked") { "5\r\npiece\r\n0\r\n\r\n" } else { "piece" };
        assert_eq!(rest, expected);
    }
}

#[tokio::test]
async fn a_client_that_goes_ends_its_stream() {
    let daemon = Daemon::start().await;
    let (client, mut sender) = streaming(&daemon).await;
    drop(client);
    in_time(sender.closed()).await;
    assert_eq!(sender.send(Bytes::from("late")).await, Err(Closed));
    assert_eq!(sender.send(Bytes::new()).await, Err(Closed));
    // The task of the connection is gone, though its sender lives.
    in_time(all_closed(&daemon)).await;
}

/// While somebody sends, too: who has gone is noticed in the middle of it.
#[tokio::test]
async fn a_client_that_goes_in_the_middle_ends_its_stream() {
    let daemon = Daemon::start().await;
    let (client, sender) = streaming(&daemon).await;
    let flood = tokio::spawn(flood(sender));
    drop(client);
    in_time(flood).await.expect("no panic");
    in_time(all_closed(&daemon)).await;
}

async fn all_closed(daemon: &Daemon) {
    while daemon.meter.open() > 0 {
        tokio::task::yield_now().await;
    }
}

/// Sends until that is of no use any more, and says how many bytes went.
async fn flood(mut sender: StreamSender) -> usize {
    let piece = Bytes::from(vec![b'x'; 16 << 10]);
    let mut sent = 0;
    while sender.send(piece.clone()).await.is_ok() {
        sent += piece.len();
    }
    sent
}

/// The clock runs ahead as soon as nobody can go on.
#[tokio::test]
async fn a_client_that_does_not_read_holds_its_stream_up_and_is_dropped() {
    let daemon = Daemon::start().await;
    let (_client, sender) = streaming(&daemon).await;
    tokio::time::pause();
    let sent = tokio::time::timeout(Duration::from_secs(60), flood(sender)).await;
    tokio::time::resume();
    let sent = sent.expect("the stream ended");
    assert!(sent < LARGE_BYTES, "{sent} bytes were taken");
    in_time(all_closed(&daemon)).await;
}

/// As above; by that clock the others would have two seconds.
#[tokio::test]
async fn a_client_that_does_not_read_does_not_hold_up_the_shutdown() {
    let mut daemon = Daemon::start().await;
    let (_client, sender) = streaming(&daemon).await;
    assert_eq!(daemon.next_request().await, "INFO: 200 GET /stream");
    tokio::time::pause();
    let flood = tokio::spawn(flood(sender));
    // Over when all are stuck.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!flood.is_finished());
    daemon.shutdown.begin();
    let closing = format!("INFO: HTTP: closing {}", daemon.address);
    // None about requests that were dropped.
    assert_eq!(daemon.ended().await, [closing]);
    flood.await.expect("no panic");
}

#[tokio::test]
async fn shutdown_ends_streams_in_order() {
    let mut daemon = Daemon::start().await;
    let (mut client, sender) = streaming(&daemon).await;
    let (mut other, mut busy) = streaming(&daemon).await;
    busy.send(Bytes::from("one")).await.expect("somebody reads");
    assert_eq!(other.next_chunk().await, "one");
    for _ in 0..2 {
        assert_eq!(daemon.next_request().await, "INFO: 200 GET /stream");
    }
    daemon.shutdown.begin();
    for client in [&mut client, &mut other] {
        assert_eq!(in_time(client.next_chunk()).await, "");
        assert!(client.is_closed().await);
    }
    in_time(sender.closed()).await;
    in_time(busy.closed()).await;
    assert_eq!(daemon.next_line().await, format!("INFO: HTTP: closing {}", daemon.address));
    daemon.server.await.expect("no panic").expect("an orderly end");
}

#[tokio::test]
async fn streams_make_room() {
    let daemon = Daemon::start().await;
    let (mut client, sender) = streaming(&daemon).await;
    let mut others = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut other = daemon.connect().await;
        assert!(other.is_usable().await);
        others.push(other);
    }
    assert_eq!(in_time(client.next_chunk()).await, "");
    assert!(client.is_closed().await);
    in_time(sender.closed()).await;
}
