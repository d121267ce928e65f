//! Prints the messages of a channel: `cargo run -p nsq-client --example consume`.

use nsq_client::{Config, Consumer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config { max_in_flight: 200, ..Config::default() };
    let mut consumer = Consumer::new("topic-1", "channel-1", config)?;
    consumer.connect_to_nsqds(&["127.0.0.1:4150"]).await?;
    while let Some(message) = consumer.next().await {
        println!("{}", String::from_utf8_lossy(message.body()));
        message.finish();
    }
    Ok(())
}
