//! One consumer has one connection to one nsqd.

use crate::nsqd::{Nsqd, config, soon, until};

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
