//! `Publisher`: a connection that keeps a fixed number of publish commands unanswered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command;
use crate::connection::{Connection, Event, Received};
use crate::publish_block::{PublishBlock, PublishShape};
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::throttle::Throttle;

/// Pipes this deep can be left alone for a while.
const MIN_DEPTH_TO_PAUSE: usize = 8;
/// A shorter pause costs more than the wake-ups it saves.
const MIN_PAUSE: Duration = Duration::from_micros(100);
/// A longer pause would notice too late that the daemon has become faster.
const MAX_PAUSE: Duration = Duration::from_millis(2);

/// How a publisher works.
#[derive(Clone, Debug)]
pub(crate) struct PublisherPlan {
    pub(crate) shape: PublishShape,
    /// Commands that may be unanswered, at least 1.
    pub(crate) depth: usize,
    /// Messages to publish in all; `u64::MAX` for no end.
    pub(crate) quota: u64,
    /// Where the stamps of the messages start; none when bodies stay as they are.
    pub(crate) stamp: Option<Stamp>,
}

/// What a publisher has done, for others to watch.
#[derive(Clone)]
pub(crate) struct PublisherTallies {
    /// Messages written.
    pub(crate) sent: Arc<Tally>,
    /// Messages answered by `OK`.
    pub(crate) acknowledged: Arc<Tally>,
}

/// A connection with commands to publish.
pub(crate) struct Publisher {
    connection: Connection,
    block: PublishBlock,
    /// The last, smaller command, when the quota is no multiple of the batch.
    tail: Option<PublishBlock>,
    /// Full commands still to be sent.
    commands_left: u64,
    depth: usize,
    unanswered: usize,
    stamp: Option<Stamp>,
    /// The blocks are compressed; stamped ones change and cannot be so ahead of time.
    is_packed: bool,
    tallies: PublisherTallies,
    throttle: Option<Arc<Throttle>>,
    unchecked: u64,
    last_answer: Instant,
    /// Time from one answer to the next, smoothed.
    answer_interval: Duration,
}

impl Publisher {
    /// Encodes what the plan asks for; nothing is sent yet.
    pub(crate) fn new(
        mut connection: Connection,
        plan: &PublisherPlan,
        tallies: PublisherTallies,
        throttle: Option<Arc<Throttle>>,
    ) -> Result<Self> {
        let batch = plan.shape.batch as u64;
        let tail_batch = usize::try_from(plan.quota % batch)?;
        let mut tail = match tail_batch {
            0 => None,
            _ if plan.quota == u64::MAX => None,
            batch => {
                let shape = PublishShape { batch, ..plan.shape.clone() };
                Some(PublishBlock::encode(&shape, 1)?)
            }
        };
        let mut block = PublishBlock::encode(&plan.shape, plan.depth)?;
        let is_packed = plan.stamp.is_none()
            && connection.pack_ahead([&mut block].into_iter().chain(&mut tail));
        Ok(Self {
            connection,
            block,
            tail,
            commands_left: plan.quota / batch,
            depth: plan.depth.max(1),
            unanswered: 0,
            stamp: plan.stamp,
            is_packed,
            tallies,
            throttle,
            unchecked: 0,
            last_answer: Instant::now(),
            answer_interval: Duration::ZERO,
        })
    }

    /// Sends commands unless enough are in the pipe or consumers are too far behind.
    ///
    /// The pipe is filled up only once half of it is answered: writing one command for every
    /// answer would cost a system call each.
    pub(crate) fn refill(&mut self) -> Result<()> {
        if self.unanswered > self.depth / 2 || self.is_held_back() {
            return Ok(());
        }
        while self.unanswered < self.depth {
            let room = self.depth - self.unanswered;
            let wanted = usize::try_from(self.commands_left.min(room as u64))?;
            if wanted == 0 {
                return self.send_tail();
            }
            let taken = self.block.take(wanted);
            let commands = taken.len();
            if self.unanswered == 0 {
                self.last_answer = Instant::now();
            }
            self.note_sent(commands * self.block.batch(), commands);
            if let Some(stamp) = &mut self.stamp {
                self.block.stamp(taken.clone(), *stamp);
                stamp.number += (commands * self.block.batch()) as u64;
            }
            self.commands_left -= commands as u64;
            let bytes = self.block.wire(taken);
            if self.is_packed {
                self.connection.send_packed(bytes)?;
            } else {
                self.connection.send(bytes)?;
            }
        }
        Ok(())
    }

