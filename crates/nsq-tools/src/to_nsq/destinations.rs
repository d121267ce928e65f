//! The nsqd nodes that every message goes to.

use anyhow::Context;
use bytes::Bytes;
use nsq_client::{Config, Producer, PublishError, Receipt};
use tokio::sync::mpsc;

use super::progress::Progress;

/// How many messages may wait for their answers; each destination takes `max_outstanding` in.
const OUTSTANDING_MAX: usize = 10_000;

/// One producer for each address.
#[derive(Debug)]
pub(super) struct Destinations {
    topic: String,
    producers: Vec<Producer>,
}

/// What is to become of one message, at each destination.
pub(super) type Receipts = Vec<Receipt>;

impl Destinations {
    /// An address that is given twice counts once.
    pub(super) fn new(topic: &str, addresses: &[String], config: &Config) -> anyhow::Result<Self> {
        let mut producers = Vec::with_capacity(addresses.len());
        for (place, address) in addresses.iter().enumerate() {
            if addresses.iter().take(place).any(|earlier| earlier == address) {
                continue;
            }
            let producer = Producer::new(&[address], config.clone());
            producers.push(producer.context("failed to create nsq.Producer")?);
        }
        Ok(Self { topic: topic.to_owned(), producers })
    }

    /// The queue of receipts, from publishing to [`confirm`].
    pub(super) fn receipts() -> (mpsc::Sender<Receipts>, mpsc::Receiver<Receipts>) {
        mpsc::channel(OUTSTANDING_MAX)
    }

    /// Hands a message over to all of them, in order. That many go out together does not change
    /// the order in which each of them gets its messages.
    pub(super) async fn publish(&self, body: &Bytes) -> Result<Receipts, PublishError> {
        let mut receipts = Vec::with_capacity(self.producers.len());
        for producer in &self.producers {
            receipts.push(producer.enqueue(&self.topic, body).await?);
        }
        Ok(receipts)
    }

    pub(super) async fn close(&self) {
        for producer in &self.producers {
            producer.close().await;
        }
    }
}

/// Waits until everything is published, or something is not.
pub(super) async fn confirm(
    mut receipts: mpsc::Receiver<Receipts>,
    progress: &Progress,
) -> anyhow::Result<()> {
    while let Some(receipts) = receipts.recv().await {
        for receipt in receipts {
            receipt.await?;
        }
        progress.count();
    }
    Ok(())
}
