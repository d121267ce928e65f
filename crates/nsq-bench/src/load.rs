//! `Load`: publishers and consumers running against one topic, and the measurement of it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use parking_lot::Mutex;

use crate::command::Identify;
use crate::connection::Connection;
use crate::consumer::{Consumer, FinishFailures};
use crate::consumer_group::ConsumerGroup;
use crate::crew::Crew;
use crate::layers::Layers;
use crate::ledger::{Ledger, LedgerCounts};
use crate::progress::Progress;
use crate::publish_block::PublishShape;
use crate::publisher::{Publisher, PublisherPlan, PublisherTallies};
use crate::publisher_group::PublisherGroup;
use crate::settings::{CommonArgs, ConsumeArgs, PublishArgs, share};
use crate::snapshot::{Measurement, Snapshot};
use crate::stamp::Stamp;
use crate::tally::{Tally, last_change, total};
use crate::throttle::Throttle;
use crate::transport::Transport;

/// Receive buffer of a consumer: one read brings about a thousand small messages.
const CONSUMER_BUFFER_BYTES: usize = 256 << 10;
/// Receive buffer of a publisher, who gets nothing but `OK`s.
const PUBLISHER_BUFFER_BYTES: usize = 16 << 10;
/// How often the coordinator looks at the counts.
const TICK: Duration = Duration::from_millis(5);

/// The publishing side of a load.
#[derive(Clone, Debug)]
pub(crate) struct PublishSide {
    pub(crate) args: PublishArgs,
    pub(crate) transport: Transport,
    pub(crate) connections: usize,
    /// Messages to publish in all, if that ends the run.
    pub(crate) messages: Option<u64>,
    pub(crate) defer_ms: Option<u64>,
}

/// The consuming side of a load.
#[derive(Clone, Debug)]
pub(crate) struct ConsumeSide {
    pub(crate) args: ConsumeArgs,
    /// Connections on each channel.
    pub(crate) consumers: usize,
}

/// What ends the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Time, counted from the end of the warm-up.
    Elapsed(Duration),
    /// Every publisher has reached its quota.
    Published,
    /// This many deliveries, over all channels.
    Delivered(u64),
}

/// Everything a load is made of.
#[derive(Clone, Debug)]
pub(crate) struct LoadPlan {
    pub(crate) common: CommonArgs,
    pub(crate) layers: Layers,
    pub(crate) topic: String,
    pub(crate) publish: Option<PublishSide>,
    pub(crate) consume: Option<ConsumeSide>,
    /// Mark of this run in every message, when deliveries are to be verified.
    pub(crate) verify: Option<u64>,
    /// Messages of each publisher of an earlier load, for verifying their deliveries.
    pub(crate) published_before: Vec<u64>,
    pub(crate) max_backlog: Option<u64>,
    pub(crate) warmup: Duration,
    pub(crate) goal: Goal,
}

/// What a finished load has to say.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) measurement: Measurement,
    /// Messages acknowledged in the whole run.
    pub(crate) published: u64,
    /// Messages delivered in the whole run; only different ones when verified.
    pub(crate) delivered: u64,
    /// Sum over the channels, when verified.
    pub(crate) ledger: Option<LedgerCounts>,
    pub(crate) finish_failures: FinishFailures,
}

/// Connected publishers and consumers, ready to start.
pub(crate) struct Load {
    plan: LoadPlan,
    publishers: Vec<Publisher>,
    consumers: Vec<Consumer>,
    acknowledged: Vec<Arc<Tally>>,
    delivered: Vec<Arc<Tally>>,
    ledgers: Vec<Arc<Ledger>>,
    failures: Arc<Mutex<FinishFailures>>,
}

impl Load {
    /// Opens all connections; consumers subscribe, so that channels exist before messages do.
    pub(crate) fn prepare(plan: LoadPlan) -> Result<Self> {
        let epoch = Instant::now();
        let mut load = Self {
            publishers: Vec::new(),
            consumers: Vec::new(),
            acknowledged: Vec::new(),
            delivered: Vec::new(),
            ledgers: Vec::new(),
            failures: Arc::default(),
            plan,
        };
        let publishers = load.plan.publish.as_ref().map_or(0, |side| side.connections);
        let mut sent: Vec<Arc<Tally>> = (0..publishers).map(|_| Tally::new(epoch)).collect();
        let known: Vec<Arc<Tally>> = if load.plan.published_before.is_empty() {
            sent.clone()
        } else {
            load.plan.published_before.iter().map(|count| filled_tally(epoch, *count)).collect()
        };
        let by_channel = load.connect_consumers(epoch, &known)?;
        let throttle = load
            .plan
            .max_backlog
            .map(|max_backlog| Arc::new(Throttle::new(max_backlog, sent.clone(), by_channel)));
        for (index, sent) in sent.drain(..).enumerate() {
            let tallies = PublisherTallies { sent, acknowledged: Tally::new(epoch) };
            load.connect_publisher(index, tallies, throttle.clone())?;
        }
        Ok(load)
    }

