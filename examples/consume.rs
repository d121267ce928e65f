//! Prints the messages of a channel: `cargo run --example consume`.

use nsq_client::{Config, Consumer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let nsqd = std::env::args().nth(1).unwrap_or("127.0.0.1:4150".to_owned());
    let config = Config { max_in_flight: 200, ..Config::default() };
    let mut consumer = Consumer::new("topic-1", "channel-1", config)?;
    consumer.connect_to_nsqds(&[nsqd]).await?;
    while let Some(message) = consumer.next().await {
        println!("{}", String::from_utf8_lossy(message.body()));
        message.finish();
    }
    Ok(())
}
