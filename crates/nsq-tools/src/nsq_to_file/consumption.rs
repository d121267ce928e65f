//! The messages of one topic, as they come from nsqd.

use nsq_client::{Consumer, ConsumerHandle, Message};
use tokio::sync::mpsc;

use super::recorder::{Record, Source};
use super::settings::Settings;
use crate::cli::Sources;

/// How many messages wait here at most; the others wait in the consumer.
const WAITING_MAX: u32 = 10_000;

impl Record for Message {
    fn body(&self) -> &[u8] {
        self.body()
    }

    fn finish(&self) {
        self.finish();
    }
}

impl Source for ConsumerHandle {
    fn is_starved(&self) -> bool {
        self.is_starved()
    }

    fn stop(&self) {
        self.stop();
    }
}

/// Begins to consume a topic. The messages end when the consumer is stopped.
pub(super) async fn consume(
    topic: &str,
    settings: &Settings,
) -> anyhow::Result<(ConsumerHandle, mpsc::Receiver<Message>)> {
    let mut consumer = Consumer::new(topic, &settings.options.channel, settings.consumer())?;
    match &settings.sources {
        Sources::Nsqds(addresses) => consumer.connect_to_nsqds(addresses).await?,
        Sources::Lookupds(addresses) => consumer.connect_to_lookupds(addresses).await?,
    }
    let handle = consumer.handle();
    // As many as can be in flight may wait for the disk, and are one batch then.
    let capacity = settings.options.max_in_flight.min(WAITING_MAX);
    let (sender, messages) = mpsc::channel(capacity as usize);
    tokio::spawn(async move {
        while let Some(message) = consumer.next().await {
            if sender.send(message).await.is_err() {
                // A file could not be written. What comes is for others.
                return;
            }
        }
    });
    Ok((handle, messages))
}
