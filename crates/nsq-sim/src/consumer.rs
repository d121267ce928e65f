//! A consumer that finishes, requeues and abandons what it gets, and keeps account.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::command;
use crate::connection::{Connection, Message, Received};
use crate::ledger::Ledger;
use crate::seed::Seed;
use crate::traffic::Addresses;

/// How long a consumer waits before it looks whether to stop.
const TICK: Duration = Duration::from_millis(5);
/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(2);
const READY_COUNT: u32 = 200;
/// Longest delay of a requeue.
const MAX_DELAY_MS: usize = 300;

/// What a consumer does with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// It finishes most, requeues some, and leaves with some in flight now and then.
    Moody,
    /// It finishes everything.
    Diligent,
}

/// A thread that consumes one channel.
#[derive(Debug)]
pub(crate) struct Consumer<'a> {
    pub(crate) temper: Temper,
    pub(crate) topic: &'a str,
    pub(crate) channel: &'a str,
    pub(crate) addresses: Addresses,
    pub(crate) ledger: &'a Ledger,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) seed: Seed,
}

impl Consumer<'_> {
    /// Consumes until the traffic ends.
    pub(crate) fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            // The daemon is gone, or this consumer left: the next connection goes on.
            if self.converse().is_err() {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn converse(&mut self) -> io::Result<()> {
        let mut connection = Connection::open(self.addresses.tcp)?;
        match connection.ask(&command::subscribe(self.topic, self.channel))? {
            Received::Response(ok) if ok == b"OK" => {}
            other => return Err(io::Error::other(format!("SUB was answered with {other:?}"))),
        }
        self.ledger.open_channel(self.topic, self.channel);
        connection.send(&command::ready(READY_COUNT))?;
        let patience = match self.temper {
            Temper::Moody => self.seed.below(3000),
            Temper::Diligent => usize::MAX,
        };
        let mut count = 0;
        let mut answers = Vec::new();
        while !self.stop.load(Ordering::Relaxed) && count < patience {
            let mut next = connection.receive(TICK)?;
            while let Some(received) = next {
                count += 1;
                self.react(received, &mut answers)?;
                next = connection.take_frame()?;
            }
            connection.send(&answers)?;
            answers.clear();
        }
        Ok(())
    }

    fn react(&mut self, received: Received, answers: &mut Vec<u8>) -> io::Result<()> {
        match received {
            Received::Message(message) => {
                self.ledger.deliver(self.topic, self.channel, &message);
                answers.extend(self.answer(&message));
                Ok(())
            }
            Received::Error(error) => {
                let (topic, channel) = (self.topic, self.channel);
                self.ledger.fault(format!("{topic}/{channel}: {error}"));
                Err(io::Error::other(error))
            }
            Received::Response(_) => Ok(()),
        }
    }

    fn answer(&mut self, message: &Message) -> Vec<u8> {
        let choice = match self.temper {
            Temper::Moody => self.seed.below(100),
            Temper::Diligent => usize::MAX,
        };
        match choice {
            0..4 => command::requeue(&message.id, 0),
            4..8 => command::requeue(&message.id, 1 + self.seed.below(MAX_DELAY_MS) as u64),
            // Left in flight, until this consumer leaves.
            8..10 => Vec::new(),
            _ => {
                self.ledger.finish(self.topic, self.channel, &message.body);
                command::finish(&message.id)
            }
        }
    }
}
