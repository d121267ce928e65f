//! How fast this client is, against an nsqd that runs already:
//!
//! ```text
//! cargo run --release --example throughput -- publish 16 [ADDRESS]
//! cargo run --release --example throughput -- consume 2500 [ADDRESS]
//! cargo run --release --example throughput -- handle 2500 [ADDRESS]
//! ```
//!
//! `publish N`: N tasks, each of which publishes 200 bytes and waits for the answer, for 5 s.
//! `consume N`: fills a topic of its own with a million messages, then takes and finishes them with
//! N in flight. `handle N`: the same with a handler in 16 tasks.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nsq_client::{Config, Consumer, ConsumerHandle, Handler, Message, Producer};
use tokio::task::JoinSet;

const BODY: [u8; 200] = [b'x'; 200];
const LASTS: Duration = Duration::from_secs(5);
const CONSUMED: usize = 1_000_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.get(2).map_or("127.0.0.1:4150", String::as_str);
    let number: u32 = arguments.get(1).map_or(Ok(16), |text| text.parse())?;
    let topic = format!("throughput-{}", std::process::id());
    match arguments.first().map(String::as_str) {
        Some("publish") => publish(address, &topic, number).await,
        Some("consume") => consume(address, &topic, number).await,
        Some("handle") => handle(address, &topic, number).await,
        _ => Err("publish, consume or handle?".into()),
    }
}

async fn publish(address: &str, topic: &str, tasks: u32) -> Outcome<()> {
    let producer = Producer::new(&[address], Config::default())?;
    producer.connect().await?;
    let started = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (producer, topic) = (producer.clone(), topic.to_owned());
        running.spawn(async move {
            let mut count = 0_u64;
            while started.elapsed() < LASTS {
                producer.publish(&topic, BODY).await?;
                count += 1;
            }
            Outcome::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(done) = running.join_next().await {
        count += done??;
    }
    let rate = count as f64 / started.elapsed().as_secs_f64();
    println!("{tasks} tasks: {rate:.0} publishes/s");
    Ok(())
}

async fn consume(address: &str, topic: &str, in_flight: u32) -> Outcome<()> {
    let mut consumer = filled(address, topic, in_flight).await?;
    let started = Instant::now();
    consumer.connect_to_nsqds(&[address]).await?;
    for _ in 0..CONSUMED {
        let Some(message) = consumer.next().await else { break };
        message.finish();
    }
    let rate = CONSUMED as f64 / started.elapsed().as_secs_f64();
    println!("{in_flight} in flight: {rate:.0} messages/s");
    consumer.stop().await;
    Ok(())
}

struct Counter {
    left: AtomicUsize,
    consumer: ConsumerHandle,
}

impl Handler for Counter {
    type Error = Infallible;

    async fn handle(&self, _: &Message) -> Result<(), Infallible> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.consumer.stop();
        }
        Ok(())
    }
}

async fn handle(address: &str, topic: &str, in_flight: u32) -> Outcome<()> {
    let mut consumer = filled(address, topic, in_flight).await?;
    let counter = Counter { left: AtomicUsize::new(CONSUMED), consumer: consumer.handle() };
    let started = Instant::now();
    consumer.connect_to_nsqds(&[address]).await?;
    consumer.run(counter, 16).await;
    let rate = CONSUMED as f64 / started.elapsed().as_secs_f64();
    println!("{in_flight} in flight, 16 handlers: {rate:.0} messages/s");
    Ok(())
}

/// A consumer of a topic with that many messages, not connected yet.
async fn filled(address: &str, topic: &str, in_flight: u32) -> Outcome<Consumer> {
    let config = Config { max_in_flight: in_flight, ..Config::default() };
    let producer = Producer::new(&[address], config.clone())?;
    for _ in 0..CONSUMED / 1000 {
        producer.publish_multi(topic, &[BODY; 1000]).await?;
    }
    Ok(Consumer::new(topic, "channel", config)?)
}