    /// Runs the load to its goal, and then until nothing is on its way any more.
    pub(crate) fn run(mut self) -> Result<Outcome> {
        let mut progress = Progress::new();
        let mut publishing = Crew::default();
        let mut consuming = Crew::default();
        let mut begin = self.snapshot()?;
        self.start(&mut publishing, &mut consuming)?;

        let warm_at = begin.at + self.plan.warmup;
        let mut is_warm = self.plan.warmup.is_zero();
        let mut watch = Watch::new(self.plan.common.timeout);
        loop {
            publishing.reap()?;
            consuming.reap()?;
            let (published, delivered) = (self.published(), self.delivered());
            if !is_warm && Instant::now() >= warm_at {
                begin = self.snapshot()?;
                is_warm = true;
            }
            let elapsed = begin.at.elapsed();
            if self.is_reached(is_warm.then_some(elapsed), &publishing, delivered) {
                break;
            }
            if self.expects_progress() {
                watch.check(published, delivered)?;
            }
            progress.update(published, delivered);
            thread::sleep(TICK);
        }
        let mut end = self.snapshot()?;
        end.at = self.end_time().unwrap_or(end.at);

        publishing.stop_and_wait(self.plan.common.timeout * 2)?;
        self.settle(&mut consuming, &mut progress)?;
        consuming.stop_and_wait(self.plan.common.timeout * 3)?;
        Ok(self.outcome(Measurement { begin, end }))
    }

    fn connect_consumers(
        &mut self,
        epoch: Instant,
        known: &[Arc<Tally>],
    ) -> Result<Vec<Vec<Arc<Tally>>>> {
        let Some(side) = &self.plan.consume else { return Ok(Vec::new()) };
        let common = &self.plan.common;
        let mut by_channel = Vec::new();
        for channel in side.args.channel_names() {
            let ledger = self.plan.verify.map(|run| Arc::new(Ledger::new(run, known.to_vec())));
            let mut tallies = Vec::new();
            for _ in 0..side.consumers {
                let mut connection = Connection::open(
                    &common.address,
                    &side.args.identify(),
                    &self.plan.layers,
                    CONSUMER_BUFFER_BYTES,
                    common.timeout,
                )?;
                connection.subscribe(&self.plan.topic, &channel)?;
                let tally = Tally::new(epoch);
                tallies.push(Arc::clone(&tally));
                self.consumers.push(Consumer::new(
                    connection,
                    side.args.rdy,
                    tally,
                    ledger.clone(),
                    Arc::clone(&self.failures),
                ));
            }
            self.delivered.extend(tallies.iter().cloned());
            self.ledgers.extend(ledger);
            by_channel.push(tallies);
        }
        Ok(by_channel)
    }

    fn connect_publisher(
        &mut self,
        index: usize,
        tallies: PublisherTallies,
        throttle: Option<Arc<Throttle>>,
    ) -> Result<()> {
        let Some(side) = &self.plan.publish else { return Ok(()) };
        let connection = open_publisher(&self.plan, side.transport)?;
        let plan = PublisherPlan {
            shape: PublishShape {
                transport: side.transport,
                topic: self.plan.topic.clone(),
                body_bytes: usize::try_from(side.args.size)?,
                batch: side.args.batch as usize,
                defer_ms: side.defer_ms,
                content: side.args.content,
                seed: index as u64,
            },
            depth: side.args.depth as usize,
            quota: side
                .messages
                .map_or(u64::MAX, |messages| share(messages, side.connections, index)),
            stamp: self.plan.verify.map(|run| Stamp { run, publisher: index, number: 0 }),
        };
        self.acknowledged.push(Arc::clone(&tallies.acknowledged));
        self.publishers.push(Publisher::new(connection, &plan, tallies, throttle)?);
        Ok(())
    }

    fn start(&mut self, publishing: &mut Crew, consuming: &mut Crew) -> Result<()> {
        let threads = self.plan.consume.as_ref().map_or(0, |side| side.args.consumer_threads);
        for group in groups(std::mem::take(&mut self.consumers), threads) {
            let group = ConsumerGroup::new(group);
            consuming.spawn("consumer", move |switch| group.run(switch))?;
        }
        let threads = self.plan.publish.as_ref().map_or(0, |side| side.args.publisher_threads);
        for group in groups(std::mem::take(&mut self.publishers), threads) {
            let group = PublisherGroup::new(group);
            publishing.spawn("publisher", move |switch| group.run(switch))?;
        }
        Ok(())
    }

