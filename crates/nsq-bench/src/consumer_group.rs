//! `ConsumerGroup`: the consumers one thread takes care of.

use anyhow::{Result, bail};

use crate::connection::Received;
use crate::consumer::Consumer;
use crate::crew::Switch;
use crate::readiness::wait_readable;

/// Consumers served by one thread.
pub(crate) struct ConsumerGroup {
    consumers: Vec<Consumer>,
}

impl ConsumerGroup {
    /// Takes over the consumers.
    pub(crate) fn new(consumers: Vec<Consumer>) -> Self {
        Self { consumers }
    }

    /// Consumes until stopped, then leaves in an orderly way.
    pub(crate) fn run(mut self, switch: &Switch) -> Result<()> {
        self.consumers.iter_mut().try_for_each(Consumer::start)?;
        while !switch.is_stopped() {
            match self.consumers.as_mut_slice() {
                [] => return Ok(()),
                [only] => consume(only)?,
                several => consume_ready(several)?,
            }
        }
        self.consumers.iter_mut().try_for_each(Consumer::stop)?;
        self.consumers.into_iter().try_for_each(Consumer::leave)
    }
}

fn consume_ready(consumers: &mut [Consumer]) -> Result<()> {
    let ready = wait_readable(consumers.iter().map(Consumer::connection))?;
    for (consumer, _) in consumers.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
        consume(consumer)?;
    }
    Ok(())
}

fn consume(consumer: &mut Consumer) -> Result<()> {
    if consumer.consume_once()? == Received::End {
        bail!("nsqd closed the connection of a consumer");
    }
    Ok(())
}
