//! A message's way through a channel: published, handed out, finished.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use nsq_broker::{
    Batch, Channel, ChannelOptions, ConsumerKey, Delivery, Epoch, Epochs, Proximity, Sequence,
    Subscription, Taken,
};

use crate::workload::{BATCH, NOW_NS, block, first_guid, rounds};

/// The default of `--max-rdy-count`.
const READY_COUNT: u32 = 2500;
/// What a connection takes at a time.
const DELIVERY_BYTES: usize = 64 << 10;

/// In batches, as `MPUB` brings them.
pub(crate) fn batches(messages: u64) -> Result<()> {
    pass(BATCH, rounds(messages, BATCH))
}

/// One by one, as a quiet topic has them.
pub(crate) fn singles(messages: u64) -> Result<()> {
    pass(1, messages)
}

fn pass(count: u32, rounds: u64) -> Result<()> {
    let first_guid = first_guid()?;
    let epochs = Epochs::new(vec![Epoch { first: Sequence(0), first_guid }]);
    let mut channel = Channel::new(Sequence(0), options());
    let proximity = Proximity::Global;
    let subscription = Subscription { msg_timeout_ns: 60_000_000_000, sample_rate: 0, proximity };
    let key = channel.join(subscription, ());
    channel.ready(key, READY_COUNT);
    let (body, mut first, mut deliveries) = (block(count), Sequence(0), Vec::new());
    for _ in 0..rounds {
        let batch = batch(first, count, &body, &epochs)?;
        first = batch.end();
        if channel.extend(first).is_some() {
            black_box(());
        }
        take(&mut channel, key, &batch, &mut deliveries)?;
        for delivery in deliveries.drain(..) {
            finish(&mut channel, key, &epochs, &delivery)?;
        }
    }
    let census = channel.census();
    ensure!(census.waiting + census.in_flight == 0, "something was left: {census:?}");
    Ok(())
}

fn batch(first: Sequence, count: u32, body: &Bytes, epochs: &Epochs) -> Result<Arc<Batch>> {
    let Some(first_guid) = epochs.guid_of(first) else { bail!("no id for {first:?}") };
    let body = body.clone();
    Ok(Arc::new(Batch { first, count, first_guid, timestamp_ns: NOW_NS, due_ns: None, body }))
}

/// Takes until nothing is left, as a connection does; `batch` is what the log has.
fn take(
    channel: &mut Channel<()>,
    key: ConsumerKey,
    batch: &Arc<Batch>,
    deliveries: &mut Vec<Delivery>,
) -> Result<()> {
    loop {
        let mut wake = None;
        match channel.take(key, NOW_NS, DELIVERY_BYTES, deliveries, &mut wake) {
            Taken::Some => {}
            Taken::Empty => return Ok(()),
            Taken::Read(from) => {
                ensure!(from == batch.first, "asked for {from:?}");
                if channel.offer(from, vec![Arc::clone(batch)], batch.end()).is_some() {
                    black_box(());
                }
            }
            other => bail!("unexpected: {other:?}"),
        }
    }
}

/// Finishes by the ids that the consumer sends back.
fn finish(
    channel: &mut Channel<()>,
    key: ConsumerKey,
    epochs: &Epochs,
    delivery: &Delivery,
) -> Result<()> {
    let first_guid = delivery.batch.guid(delivery.first);
    for index in 0..u64::from(delivery.count) {
        let place = epochs.sequence_of(black_box(first_guid.advance(index)));
        let finished = place.map(|sequence| channel.finish(key, sequence));
        ensure!(matches!(finished, Some(Ok(_))), "{finished:?}");
    }
    Ok(())
}

fn options() -> ChannelOptions {
    ChannelOptions {
        mem_queue_size: 10_000,
        capacity: None,
        max_msg_timeout_ns: 15 * 60 * 1_000_000_000,
        seed: 1,
    }
}
