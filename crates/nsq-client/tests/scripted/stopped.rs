//! What is asked of those that were stopped.

use std::time::Duration;

use nsq_client::{Config, Consumer, Producer, PublishError};

use crate::nsqd::{Nsqd, config, soon};

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
