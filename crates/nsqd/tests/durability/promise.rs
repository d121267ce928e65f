//! An acknowledged message is never lost, under load and with a crash at any moment.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nsq_sim::{
    Addresses, Fault, FaultyDisk, Ledger, Operation, Seed, Style, Temper, Traffic, drain,
};

use crate::life::Home;

/// How long the runs of one test may take together.
const TIME: Duration = Duration::from_secs(5);
/// So many runs there are at least.
const MIN_RUNS: u64 = 4;
/// Several runs at once: most of the time of one is waiting.
const THREADS: u64 = 3;
/// Longer than any message is deferred.
const PATIENCE: Duration = Duration::from_secs(5);
const LIVES: u64 = 3;
/// How many operations of a life fail on a bad disk.
const FAULTS: usize = 12;

/// What happens to the daemon and its disk.
#[derive(Clone, Copy)]
struct Fate {
    sync_every: u64,
    power_cut: bool,
    /// Single operations fail.
    bad_disk: bool,
}

/// Runs `run` with seed after seed.
pub(crate) fn many_seeds(run: impl Fn(u64) + Sync) {
    let started = Instant::now();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut seed = 0;
                while seed < MIN_RUNS || started.elapsed() < TIME {
                    seed = next.fetch_add(1, Ordering::Relaxed);
                    run(seed);
                }
            });
        }
    });
}

fn traffic(addresses: Addresses, ledger: &Arc<Ledger>, life: u64, seed: &mut Seed) -> Traffic {
    let mut traffic = Traffic::new(addresses, ledger, 4000, seed.draw());
    for style in Style::ALL {
        traffic.publish(["orders", "events"][seed.below(2)], style);
    }
    for style in [Style::Pipelined, Style::Deferred] {
        traffic.publish("orders", style);
        traffic.publish("unread", style);
    }
    for channel in ["archive", "billing"] {
        traffic.consume("orders", channel, Temper::Moody);
    }
    traffic.consume("orders", "archive", Temper::Moody);
    traffic.consume("events", "archive", Temper::Moody);
    traffic.consume("events", &format!("since-{life}"), Temper::Moody);
    traffic
}

/// Lets some of the next operations fail.
fn spoil(disk: &FaultyDisk, seed: &mut Seed) {
    const FRAGILE: [Operation; 10] = [
        Operation::Open,
        Operation::Create,
        Operation::Rename,
        Operation::RemoveFile,
        Operation::CreateDir,
        Operation::SyncDir,
        Operation::Read,
        Operation::Write,
        Operation::Sync,
        Operation::SetLength,
    ];
    for _ in 0..FAULTS {
        let operation = FRAGILE[seed.below(FRAGILE.len())];
        let torn_bytes = [0, 1, 64, 100, 10_000][seed.below(5)];
        let fault = Fault { kind: io::ErrorKind::Other, torn_bytes };
        disk.fail(operation, 1 + seed.below(60) as u64, fault);
    }
}

/// Some lives that end badly, then one in which everything must come.
fn run(seed: u64, fate: Fate) {
    let home = Home::new();
    let ledger = Arc::new(Ledger::default());
    let mut random = Seed(seed);
    if random.below(2) == 0 {
        home.disk.sync_takes(Duration::from_micros(random.below(3000) as u64));
    }
    let segment_bytes = [20_000, 100_000, 100 << 20][random.below(3)];
    for life in 0..LIVES {
        let daemon = home.start(|options| {
            options.sync_every = fate.sync_every;
            options.max_bytes_per_file = segment_bytes;
            options.mem_queue_size = 100;
        });
        if fate.bad_disk {
            spoil(&home.disk, &mut random);
        }
        let traffic = traffic(daemon.addresses, &ledger, life, &mut random);
        let enough = ledger.acknowledged() + 1 + random.below(1500) as u64;
        ledger.wait_for_acknowledged(enough, PATIENCE);
        match fate.power_cut {
            true => home.disk.power_cut(random.draw()),
            false => home.disk.kill(),
        }
        daemon.end();
        traffic.stop();
    }
    let daemon = home.start(|options| {
        options.sync_every = fate.sync_every;
        options.max_bytes_per_file = segment_bytes;
    });
    ledger.open_first_channel("unread", "first");
    let missing = drain(daemon.addresses, &ledger, PATIENCE);
    home.disk.kill();
    daemon.end();
    let (faults, totals) = (ledger.faults(), ledger.totals());
    assert!(missing.is_empty() && faults.is_empty(), "seed {seed}: {missing:#?} {faults:#?}");
    assert!(totals.acknowledged > 0, "seed {seed}");
}

#[test]
fn a_power_cut_takes_nothing_that_was_acknowledged_after_its_sync() {
    let fate = Fate { sync_every: 1, power_cut: true, bad_disk: false };
    many_seeds(|seed| run(seed, fate));
}

#[test]
fn a_kill_takes_nothing_that_was_acknowledged() {
    let fate = Fate { sync_every: 2500, power_cut: false, bad_disk: false };
    many_seeds(|seed| run(seed, fate));
}

#[test]
fn nothing_is_acknowledged_that_a_bad_disk_did_not_take() {
    let fate = Fate { sync_every: 1, power_cut: true, bad_disk: true };
    many_seeds(|seed| run(seed, fate));
}

#[test]
fn a_kill_after_failures_of_the_disk_takes_nothing_either() {
    let fate = Fate { sync_every: 50, power_cut: false, bad_disk: true };
    many_seeds(|seed| run(seed, fate));
}
