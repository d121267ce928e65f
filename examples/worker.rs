//! A worker that looks for its nsqd nodes, handles several messages at a time, and tries again what
//! fails: `cargo run --example worker`, then for example
//! `curl -d 7 'http://127.0.0.1:4151/pub?topic=numbers'`. Ctrl-C ends it when its messages are
//! done.

use std::time::Duration;

use nsq_client::{Config, Consumer, Handler, Message};

struct Squares;

impl Handler for Squares {
    type Error = std::num::ParseIntError;

    async fn handle(&self, message: &Message) -> Result<(), Self::Error> {
        let text = String::from_utf8_lossy(message.body());
        // What is no number is requeued, and after `max_attempts` given up.
        let number: u64 = text.trim().parse()?;
        // Work that takes its time. `auto_touch` keeps nsqd from giving the message away.
        tokio::time::sleep(Duration::from_secs(number.min(120))).await;
        println!("{number} x {number} = {}", u128::from(number).pow(2));
        Ok(())
    }

    async fn on_given_up(&self, message: &Message) {
        println!("no number: {}", String::from_utf8_lossy(message.body()));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config {
        max_in_flight: 10,
        max_attempts: 3,
        default_requeue_delay: Duration::from_secs(1),
        auto_touch: true,
        ..Config::default()
    };
    let mut consumer = Consumer::new("numbers", "squares", config)?;
    consumer.connect_to_lookupds(&["127.0.0.1:4161"]).await?;
    let handle = consumer.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.stop();
        }
    });
    consumer.run(Squares, 10).await;
    Ok(())
}
