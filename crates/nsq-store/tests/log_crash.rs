//! Logs of a process that is killed, or of a machine that loses its power, at any point.

mod world;

use std::collections::BTreeSet;
use std::io;

use nsq_broker::Sequence;
use nsq_sim::{Fault, FaultyDisk, Operation};
use nsq_store::journal::{Relocation, Tip};
use nsq_store::{Log, Opening, Store};

use self::world::{
    Held, NOW_NS, append, body, framed, hold, open, read_all, segment, store, topic,
};

const MAX_BYTES: u64 = 700;
const ROUNDS: u64 = 6;

/// What the owner of a log knows of it when everything ends.
#[derive(Default)]
struct Known {
    /// Everything that was acknowledged and not released.
    held: Held,
    /// Below this nothing is held, but for what is pinned.
    low: Sequence,
    /// The highest id that was given away.
    highest: u64,
    synced: Sequence,
    tip: Option<Tip>,
    relocated: Vec<Relocation>,
    /// A message that waits for long.
    pinned: Option<Sequence>,
}

impl Known {
    /// Uses the log in every way until something fails.
    fn use_log(&mut self, log: &Log, rounds: u64) -> io::Result<()> {
        for round in 0..rounds {
            for number in 0..3 {
                let bodies = [body(round * 10 + number, 60), body(round * 10 + 5 + number, 20)];
                let batch = log.append(framed(&bodies), 2, NOW_NS, None)?;
                hold(&mut self.held, &batch);
                self.highest = batch.guid(Sequence(batch.end().0 - 1)).number();
            }
            self.synced = log.sync()?;
            self.tip = log.tip();
            if round == 2 {
                let pinned = self.low.plus(1);
                self.relocated = log.relocate(&[pinned])?;
                self.pinned = Some(pinned);
            }
            self.release(log, 8)?;
        }
        Ok(())
    }

    /// Finishes all but the newest messages and the pinned one.
    fn release(&mut self, log: &Log, kept: u64) -> io::Result<()> {
        let low = Sequence(log.end().0.saturating_sub(kept));
        let pinned = self.pinned;
        self.held.retain(|at, _| *at >= low.0 || Some(Sequence(*at)) == pinned);
        self.low = low;
        let relocated = self.relocated.iter().any(|r| Some(r.sequence) == pinned);
        let release = pinned.filter(|_| !relocated).map_or(low, |pinned| pinned.min(low));
        log.release(release, &mut |at| at >= low || Some(at) == pinned)
    }

    fn opening(&self) -> Opening {
        let relocated = self.relocated.clone();
        Opening { tip: self.tip, relocated, now_ns: NOW_NS, ..Opening::default() }
    }

    /// What is still held below `end` must be there, and ids must not come again.
    fn check(&self, store: &Store, end: Sequence) {
        let (log, recovered) = store.open_log(&topic("orders"), &self.opening()).unwrap();
        assert!(recovered.end >= end, "{:?} was promised, {recovered:?}", end);
        let (found, _) = read_all(&log, self.low.min(log.end()), 500);
        for (at, message) in self.held.range(self.low.0..end.0) {
            assert_eq!(found.get(at), Some(message), "message {at}");
        }
        if let Some(pinned) = self.pinned.filter(|_| !self.relocated.is_empty()) {
            let mut alone = Held::new();
            let message = log.read_each(&[pinned]).unwrap()[0].1.clone();
            hold(&mut alone, &message.expect("the message was relocated"));
            assert_eq!(alone.get(&pinned.0), self.held.get(&pinned.0));
        }
        let next = log.append(framed(&[body(9999, 50)]), 1, NOW_NS, None).unwrap();
        assert!(next.first >= recovered.end && next.first_guid.number() > self.highest);
        assert_eq!(log.read(next.first, 1000).unwrap().batches, [next]);
    }
}

/// Uses a second topic as well, so that files wander.
fn other_topic(store: &Store) {
    let (log, _) = open(store, "other");
    for number in 0..12 {
        append(&log, body(number, 100));
    }
    log.sync().unwrap();
    log.release(log.end(), &mut |_| false).unwrap();
}

