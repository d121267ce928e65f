//! `nsq bench latency`: the time from publishing a message to receiving it.
//!
//! Messages are sent on a fixed schedule whether or not earlier ones have been answered. Two
//! latencies are kept: from the moment a message was sent, and from the moment it was due. They
//! differ where the load itself, or a daemon that took no bytes, fell behind the schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Args;
use parking_lot::Mutex;
use serde::Serialize;

use super::clean_up;
use crate::command::{self, Identify};
use crate::connection::{CommandWriter, Connection, Event, Received};
use crate::content::Content;
use crate::crew::{Crew, Switch};
use crate::finish_block::FinishBlock;
use crate::latency_book::LatencyBook;
use crate::layers::LayerArgs;
use crate::load::Watch;
use crate::progress::Progress;
use crate::publish_block::{PublishBlock, PublishShape};
use crate::quantity::{parse_bytes, parse_span, serialize_span};
use crate::report::Report;
use crate::settings::{CommonArgs, parse_name, run_number};
use crate::snapshot::{Measurement, Snapshot};
use crate::tally::Tally;
use crate::transport::Transport;

/// A sleep may end this late; the rest of the way to a due time is spent spinning.
const SPIN: Duration = Duration::from_micros(50);
/// Highest rate: beyond it the schedule is finer than the clock.
const MAX_RATE: i64 = 1_000_000;
/// Run number, due time and time of sending at the start of a body.
const MARK_BYTES: usize = 24;
/// Receive buffer of a connection.
const BUFFER_BYTES: usize = 64 << 10;
/// FIN commands written at once.
const FINISH_CAPACITY: usize = 1024;

/// Settings of `latency`.
#[derive(Clone, Debug, Args, Serialize)]
pub(crate) struct LatencyArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub(super) layers: LayerArgs,
    /// Messages per second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=MAX_RATE))]
    pub(super) rate: u32,
    /// Size of a message body in bytes, at least 24
    #[arg(long, default_value = "200", value_parser = parse_bytes)]
    pub(super) size: u64,
    /// What message bodies are made of
    #[arg(long, value_enum, default_value_t)]
    pub(super) content: Content,
    /// Ready count of the consumer
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rdy: u32,
    /// Name of the channel
    #[arg(long, default_value = "bench", value_parser = parse_name)]
    pub(super) channel: String,
    /// Time to measure
    #[arg(long, default_value = "10s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    pub(super) duration: Duration,
    /// Time to run before measuring
    #[arg(long, default_value = "1s", value_parser = parse_span)]
    #[serde(serialize_with = "serialize_span")]
    pub(super) warmup: Duration,
}

/// What sender, reader of answers and consumer share.
struct Shared {
    epoch: Instant,
    run: u64,
    sent: Arc<Tally>,
    acknowledged: Arc<Tally>,
    delivered: Arc<Tally>,
    /// A heartbeat waits for the sender, the only one who writes.
    heartbeat: AtomicBool,
    books: Mutex<Books>,
}

struct Books {
    from_sending: LatencyBook,
    from_due: LatencyBook,
}

/// When the messages are due.
#[derive(Clone, Copy)]
struct Schedule {
    interval: Duration,
    /// Messages that warm up and are not measured.
    unmeasured: u64,
    total: u64,
}

/// A finished run.
pub(super) struct LatencyRun {
    shared: Arc<Shared>,
    schedule: Schedule,
    measurement: Measurement,
}

/// Sends on schedule and reports the percentiles.
pub(super) fn measure(args: &LatencyArgs) -> Result<Report> {
    let topic = args.common.topic_or_fresh("latency");
    let run = LatencyRun::finish(args, &topic)?;
    let (measurement, books) = (&run.measurement, run.shared.books.lock());

    let mut report = Report::new("latency", args);
    report.text("topic", &topic);
    report.real("elapsed_s", measurement.elapsed().as_secs_f64());
    report.real("deliveries_per_s", measurement.rate(measurement.delivered()));
    books.from_sending.report(&mut report, ["p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms"]);
    books.from_due.report(
        &mut report,
        ["due_p50_ms", "due_p90_ms", "due_p99_ms", "due_p99_9_ms", "due_max_ms"],
    );
    measurement.report_usage(&mut report, measurement.delivered());
    report.count("published_in_all", run.shared.acknowledged.count());
    report.count("delivered_in_all", run.shared.delivered.count());
    run.report_problem(&mut report);
    clean_up(&args.common, &topic)?;
    Ok(report)
}

