//! One consumer has one connection to one nsqd.

use nsq_client::Config;

use crate::nsqd::{Nsqd, config, message, soon, until};

/// There were two connections, and after a loss they were two for good.
#[tokio::test]
async fn an_nsqd_that_is_named_twice_is_connected_once() {
    let nsqd = Nsqd::start().await;
    let (mut consumer, mut first) = nsqd.consumer(config()).await;
    first.expect(b"RDY 10\n").await;
    let handle = consumer.handle();
    let addresses = [&nsqd.address];
    let (connected, mut second) =
        tokio::join!(consumer.connect_to_nsqds(&addresses), nsqd.identified());
    connected.expect("it is there");
    second.closed().await;
    assert_eq!(handle.connection_count(), 1);
    drop(first);
    let mut again = nsqd.identified().await;
    again.expect(b"SUB t c\nRDY 10\n").await;
    until("the connection", || handle.connection_count() == 1).await;
    soon("stopping", async {
        handle.stop();
        again.expect(b"CLS\n").await;
        again.response("CLOSE_WAIT").await;
        while consumer.next().await.is_some() {}
    })
    .await;
}

/// Whoever deletes a topic closes its connections: a consumer that comes back creates it anew.
#[tokio::test]
async fn a_consumer_that_must_not_reconnect_ends_with_its_connection() {
    let nsqd = Nsqd::start().await;
    let once = Config { reconnect: false, ..config() };
    let (mut consumer, mut client) = nsqd.consumer(once).await;
    client.expect(b"RDY 10\n").await;
    client.send(&message(1, b"x")).await;
    let received = soon("a message", consumer.next()).await.expect("it is connected");
    received.finish();
    drop(client);
    assert!(soon("the end", consumer.next()).await.is_none());
    let again = soon("a refusal", consumer.connect_to_nsqds(&[&nsqd.address])).await;
    assert_eq!(again.expect_err("it has stopped").to_string(), "consumer stopped");
}