    /// After the end: everything that was acknowledged has to be delivered on every channel.
    fn settle(&self, consuming: &mut Crew, progress: &mut Progress) -> Result<()> {
        if self.plan.publish.is_none() {
            return Ok(());
        }
        let expected = self.published() * self.channels();
        let mut watch = Watch::new(self.plan.common.timeout);
        while self.delivered() < expected && watch.check(0, self.delivered()).is_ok() {
            consuming.reap()?;
            progress.update(self.published(), self.delivered());
            thread::sleep(TICK);
        }
        Ok(())
    }

    fn is_reached(&self, elapsed: Option<Duration>, publishing: &Crew, delivered: u64) -> bool {
        match self.plan.goal {
            Goal::Elapsed(duration) => elapsed.is_some_and(|elapsed| elapsed >= duration),
            Goal::Published => publishing.is_done(),
            Goal::Delivered(goal) => publishing.is_done() && delivered >= goal,
        }
    }

    /// Consumers alone may have to wait for messages for as long as they are told to.
    fn expects_progress(&self) -> bool {
        self.plan.publish.is_some() || !matches!(self.plan.goal, Goal::Elapsed(_))
    }

    /// A count that was reached was reached when the last message came, not when it was seen.
    fn end_time(&self) -> Option<Instant> {
        match self.plan.goal {
            Goal::Elapsed(_) => None,
            Goal::Published => last_change(&self.acknowledged),
            Goal::Delivered(_) => last_change(&self.delivered),
        }
    }

    fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::take(self.plan.common.pid, self.published(), self.delivered())
    }

    fn published(&self) -> u64 {
        total(&self.acknowledged)
    }

    fn delivered(&self) -> u64 {
        if self.ledgers.is_empty() {
            return total(&self.delivered);
        }
        self.ledgers.iter().map(|ledger| ledger.counts().unique).sum()
    }

    fn channels(&self) -> u64 {
        self.plan.consume.as_ref().map_or(0, |side| u64::from(side.args.channels))
    }

    fn outcome(&self, measurement: Measurement) -> Outcome {
        let ledger =
            self.ledgers.iter().map(|ledger| ledger.counts()).reduce(|a, b| LedgerCounts {
                unique: a.unique + b.unique,
                duplicates: a.duplicates + b.duplicates,
                foreign: a.foreign + b.foreign,
            });
        Outcome {
            measurement,
            published: self.published(),
            delivered: self.delivered(),
            ledger,
            finish_failures: std::mem::take(&mut *self.failures.lock()),
        }
    }
}

/// Notices when nothing moves any more.
pub(crate) struct Watch {
    patience: Duration,
    seen: (u64, u64),
    since: Instant,
}

impl Watch {
    /// Starts to watch; silence up to `patience` is accepted.
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, seen: (0, 0), since: Instant::now() }
    }

    /// Takes in the counts; fails when they have not changed for the patience.
    pub(crate) fn check(&mut self, published: u64, delivered: u64) -> Result<()> {
        if self.seen != (published, delivered) {
            (self.seen, self.since) = ((published, delivered), Instant::now());
        } else if self.since.elapsed() > self.patience {
            bail!(
                "nothing moved for {:?}, at {published} published and {delivered} delivered",
                self.patience
            );
        }
        Ok(())
    }
}

fn open_publisher(plan: &LoadPlan, transport: Transport) -> Result<Connection> {
    let common = &plan.common;
    let (size, patience) = (PUBLISHER_BUFFER_BYTES, common.timeout);
    match transport {
        Transport::Tcp => {
            let identify = Identify::new();
            Connection::open(&common.address, &identify, &plan.layers, size, patience)
        }
        Transport::Http => {
            let address = common.http_address.as_deref().context("--http-address is needed")?;
            Connection::open_http(address, size, patience)
        }
    }
}

fn filled_tally(epoch: Instant, count: u64) -> Arc<Tally> {
    let tally = Tally::new(epoch);
    tally.add(count);
    tally
}

/// Deals `members` out to `threads` groups; 0 threads: alone up to 4 members, else all together.
fn groups<T>(members: Vec<T>, threads: usize) -> Vec<Vec<T>> {
    let automatic = if members.len() <= 4 { members.len() } else { 1 };
    let count = if threads == 0 { automatic } else { threads.min(members.len()) };
    let mut groups: Vec<Vec<T>> = (0..count).map(|_| Vec::new()).collect();
    for (index, member) in members.into_iter().enumerate() {
        let slot = index % count;
        groups[slot].push(member);
    }
    groups
}
