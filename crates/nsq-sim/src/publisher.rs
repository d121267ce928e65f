//! A publisher that keeps account of what was acknowledged.

use std::io;
use std::time::Duration;

use crate::command;
use crate::connection::{Connection, Received};
use crate::http;
use crate::ledger::Ledger;
use crate::seed::Seed;
use crate::traffic::{Addresses, Quota};

/// How a publisher publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `PUB`, one at a time.
    Single,
    /// Many `PUB`s, then many answers.
    Pipelined,
    /// `MPUB`.
    Batch,
    /// `DPUB`, alone or several at once.
    Deferred,
    /// `POST /pub`, sometimes deferred.
    Http,
    /// `POST /mpub`, as lines and as binary.
    HttpBatch,
}

impl Style {
    /// All styles.
    pub const ALL: [Self; 6] =
        [Self::Single, Self::Pipelined, Self::Batch, Self::Deferred, Self::Http, Self::HttpBatch];
}

/// Longest delay of a deferred publish.
const MAX_DELAY_MS: usize = 400;
/// How long a refused publisher waits.
const PAUSE: Duration = Duration::from_millis(2);

/// A thread that publishes to one topic.
#[derive(Debug)]
pub(crate) struct Publisher<'a> {
    pub(crate) style: Style,
    pub(crate) topic: &'a str,
    pub(crate) addresses: Addresses,
    pub(crate) ledger: &'a Ledger,
    pub(crate) quota: &'a Quota,
    pub(crate) seed: Seed,
}

impl Publisher<'_> {
    /// Publishes until the quota is used up or the traffic ends.
    pub(crate) fn run(mut self) {
        while !self.quota.is_over() {
            // A daemon that is gone, or that refused: the next connection may fare better.
            if self.converse().is_err() {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn converse(&mut self) -> io::Result<()> {
        if matches!(self.style, Style::Http | Style::HttpBatch) {
            while self.quota.take(1) {
                self.request()?;
            }
            return Ok(());
        }
        let mut connection = Connection::open(self.addresses.tcp)?;
        loop {
            let count = match self.style {
                Style::Single => 1,
                Style::Deferred => 1 + self.seed.below(4),
                _ => 1 + self.seed.below(30),
            };
            if !self.quota.take(count) {
                return Ok(());
            }
            self.publish(&mut connection, count)?;
        }
    }

    fn publish(&mut self, connection: &mut Connection, count: usize) -> io::Result<()> {
        let topic = self.topic;
        let delay_ms = match self.style {
            Style::Deferred => 1 + self.seed.below(MAX_DELAY_MS) as u64,
            _ => 0,
        };
        let publish = self.ledger.send(topic, count, delay_ms, &mut self.seed);
        let bodies = &publish.bodies;
        if self.style == Style::Batch {
            expect_ok(connection.ask(&command::publish_many(topic, bodies))?)?;
            self.ledger.acknowledge(&publish, count);
            return Ok(());
        }
        let commands: Vec<u8> = match delay_ms {
            0 => bodies.iter().flat_map(|body| command::publish(topic, body)).collect(),
            _ => bodies
                .iter()
                .flat_map(|body| command::publish_deferred(topic, delay_ms, body))
                .collect(),
        };
        connection.send(&commands)?;
        for index in 0..count {
            let answer = connection.answer().and_then(expect_ok);
            if answer.is_err() {
                self.ledger.acknowledge(&publish, index);
                return answer;
            }
        }
        self.ledger.acknowledge(&publish, count);
        Ok(())
    }

    fn request(&mut self) -> io::Result<()> {
        let topic = self.topic;
        let (count, delay_ms) = match self.style {
            Style::Http => (1, [0, 0, self.seed.below(MAX_DELAY_MS) as u64][self.seed.below(3)]),
            _ => (1 + self.seed.below(30), 0),
        };
        let publish = self.ledger.send(topic, count, delay_ms, &mut self.seed);
        let (target, content) = match self.style {
            Style::Http if delay_ms > 0 => {
                (format!("/pub?topic={topic}&defer={delay_ms}"), publish.bodies[0].clone())
            }
            Style::Http => (format!("/pub?topic={topic}"), publish.bodies[0].clone()),
            _ if self.seed.below(2) == 0 => {
                (format!("/mpub?topic={topic}&binary=true"), command::batch(&publish.bodies))
            }
            _ => (format!("/mpub?topic={topic}"), publish.bodies.join(&b'\n')),
        };
        let answer = http::post(self.addresses.http, &target, &content)?;
        if answer.status != 200 {
            return Err(io::Error::other(answer.body));
        }
        self.ledger.acknowledge(&publish, count);
        Ok(())
    }
}

fn expect_ok(received: Received) -> io::Result<()> {
    match received {
        Received::Response(ok) if ok == b"OK" => Ok(()),
        other => Err(io::Error::other(format!("{other:?}"))),
    }
}
