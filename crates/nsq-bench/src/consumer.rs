//! `Consumer`: a connection that takes messages and finishes them as fast as it can.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use parking_lot::Mutex;

use crate::command;
use crate::connection::{Connection, Event, Received};
use crate::finish_block::FinishBlock;
use crate::ledger::Ledger;
use crate::tally::Tally;

/// FIN commands written at once; more than a read of small messages brings.
const FINISH_CAPACITY: usize = 8192;

/// What went wrong without ending the run, over all consumers.
#[derive(Debug, Default)]
pub(crate) struct FinishFailures {
    /// FIN commands that were refused.
    pub(crate) count: u64,
    /// The text of the first refusal.
    pub(crate) first: Option<String>,
}

/// A subscribed connection and where it keeps count.
pub(crate) struct Consumer {
    connection: Connection,
    ready_count: u32,
    finish: FinishBlock,
    delivered: Arc<Tally>,
    ledger: Option<Arc<Ledger>>,
    failures: Arc<Mutex<FinishFailures>>,
    close_wait: bool,
}

impl Consumer {
    /// Takes over a subscribed connection; nothing is delivered before [`start`](Self::start).
    pub(crate) fn new(
        connection: Connection,
        ready_count: u32,
        delivered: Arc<Tally>,
        ledger: Option<Arc<Ledger>>,
        failures: Arc<Mutex<FinishFailures>>,
    ) -> Self {
        Self {
            connection,
            ready_count,
            finish: FinishBlock::new(FINISH_CAPACITY),
            delivered,
            ledger,
            failures,
            close_wait: false,
        }
    }

    /// Asks for messages.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.connection.send(&command::ready(self.ready_count))
    }

    /// Asks for no more messages; what is on its way still comes.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.connection.send(command::CLS)
    }

    /// The connection, to wait for messages on several consumers at once.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// One read, all frames in it, one write.
    pub(crate) fn consume_once(&mut self) -> Result<Received> {
        let received = self.connection.receive()?;
        if received != Received::Bytes {
            return Ok(received);
        }
        while self.take_frames()? {}
        Ok(received)
    }

    /// Handles frames until none is whole or the FIN block is full; true when more may follow.
    fn take_frames(&mut self) -> Result<bool> {
        let mut messages = 0;
        let mut heartbeat = false;
        let mut more = false;
        let mut ledger = self.ledger.as_ref().map(|ledger| ledger.open());
        while let Some(event) = self.connection.next_event()? {
            match event {
                Event::Message { id, body, .. } => {
                    messages += 1;
                    if let Some(ledger) = &mut ledger {
                        ledger.note(body);
                    }
                    ensure!(self.finish.push(id), "the FIN block is cleared when it is full");
                    more = messages == FINISH_CAPACITY;
                    if more {
                        break;
                    }
                }
                Event::Heartbeat => heartbeat = true,
                Event::Response(b"CLOSE_WAIT") => self.close_wait = true,
                Event::FinishFailed(text) => note_failure(&self.failures, text),
                other => bail!("unexpected {other:?} on a consumer's connection"),
            }
        }
        drop(ledger);
        if messages > 0 {
            self.delivered.add(messages as u64);
            self.connection.send(self.finish.bytes())?;
            self.finish.clear();
        }
        if heartbeat {
            self.connection.send(command::NOP)?;
        }
        Ok(more)
    }

    /// Reads to the end after [`stop`](Self::stop), so that every FIN is known to be handled.
    pub(crate) fn leave(mut self) -> Result<()> {
        let deadline = Instant::now() + self.connection.patience();
        while !self.close_wait {
            if self.consume_once()? == Received::End || Instant::now() > deadline {
                bail!("CLS was not answered");
            }
        }
        self.connection.finish_sending()?;
        while self.connection.receive()? != Received::End {
            while let Some(event) = self.connection.next_event()? {
                if let Event::FinishFailed(text) = event {
                    note_failure(&self.failures, text);
                }
            }
            if Instant::now() > deadline {
                bail!("nsqd did not close the connection");
            }
        }
        Ok(())
    }
}

fn note_failure(failures: &Mutex<FinishFailures>, text: &[u8]) {
    let mut failures = failures.lock();
    failures.count += 1;
    failures.first.get_or_insert_with(|| String::from_utf8_lossy(text).into_owned());
}
