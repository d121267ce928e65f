//! What is asked of those that were stopped.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::Duration;

use nsq_client::{Config, Consumer, Handler, Message, Producer, PublishError};

use crate::nsqd::{Nsqd, config, message, soon};

/// Tells that it has begun, and never ends.
struct Stuck(mpsc::Sender<()>);

impl Handler for Stuck {
    type Error = Infallible;

    async fn handle(&self, _: &Message) -> Result<(), Infallible> {
        self.0.send(()).expect("the test waits");
        std::future::pending().await
    }
}

/// It began the tasks of a runtime that was no more again and again, as fast as it could.
#[test]
fn handling_ends_with_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (consumer, _client) = runtime.block_on(async {
        let nsqd = Nsqd::start().await;
        let (consumer, mut client) = nsqd.consumer(config()).await;
        client.send(&message(1, b"x")).await;
        (consumer, client)
    });
    let ((begun, begins), (ended, ends)) = (mpsc::channel(), mpsc::channel());
    let outside = runtime.handle().clone();
    std::thread::spawn(move || {
        outside.block_on(consumer.run(Stuck(begun), 2));
        ended.send(()).expect("the test waits");
    });
    let patience = Duration::from_secs(20);
    begins.recv_timeout(patience).expect("the message");
    runtime.shutdown_background();
    ends.recv_timeout(patience).expect("the end");
}

/// It was connected and said that all was well.
#[tokio::test]
async fn a_consumer_that_was_stopped_does_not_connect() {
    let nsqd = Nsqd::start().await;
    let unused = Consumer::new("t", "c", config()).expect("a consumer");
    let (used, _client) = nsqd.consumer(config()).await;
    for mut consumer in [unused, used] {
        consumer.handle().stop();
        let direct = soon("connecting", consumer.connect_to_nsqds(&[&nsqd.address])).await;
        assert_eq!(direct.map_err(|error| error.to_string()), Err("consumer stopped".to_owned()));
        let found = soon("connecting", consumer.connect_to_lookupds(&["127.0.0.1:1"])).await;
        assert_eq!(found.map_err(|error| error.to_string()), Err("consumer stopped".to_owned()));
    }
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_connection() {
    let nsqd = Nsqd::start().await;
    let config = Config { handshake_timeout: Duration::from_secs(3600), ..config() };
    let mut consumer = Consumer::new("t", "c", config).expect("a consumer");
    let handle = consumer.handle();
    let addresses = [&nsqd.address];
    let stopping = async {
        let client = nsqd.accept().await;
        handle.stop();
        client
    };
    let both = async { tokio::join!(consumer.connect_to_nsqds(&addresses), stopping).0 };
    let error = soon("connecting", both).await.expect_err("stopped");
    assert_eq!(error.to_string(), "consumer stopped");
}

/// It waited for `publish_timeout`, and then knew no nsqd.
#[tokio::test]
async fn a_producer_that_was_closed_does_not_connect() {
    let nsqd = Nsqd::start().await;
    let producer = Producer::new(&[&nsqd.address], config()).expect("a producer");
    soon("closing", producer.close()).await;
    assert_eq!(soon("connecting", producer.connect()).await, Err(PublishError::Stopped));
    assert_eq!(producer.publish("t", "x").await, Err(PublishError::Stopped));
}
