//! A few messages that wait for long do not keep all that came after them on the disk, and are not
//! lost when the segments around them go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nsq_sim::{Connection, Ledger, Received, Seed, Style, Traffic, drain};
use nsq_sim::{command, http};

use crate::life::{Home, Life};
use crate::promise::many_seeds;

const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(20);
const SEGMENT_BYTES: u64 = 20_000;
/// The newest, the one before, and one or two of copies.
const FEW_SEGMENTS: usize = 5;
/// Longer than any test runs.
const NEVER_MS: u64 = 600_000;

fn start(home: &Home, sync_every: u64) -> Life {
    home.start(|options| {
        options.max_bytes_per_file = SEGMENT_BYTES;
        options.sync_every = sync_every;
        options.mem_queue_size = 100;
    })
}

fn segments(home: &Home) -> usize {
    let paths = home.disk.paths();
    paths.iter().filter(|path| path.extension().is_some_and(|suffix| suffix == "log")).count()
}

/// A consumer that has not answered some of its messages.
struct Holder {
    connection: Connection,
    held: Vec<String>,
}

impl Holder {
    fn join(life: &Life) -> Self {
        let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
        let answer = connection.ask(&command::subscribe("orders", "archive"));
        assert_eq!(answer.expect("an answer"), Received::Response(b"OK".to_vec()));
        connection.send(&command::ready(2500)).expect("the daemon reads");
        Self { connection, held: Vec::new() }
    }

    /// Takes what comes and finishes it, but for every `keep`-th message, until everything else
    /// was finished or the daemon is gone.
    fn consume(&mut self, ledger: &Ledger, keep: usize, until: impl Fn(usize) -> bool) -> usize {
        let mut count = 0;
        while !until(count) {
            let received = match self.connection.receive(TICK) {
                Ok(received) => received,
                Err(_) => return count,
            };
            match received {
                None => {}
                Some(Received::Message(message)) => {
                    count += 1;
                    ledger.deliver("orders", "archive", &message);
                    if count % keep == 0 {
                        self.held.push(message.id);
                        continue;
                    }
                    ledger.finish("orders", "archive", &message.body);
                    if self.connection.send(&command::finish(&message.id)).is_err() {
                        return count;
                    }
                }
                Some(other) => panic!("{other:?}"),
            }
        }
        count
    }
}

/// Publishes `count` messages, in batches.
fn publish(life: &Life, ledger: &Ledger, count: usize, delay_ms: u64) {
    let mut connection = Connection::open(life.addresses.tcp).expect("the daemon listens");
    for _ in 0..count.div_ceil(10) {
        let publish = ledger.send("orders", count.min(10), delay_ms, &mut Seed(3));
        let answers = match delay_ms {
            0 => vec![connection.ask(&command::publish_many("orders", &publish.bodies))],
            _ => {
                let each = publish.bodies.iter();
                each.map(|body| {
                    connection.ask(&command::publish_deferred("orders", delay_ms, body))
                })
                .collect()
            }
        };
        for answer in answers {
            assert_eq!(answer.expect("an answer"), Received::Response(b"OK".to_vec()));
        }
        if delay_ms == 0 {
            ledger.acknowledge(&publish, publish.bodies.len());
        }
    }
}

fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(TICK);
    }
}

fn deferred_count(life: &Life) -> String {
    let stats = http::get(life.addresses.http, "/stats?format=json").expect("an answer").body;
    let (_, rest) = stats.split_once("\"deferred_count\":").expect("there is a channel");
    rest.split(',').next().expect("a number").to_owned()
}

#[test]
fn deferred_messages_do_not_keep_what_passes_them() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = start(&home, 2500);
    let mut holder = Holder::join(&life);
    ledger.open_first_channel("orders", "archive");
    let mut most = 0;
    for _ in 0..10 {
        publish(&life, &ledger, 2, NEVER_MS);
        publish(&life, &ledger, 2000, 0);
        assert_eq!(holder.consume(&ledger, usize::MAX, |count| count == 2000), 2000);
        most = most.max(segments(&home));
        wait_for("segments go", || segments(&home) <= FEW_SEGMENTS);
    }
    assert!(most > 10, "segments came");
    assert_eq!(deferred_count(&life), "20");
    home.disk.kill();
    life.end();
    let life = start(&home, 2500);
    assert_eq!(deferred_count(&life), "20");
    publish(&life, &ledger, 10, 0);
    assert_eq!(drain(life.addresses, &ledger, PATIENCE), [""; 0]);
    wait_for("segments go", || segments(&home) <= FEW_SEGMENTS);
    assert_eq!((deferred_count(&life), ledger.faults()), ("20".to_owned(), vec![]));
    home.disk.kill();
    life.end();
}

/// Their segments are gone, and with them what says which message an id belongs to.
#[test]
fn relocated_messages_can_be_finished_by_whoever_gets_them() {
    let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
    let life = start(&home, 2500);
    let mut holder = Holder::join(&life);
    ledger.open_first_channel("orders", "archive");
    publish(&life, &ledger, 4000, 0);
    holder.consume(&ledger, 500, |count| count == 4000);
    assert_eq!(holder.held.len(), 8);
    wait_for("segments go", || segments(&home) <= FEW_SEGMENTS);
    // By the consumer that has it in flight.
    let first = holder.held.swap_remove(0);
    holder.connection.send(&command::finish(&first)).expect("the daemon reads");
    assert_eq!(holder.connection.receive(TICK).expect("the connection lives"), None);
    drop(holder);
    // By another one.
    let mut other = Holder::join(&life);
    assert_eq!(other.consume(&ledger, 2, |count| count == 7), 7);
    assert_eq!(other.connection.receive(TICK).expect("the connection lives"), None);
    home.disk.kill();
    life.end();
    // By one that comes after a restart.
    let life = start(&home, 2500);
    drain(life.addresses, &ledger, PATIENCE);
    assert_eq!(ledger.faults(), [""; 0]);
    home.disk.kill();
    life.end();
}

/// Whatever the journal knows by then: where the copies are, and that they are needed.
#[test]
fn a_crash_at_any_moment_of_a_relocation_loses_nothing() {
    many_seeds(|seed| {
        let (home, ledger) = (Home::new(), Arc::new(Ledger::default()));
        let mut random = Seed(seed);
        let (sync_every, power_cut) = [(1, true), (2500, false)][random.below(2)];
        for _ in 0..2 {
            let life = start(&home, sync_every);
            let mut traffic = Traffic::new(life.addresses, &ledger, 4000, seed);
            traffic.publish("orders", Style::Batch);
            traffic.publish("orders", Style::Batch);
            let mut holder = Holder::join(&life);
            ledger.open_first_channel("orders", "archive");
            home.disk.stop_after(random.below(1500) as u64, 50);
            let deadline = Instant::now() + Duration::from_millis(400);
            holder.consume(&ledger, 200, |_| home.disk.has_stopped() || Instant::now() > deadline);
            match power_cut {
                true => home.disk.power_cut(random.draw()),
                false => home.disk.kill(),
            }
            life.end();
            traffic.stop();
        }
        let life = start(&home, sync_every);
        let missing = drain(life.addresses, &ledger, PATIENCE);
        assert_eq!((missing, ledger.faults()), (vec![], vec![]), "seed {seed}");
        home.disk.kill();
        life.end();
    });
}
