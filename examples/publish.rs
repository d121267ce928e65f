//! Publishes in several ways: `cargo run --example publish`.

use std::time::Duration;

use nsq_client::{Config, Producer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let producer = Producer::new(&["127.0.0.1:4150"], Config::default())?;

    // One message; nsqd has it when this returns.
    producer.publish("topic-1", "hello").await?;

    // Several as one, and one that comes later.
    producer.publish_multi("topic-1", &["all", "or", "none"]).await?;
    producer.publish_deferred("topic-1", Duration::from_secs(2), "later").await?;

    // Many at the same time share their way: 1000 messages are a few commands.
    let mut receipts = Vec::new();
    for number in 0..1000 {
        receipts.push(producer.enqueue("topic-1", format!("message {number}")).await?);
    }
    for receipt in receipts {
        receipt.await?;
    }

    producer.close().await;
    Ok(())
}
