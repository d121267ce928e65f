//! Consumers and an nsqd that does what it should not.

use std::time::Duration;

use nsq_client::Config;

use crate::nsqd::{Client, Nsqd, config, message, soon, until};

/// nsqd could not read the number, and closed the connection; Go's takes it for something else.
#[tokio::test]
async fn a_delay_beyond_all_measure_is_one_that_nsqd_can_read() {
    let nsqd = Nsqd::start().await;
    let (mut consumer, mut client) = nsqd.consumer(config()).await;
    client.expect(b"RDY 10\n").await;
    client.send(&message(1, b"x")).await;
    let message = soon("a message", consumer.next()).await.expect("a message");
    message.requeue_without_backoff(Duration::MAX);
    let line = client.line().await;
    let delay_ms: i64 = line.split(' ').nth(2).and_then(|it| it.parse().ok()).expect("a number");
    assert!(delay_ms.checked_mul(1_000_000).is_some(), "{line}");
}

/// What came in front of it counted as failures, and the consumer backed off.
#[tokio::test]
async fn nonsense_from_nsqd_is_no_failure_of_the_consumer() {
    let nsqd = Nsqd::start().await;
    let (_consumer, mut client) = nsqd.consumer(config()).await;
    client.expect(b"RDY 10\n").await;
    client.send(&[&message(1, b"x")[..], b"\0\0\0\0\0\0\0\0"].concat()).await;
    let mut again = nsqd.identified().await;
    again.expect(b"SUB t c\nRDY 10\n").await;
}

/// With every new connection more messages waited in the consumer, without an end.
#[tokio::test]
async fn what_lost_connections_left_behind_is_bounded() {
    let nsqd = Nsqd::start().await;
    let (mut consumer, mut client) = nsqd.consumer(config()).await;
    let handle = consumer.handle();
    for round in 0..6 {
        client.expect(b"RDY 10\n").await;
        for number in 0..10 {
            client.send(&message(round * 10 + number, b"x")).await;
        }
        until("all ten", || handle.in_flight() == 10).await;
        drop(client);
        client = nsqd.identified().await;
        client.expect(b"SUB t c\n").await;
    }
    handle.stop();
    client.expect(b"RDY 10\nCLS\n").await;
    client.response("CLOSE_WAIT").await;
    let mut ids = Vec::new();
    while let Some(message) = soon("the end", consumer.next()).await {
        ids.push(message.id().to_string());
        message.finish();
    }
    let newest: Vec<_> = (50..60).map(|number| format!("{number:016x}")).collect();
    assert_eq!(ids, newest);
}

/// Whether it takes all of this.
async fn takes(client: &mut Client, bytes: &[u8]) -> bool {
    tokio::time::timeout(Duration::from_secs(2), client.send(bytes)).await.is_ok()
}

/// The consumer took whatever came, also far more than it had asked for: nsqd sends again what
/// was not answered in time.
#[tokio::test]
async fn an_nsqd_that_sends_more_than_it_may_has_to_wait() {
    let nsqd = Nsqd::start().await;
    let (mut consumer, mut client) = nsqd.consumer(config()).await;
    client.expect(b"RDY 10\n").await;
    let handle = consumer.handle();
    let large: Vec<_> = (0..64).flat_map(|number| message(number, &[b'x'; 16 << 10])).collect();
    let mut count = 0;
    while takes(&mut client, &large).await {
        count += 64;
        assert!(count < 10_000, "no end of it: {} are here", handle.in_flight());
    }
    // It goes on when there is room.
    for _ in 0..count {
        soon("a message", consumer.next()).await.expect("a message").finish();
    }
}

/// With something to touch again and again and an nsqd that read nothing, no timer was left.
#[tokio::test]
async fn touching_does_not_hide_that_nsqd_hangs() {
    let nsqd = Nsqd::start().await;
    let config = Config {
        max_in_flight: 2500,
        auto_touch: true,
        write_timeout: Duration::from_millis(100),
        ..config()
    };
    let mut consumer = nsq_client::Consumer::new("t", "c", config).expect("a consumer");
    let addresses = [&nsqd.address];
    let script = async {
        let mut client = nsqd.accept().await;
        client.expect(b"  V2IDENTIFY\n").await;
        client.sized().await;
        client.response(r#"{"max_rdy_count":2500,"msg_timeout":1}"#).await;
        client.expect(b"SUB t c\nRDY 2500\n").await;
        let all: Vec<_> = (0..2500).flat_map(|number| message(number, b"x")).collect();
        client.send(&all).await;
        client
    };
    let (connected, _client) = tokio::join!(consumer.connect_to_nsqds(&addresses), script);
    connected.expect("it is there");
    nsqd.accept().await;
}