/// How often a whole run changes the disk.
fn changes_of_a_run() -> u64 {
    let disk = FaultyDisk::with_dir("/data");
    let store = store(disk.shared(), MAX_BYTES);
    other_topic(&store);
    let before = disk.changes();
    Known::default().use_log(&open(&store, "orders").0, ROUNDS).unwrap();
    let changes = disk.changes() - before;
    assert!(changes > 50);
    changes
}

#[test]
fn killed_at_every_write_nothing_acknowledged_is_lost() {
    for stop in 0..changes_of_a_run() {
        for torn_bytes in [0, 1, 63, 64, 100, 10_000] {
            let disk = FaultyDisk::with_dir("/data");
            let store = store(disk.shared(), MAX_BYTES);
            other_topic(&store);
            let mut known = Known::default();
            let (log, _) = open(&store, "orders");
            disk.stop_after(stop, torn_bytes);
            assert!(known.use_log(&log, ROUNDS).is_err());
            let end = log.end();
            drop((log, store));
            disk.kill();
            known.check(&world::store(disk.shared(), MAX_BYTES), end);
        }
    }
}

#[test]
fn a_failure_at_every_write_is_survived_without_a_restart() {
    for stop in 0..changes_of_a_run() {
        let disk = FaultyDisk::with_dir("/data");
        let store = store(disk.shared(), MAX_BYTES);
        other_topic(&store);
        let mut known = Known::default();
        let (log, _) = open(&store, "orders");
        disk.stop_after(stop, 70);
        assert!(known.use_log(&log, ROUNDS).is_err());
        disk.heal();
        hold(&mut known.held, &append(&log, body(7777, 80)));
        let (found, _) = read_all(&log, known.low, 500);
        for (at, message) in known.held.range(known.low.0..) {
            assert_eq!(found.get(at), Some(message), "message {at}");
        }
        let end = log.end();
        known.highest = 0;
        drop(log);
        known.check(&store, end);
    }
}

#[test]
fn after_a_power_cut_everything_synced_is_there() {
    for seed in 0..1500 {
        let disk = FaultyDisk::with_dir("/data");
        let store = store(disk.shared(), MAX_BYTES);
        other_topic(&store);
        let mut known = Known::default();
        let (log, _) = open(&store, "orders");
        // A third of the runs is cut in the middle of something.
        let stop = if seed % 3 == 0 { seed % 97 } else { u64::MAX };
        disk.stop_after(stop, 100);
        let used = known.use_log(&log, 1 + seed % 7);
        if used.is_ok() {
            // Some more that nobody synced; the disk may stop here as well.
            for number in 0..seed % 9 {
                let more = log.append(framed(&[body(5000 + number, 90)]), 1, NOW_NS, None);
                assert!(more.is_ok() || stop < u64::MAX);
            }
        }
        drop((log, store));
        disk.power_cut(seed);
        // Ids beyond the synced end may come again only if the clock stands still.
        known.highest = 0;
        known.check(&world::store(disk.shared(), MAX_BYTES), known.synced);
    }
}

#[test]
fn a_file_that_cannot_be_synced_is_not_written_any_more() {
    let disk = FaultyDisk::with_dir("/data");
    let store = store(disk.shared(), 1 << 20);
    let (log, _) = open(&store, "orders");
    append(&log, body(0, 50));
    assert_eq!(log.sync().unwrap(), Sequence(1));
    append(&log, body(1, 50));
    disk.fail(Operation::Sync, 1, Fault::clean(io::ErrorKind::Other));
    assert!(log.sync().is_err());
    assert_eq!(log.appended_since_sync(), 1);
    assert_eq!(log.tip().unwrap().sequence, Sequence(1));
    append(&log, body(2, 50));
    assert!(disk.contents(segment("orders", 1)).is_some());
    assert_eq!(log.sync().unwrap(), Sequence(3));
    // The later success says nothing about the message in between.
    assert_eq!([1, 2, 3].map(|end| log.is_unsure(Sequence(end))), [false, true, false]);
    assert_eq!(read_all(&log, Sequence(0), 1000).0.len(), 3);
    drop(log);
    disk.power_cut(0);
    let (log, recovered) = open(&world::store(disk.shared(), 1 << 20), "orders");
    assert_eq!(recovered.end, Sequence(3));
    let found: BTreeSet<_> = read_all(&log, Sequence(0), 1000).0.into_keys().collect();
    assert_eq!(found, BTreeSet::from([0, 2]));
}
