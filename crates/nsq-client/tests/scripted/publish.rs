//! Producers and an nsqd that does what it should not.

use nsq_client::{Config, Producer, PublishError};

use crate::nsqd::{Client, Nsqd, config, soon};

async fn connected(nsqd: &Nsqd, config: Config) -> (Producer, Client) {
    let producer = Producer::new(&[&nsqd.address], config).expect("a producer");
    let (connected, client) = tokio::join!(producer.connect(), nsqd.identified());
    connected.expect("it is there");
    (producer, client)
}

/// From then on each answer would have been one for the message before.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_ends_the_connection() {
    let nsqd = Nsqd::start().await;
    let (_producer, mut client) = connected(&nsqd, config()).await;
    client.response("OK").await;
    client.closed().await;
}

/// Whatever it said counted as success.
#[tokio::test]
async fn only_ok_says_that_a_message_is_published() {
    let nsqd = Nsqd::start().await;
    let config = Config { publish_retry: false, ..config() };
    let (producer, mut client) = connected(&nsqd, config).await;
    let answering = async {
        client.expect(b"PUB t\n\0\0\0\x01x").await;
        client.response("CLOSE_WAIT").await;
        client.closed().await;
    };
    let (published, ()) = tokio::join!(producer.publish("t", "x"), answering);
    assert!(matches!(published, Err(PublishError::Lost(_))), "{published:?}");
}

/// It would have been waited for and kept, up to 256 MB of it.
#[tokio::test]
async fn an_answer_without_end_is_none() {
    let nsqd = Nsqd::start().await;
    let (_producer, mut client) = connected(&nsqd, config()).await;
    client.send(b"\x0f\0\0\0\0\0\0\0and so on").await;
    client.closed().await;
}

/// The whole of it came up in logs and errors.
#[tokio::test]
async fn a_long_error_is_told_in_short() {
    let nsqd = Nsqd::start().await;
    let (producer, mut client) = connected(&nsqd, config()).await;
    let answering = async {
        client.expect(b"PUB t\n\0\0\0\x01x").await;
        client.error(&format!("E_BAD_TOPIC {}", "x".repeat(500_000))).await;
    };
    let (published, ()) = tokio::join!(producer.publish("t", "x"), answering);
    let error = published.expect_err("refused").to_string();
    assert!(error.starts_with("E_BAD_TOPIC xxx") && error.len() <= 1024, "{}", error.len());
}

/// The answers of commands in one pipeline reach those who wait for them, also on other tasks;
/// what follows an error was not done and is published again.
#[tokio::test]
async fn a_refusal_in_a_pipeline_concerns_one_message_only() {
    let nsqd = Nsqd::start().await;
    let config = Config { publish_retry: false, ..config() };
    let (producer, mut client) = connected(&nsqd, config).await;
    let mut receipts = Vec::new();
    for topic in ["a", "b", "c"] {
        let receipt = producer.enqueue(topic, "x").await.expect("taken in");
        receipts.push(tokio::spawn(receipt));
    }
    client.expect(b"PUB a\n\0\0\0\x01xPUB b\n\0\0\0\x01xPUB c\n\0\0\0\x01x").await;
    client.response("OK").await;
    client.error("E_PUB_FAILED PUB failed").await;
    drop(client);
    let mut again = nsqd.identified().await;
    again.expect(b"PUB c\n\0\0\0\x01x").await;
    again.response("OK").await;
    let mut results = Vec::new();
    for receipt in receipts {
        results.push(soon("an answer", receipt).await.expect("no panic"));
    }
    let refused = PublishError::Refused("E_PUB_FAILED PUB failed".into());
    assert_eq!(results, [Ok(()), Err(refused), Ok(())]);
}

/// Everybody gets on, and the last clone may be dropped while messages are under way.
#[tokio::test]
async fn one_at_a_time_for_many_tasks() {
    let nsqd = Nsqd::start().await;
    let config = Config { max_outstanding: 1, ..config() };
    let (producer, mut client) = connected(&nsqd, config).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let producer = producer.clone();
        tasks.spawn(async move {
            for _ in 0..10 {
                producer.publish("t", "x").await?;
            }
            Ok(())
        });
    }
    drop(producer);
    for _ in 0..500 {
        client.expect(b"PUB t\n\0\0\0\x01x").await;
        client.response("OK").await;
    }
    let results: Vec<Result<(), PublishError>> = soon("all", tasks.join_all()).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    client.closed().await;
}

/// What was handed over before the last clone was dropped goes out, also over a new connection.
#[tokio::test]
async fn what_is_under_way_outlives_its_producer() {
    let nsqd = Nsqd::start().await;
    let (producer, mut client) = connected(&nsqd, config()).await;
    let receipt = producer.enqueue("t", "x").await.expect("taken in");
    drop(producer);
    client.expect(b"PUB t\n\0\0\0\x01x").await;
    drop(client);
    let mut again = nsqd.identified().await;
    again.expect(b"PUB t\n\0\0\0\x01x").await;
    again.response("OK").await;
    assert_eq!(soon("the answer", receipt).await, Ok(()));
    again.closed().await;
}

/// It counted as well, was tried again ten times a second, and publishing waited for it.
#[tokio::test]
async fn an_nsqd_that_only_complains_is_not_well() {
    let nsqd = Nsqd::start().await;
    let lookupd_poll_interval = std::time::Duration::from_secs(60);
    let config = Config { publish_retry: false, lookupd_poll_interval, ..config() };
    let (producer, mut client) = connected(&nsqd, config).await;
    client.error("E_INVALID go away").await;
    client.closed().await;
    let error = loop {
        match producer.publish("t", "x").await.expect_err("nobody answers") {
            PublishError::Lost(_) => {}
            error => break error.to_string(),
        }
    };
    assert_eq!(error, "nsqd said what it should not: E_INVALID go away");
}

/// There were two connections, and the loss of one was taken for that of both.
#[tokio::test]
async fn an_nsqd_that_a_producer_is_given_twice_is_one() {
    let nsqd = Nsqd::start().await;
    let config = Config { publish_retry: false, ..config() };
    let addresses = [&nsqd.address, &nsqd.address];
    let producer = Producer::new(&addresses, config).expect("a producer");
    let (connected, mut client) = tokio::join!(producer.connect(), nsqd.identified());
    connected.expect("it is there");
    drop(nsqd);
    let answering = async {
        for _ in 0..200 {
            client.expect(b"PUB t\n\0\0\0\x01x").await;
            client.response("OK").await;
        }
    };
    let publishing = async {
        for _ in 0..200 {
            assert_eq!(producer.publish("t", "x").await, Ok(()));
        }
    };
    tokio::join!(answering, publishing);
}