impl LatencyRun {
    /// Sends on schedule and waits for the last message.
    pub(super) fn finish(args: &LatencyArgs, topic: &str) -> Result<Self> {
        ensure!(args.size >= MARK_BYTES as u64, "--size must be at least {MARK_BYTES}");
        let messages_in =
            |span: Duration| (span.as_secs_f64() * f64::from(args.rate)).ceil() as u64;
        let unmeasured = messages_in(args.warmup);
        let schedule = Schedule {
            interval: Duration::from_secs(1) / args.rate,
            unmeasured,
            total: unmeasured + messages_in(args.duration).max(1),
        };
        let (shared, measurement) = run(args, topic, schedule)?;
        Ok(Self { shared, schedule, measurement })
    }

    /// Adds p50, p99 and the maximum of the time from sending to receiving, under these names.
    pub(super) fn report_brief(&self, report: &mut Report, names: [&'static str; 3]) {
        let books = self.shared.books.lock();
        for (name, percent) in names.into_iter().zip([50.0, 99.0, 100.0]) {
            report.real(name, books.from_sending.percentile_ms(percent));
        }
    }

    /// Messages that were not answered or not delivered are a problem.
    pub(super) fn report_problem(&self, report: &mut Report) {
        let (acknowledged, delivered) =
            (self.shared.acknowledged.count(), self.shared.delivered.count());
        let total = self.schedule.total;
        if delivered != total || acknowledged != total {
            report.problem(format!("{total} sent, {acknowledged} answered, {delivered} delivered"));
        }
    }
}

fn run(args: &LatencyArgs, topic: &str, schedule: Schedule) -> Result<(Arc<Shared>, Measurement)> {
    let common = &args.common;
    let (identify, layers) = (Identify::new(), args.layers.layers()?);
    let open =
        || Connection::open(&common.address, &identify, &layers, BUFFER_BYTES, common.timeout);
    let mut consumer = open()?;
    consumer.subscribe(topic, &args.channel)?;
    consumer.send(&command::ready(args.rdy))?;
    let mut answers = open()?;
    let writer = answers.writer()?;
    let shape = PublishShape {
        transport: Transport::Tcp,
        topic: topic.to_owned(),
        body_bytes: usize::try_from(args.size)?,
        batch: 1,
        defer_ms: None,
        content: args.content,
        seed: 0,
    };
    let block = PublishBlock::encode(&shape, 1)?;
    let epoch = Instant::now();
    let shared = Arc::new(Shared {
        epoch,
        run: run_number(),
        sent: Tally::new(epoch),
        acknowledged: Tally::new(epoch),
        delivered: Tally::new(epoch),
        heartbeat: AtomicBool::new(false),
        books: Mutex::new(Books { from_sending: LatencyBook::new(), from_due: LatencyBook::new() }),
    });

    let (mut sending, mut reading) = (Crew::default(), Crew::default());
    let context = Arc::clone(&shared);
    let warm = Duration::from_secs_f64(schedule.unmeasured as f64 / f64::from(args.rate));
    reading.spawn("consumer", move |switch| consume(consumer, &context, warm, switch))?;
    let context = Arc::clone(&shared);
    reading.spawn("answers", move |switch| read_answers(answers, &context, switch))?;
    let context = Arc::clone(&shared);
    sending.spawn("sender", move |switch| send(writer, block, &context, schedule, switch))?;

    let measurement = coordinate(common, &shared, schedule, &mut sending, &mut reading)?;
    reading.stop_and_wait(common.timeout)?;
    Ok((shared, measurement))
}

/// Takes the snapshots and waits for the last message.
fn coordinate(
    common: &CommonArgs,
    shared: &Shared,
    schedule: Schedule,
    sending: &mut Crew,
    reading: &mut Crew,
) -> Result<Measurement> {
    let mut progress = Progress::new();
    let mut watch = Watch::new(common.timeout + schedule.interval);
    let snapshot =
        || Snapshot::take(common.pid, shared.acknowledged.count(), shared.delivered.count());
    let mut begin = snapshot()?;
    let mut is_warm = schedule.unmeasured == 0;
    loop {
        sending.reap()?;
        reading.reap()?;
        let (published, delivered) = (shared.acknowledged.count(), shared.delivered.count());
        if !is_warm && shared.sent.count() >= schedule.unmeasured {
            begin = snapshot()?;
            is_warm = true;
        }
        if sending.is_done() {
            break;
        }
        watch.check(published, delivered)?;
        progress.update(published, delivered);
        thread::sleep(Duration::from_millis(5));
    }
    let end = snapshot()?;
    let is_complete = || {
        shared.acknowledged.count() >= schedule.total && shared.delivered.count() >= schedule.total
    };
    while !is_complete()
        && watch.check(shared.acknowledged.count(), shared.delivered.count()).is_ok()
    {
        reading.reap()?;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(Measurement { begin, end })
}

fn send(
    mut writer: CommandWriter,
    mut block: PublishBlock,
    shared: &Shared,
    schedule: Schedule,
    switch: &Switch,
) -> Result<()> {
    for number in 0..schedule.total {
        let due = schedule.interval.mul_f64(number as f64);
        wait_until(shared.epoch + due);
        if switch.is_stopped() {
            return Ok(());
        }
        let mark = [shared.run, nanos(due), nanos(shared.epoch.elapsed())];
        for (slot, word) in block.first_body_mut().chunks_exact_mut(8).zip(mark) {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        shared.sent.add(1);
        writer.send(block.wire(0..1))?;
        if shared.heartbeat.swap(false, Ordering::Relaxed) {
            writer.send(command::NOP)?;
        }
    }
    Ok(())
}

fn read_answers(mut connection: Connection, shared: &Shared, switch: &Switch) -> Result<()> {
    while !switch.is_stopped() {
        if connection.receive()? == Received::End {
            bail!("nsqd closed the connection of the publisher");
        }
        let mut answers = 0;
        while let Some(event) = connection.next_event()? {
            match event {
                Event::Ok => answers += 1,
                Event::Heartbeat => shared.heartbeat.store(true, Ordering::Relaxed),
                other => bail!("unexpected {other:?} on the publisher's connection"),
            }
        }
        if answers > 0 {
            shared.acknowledged.add(answers);
        }
    }
    Ok(())
}

fn consume(
    mut connection: Connection,
    shared: &Shared,
    warmup: Duration,
    switch: &Switch,
) -> Result<()> {
    let warmup_ns = nanos(warmup);
    let mut finish = FinishBlock::new(FINISH_CAPACITY);
    while !switch.is_stopped() {
        let received = connection.receive()?;
        let now_ns = nanos(shared.epoch.elapsed());
        if received == Received::End {
            bail!("nsqd closed the connection of the consumer");
        }
        let mut messages = 0;
        let mut heartbeat = false;
        let mut books = shared.books.lock();
        while let Some(event) = connection.next_event()? {
            match event {
                Event::Message { id, body, .. } => {
                    ensure!(finish.push(id), "more messages at once than the ready count allows");
                    let Some((due_ns, sent_ns)) = read_mark(body, shared.run) else { continue };
                    messages += 1;
                    if due_ns >= warmup_ns {
                        books.from_sending.note(now_ns.saturating_sub(sent_ns));
                        books.from_due.note(now_ns.saturating_sub(due_ns));
                    }
                }
                Event::Heartbeat => heartbeat = true,
                other => bail!("unexpected {other:?} on the consumer's connection"),
            }
        }
        drop(books);
        connection.send(finish.bytes())?;
        finish.clear();
        if messages > 0 {
            shared.delivered.add(messages);
        }
        if heartbeat {
            connection.send(command::NOP)?;
        }
    }
    Ok(())
}

/// Due time and time of sending of a message of this run.
fn read_mark(body: &[u8], run: u64) -> Option<(u64, u64)> {
    let (found, rest) = body.split_first_chunk::<8>()?;
    let (due, rest) = rest.split_first_chunk::<8>()?;
    let (sent, _) = rest.split_first_chunk::<8>()?;
    let is_ours = u64::from_be_bytes(*found) == run;
    is_ours.then(|| (u64::from_be_bytes(*due), u64::from_be_bytes(*sent)))
}

fn wait_until(due: Instant) {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > SPIN {
            thread::sleep(left - SPIN);
        } else {
            std::hint::spin_loop();
        }
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