    /// Reads once and counts the answers.
    pub(crate) fn receive(&mut self) -> Result<()> {
        match self.connection.receive()? {
            Received::Bytes => {}
            Received::End => bail!("nsqd closed the connection of a publisher"),
            Received::Nothing => return self.check_patience(),
        }
        let mut answers = 0;
        let mut heartbeat = false;
        while let Some(event) = self.connection.next_event()? {
            match event {
                Event::Ok => answers += 1,
                Event::Heartbeat => heartbeat = true,
                other => bail!("unexpected {other:?} on a publisher's connection"),
            }
        }
        if heartbeat {
            self.connection.send(command::NOP)?;
        }
        self.note_answers(answers)
    }

    /// How long the answers can be left to gather.
    ///
    /// A daemon that sends every answer by itself would wake this thread up once per message and
    /// pay for it with the processor both share. Half the time that the next refill is away still
    /// leaves more than half of the pipe to work on.
    pub(crate) fn pause(&self) -> Duration {
        let until_refill = self.unanswered.saturating_sub(self.depth / 2);
        if self.depth < MIN_DEPTH_TO_PAUSE || until_refill == 0 {
            return Duration::ZERO;
        }
        let answers = u32::try_from(until_refill).unwrap_or(u32::MAX);
        let pause = self.answer_interval.saturating_mul(answers) / 2;
        if pause < MIN_PAUSE { Duration::ZERO } else { pause.min(MAX_PAUSE) }
    }

    /// Fails when commands are unanswered for longer than the patience.
    pub(crate) fn check_patience(&self) -> Result<()> {
        let silence = self.last_answer.elapsed();
        if self.unanswered > 0 && silence > self.connection.patience() {
            bail!("{} commands unanswered for {silence:?}", self.unanswered);
        }
        Ok(())
    }

    /// Whether everything was sent and answered.
    pub(crate) fn is_done(&self) -> bool {
        self.commands_left == 0 && self.tail.is_none() && self.unanswered == 0
    }

    /// Commands sent and not yet answered.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// The connection, to wait for answers on several publishers at once.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    fn send_tail(&mut self) -> Result<()> {
        let Some(mut tail) = self.tail.take() else { return Ok(()) };
        self.note_sent(tail.batch(), 1);
        if let Some(stamp) = self.stamp {
            tail.stamp(0..1, stamp);
        }
        let bytes = tail.wire(0..1);
        if self.is_packed {
            self.connection.send_packed(bytes)
        } else {
            self.connection.send(bytes)
        }
    }

    /// Counts before the bytes leave: a consumer may be faster than this thread.
    fn note_sent(&mut self, messages: usize, commands: usize) {
        self.unanswered += commands;
        self.unchecked += messages as u64;
        self.tallies.sent.add(messages as u64);
    }

    fn note_answers(&mut self, answers: usize) -> Result<()> {
        if answers > self.unanswered {
            bail!("{answers} answers for {} commands", self.unanswered);
        }
        if answers > 0 {
            let now = Instant::now();
            let interval = now.duration_since(self.last_answer) / u32::try_from(answers)?;
            self.answer_interval = (self.answer_interval * 7 + interval) / 8;
            self.last_answer = now;
            self.unanswered -= answers;
            // Only the very last command may be smaller, and with it everything is answered.
            let open = self.tallies.sent.count() - self.tallies.acknowledged.count();
            let messages = (answers * self.block.batch()) as u64;
            self.tallies.acknowledged.add(messages.min(open));
        }
        Ok(())
    }

    fn is_held_back(&mut self) -> bool {
        let Some(throttle) = &self.throttle else { return false };
        if self.unchecked < throttle.check_every() {
            return false;
        }
        if throttle.is_exceeded() {
            return true;
        }
        self.unchecked = 0;
        false
    }
}
