//! The log against a plain map, for any order of calls.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use nsq_broker::Sequence;
use nsq_sim::FaultyDisk;
use nsq_store::journal::{Relocation, Tip};
use nsq_store::{Log, Opening, Recent, Store, StoreOptions};
use proptest::prelude::*;

use self::world::{Held, NOW_NS, body, framed, hold, options, read_all, topic};

#[derive(Clone, Debug)]
enum Call {
    Append { count: u32, size: usize },
    Read { back: u64, max_bytes: usize },
    ReadEach { back: Vec<u64> },
    Finish { upto_back: u64 },
    Pin { back: u64 },
    Relocate,
    Release,
    Sync,
    Seal,
    Shed,
    Reopen { with_tip: bool },
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = prop_oneof![
        8 => (1..5u32, 0..300usize).prop_map(|(count, size)| Call::Append { count, size }),
        3 => (0..60u64, 1..3000usize).prop_map(|(back, max_bytes)| Call::Read { back, max_bytes }),
        2 => prop::collection::vec(0..60u64, 1..9).prop_map(|back| Call::ReadEach { back }),
        3 => (0..30u64).prop_map(|upto_back| Call::Finish { upto_back }),
        1 => (0..30u64).prop_map(|back| Call::Pin { back }),
        1 => Just(Call::Relocate),
        2 => Just(Call::Release),
        1 => Just(Call::Sync),
        1 => Just(Call::Seal),
        1 => Just(Call::Shed),
        1 => any::<bool>().prop_map(|with_tip| Call::Reopen { with_tip }),
    ];
    prop::collection::vec(call, 1..120)
}

/// The log and what it ought to hold.
struct Pair {
    store: Store,
    log: Log,
    held: Held,
    low: Sequence,
    pinned: BTreeSet<Sequence>,
    appended: u64,
}

impl Pair {
    fn new() -> Self {
        let disk = FaultyDisk::with_dir("/data");
        let options = options(disk.shared(), 900);
        let store = Store::new(StoreOptions { mem_queue_size: 12, ..options }).unwrap();
        let (log, _) = world::open(&store, "orders");
        let (held, pinned) = (Held::new(), BTreeSet::new());
        Self { store, log, held, low: Sequence(0), pinned, appended: 0 }
    }

    fn back(&self, back: u64) -> Sequence {
        Sequence(self.log.end().0.saturating_sub(back).max(self.low.0))
    }

    fn is_live(&self, sequence: Sequence) -> bool {
        sequence >= self.low || self.pinned.contains(&sequence)
    }

    fn call(&mut self, call: &Call) {
        match call {
            Call::Append { count, size } => self.append(*count, *size),
            Call::Read { back, max_bytes } => self.read(self.back(*back), *max_bytes),
            Call::ReadEach { back } => self.read_each(back),
            Call::Finish { upto_back } => self.low = self.low.max(self.back(*upto_back)),
            Call::Pin { back } => {
                let pinned = self.back(*back);
                if pinned < self.log.end() {
                    self.pinned.insert(pinned);
                }
            }
            Call::Relocate => self.relocate(),
            Call::Release => self.release(),
            Call::Sync => {
                assert_eq!(self.log.sync().unwrap(), self.log.end());
                assert_eq!(self.log.appended_since_sync(), 0);
            }
            Call::Seal => self.log.seal().unwrap(),
            Call::Shed => {
                self.log.shed();
                assert_eq!(self.store.memory().used(), 0);
            }
            Call::Reopen { with_tip } => self.reopen(*with_tip),
        }
    }

    fn append(&mut self, count: u32, size: usize) {
        let numbers = self.appended..self.appended + u64::from(count);
        let bodies: Vec<_> = numbers.map(|number| body(number, size)).collect();
        let before = self.log.end();
        let batch = self.log.append(framed(&bodies), count, NOW_NS, None).unwrap();
        assert_eq!((batch.first, batch.end()), (before, self.log.end()));
        self.appended += u64::from(count);
        hold(&mut self.held, &batch);
    }

    fn read(&self, from: Sequence, max_bytes: usize) {
        let chunk = self.log.read(from, max_bytes).unwrap();
        assert_eq!(chunk.damage, []);
        let mut found = Held::new();
        chunk.batches.iter().for_each(|batch| hold(&mut found, batch));
        match self.log.recent(from, max_bytes) {
            Recent::Batches(batches) => {
                assert_eq!(batches[0], chunk.batches[0]);
                batches.iter().for_each(|batch| self.check(batch));
            }
            Recent::OnDisk => assert!(from < self.log.memory_start()),
            Recent::End => assert_eq!(from, self.log.end()),
        }
        let expected: Held =
            self.held.range(from.0..chunk.next.0).map(|(k, v)| (*k, v.clone())).collect();
        found.retain(|at, _| *at >= from.0);
        assert_eq!(found, expected);
        assert!(chunk.next > from || from == self.log.end());
    }

    fn check(&self, batch: &nsq_broker::Batch) {
        let mut found = Held::new();
        hold(&mut found, batch);
        found.iter().for_each(|(at, message)| assert_eq!(self.held.get(at), Some(message)));
    }

    fn read_each(&self, back: &[u64]) {
        let mut wanted: Vec<_> = back.iter().map(|back| self.back(*back)).collect();
        wanted.extend(&self.pinned);
        for (sequence, message) in self.log.read_each(&wanted).unwrap() {
            assert_eq!(message.is_some(), sequence < self.log.end(), "{sequence:?}");
            message.iter().for_each(|message: &Arc<_>| self.check(message));
        }
    }

    fn relocate(&self) {
        // Only what is behind all readers may lose its place.
        let pinned: Vec<_> = self.pinned.range(..self.low).copied().collect();
        assert_eq!(self.log.relocate(&pinned).unwrap().len(), pinned.len());
    }

    fn release(&self) {
        // Only pinned messages that were not relocated hold the low mark back.
        let relocated: BTreeSet<_> = self.log.relocated().iter().map(|r| r.sequence).collect();
        let unmoved = self.pinned.difference(&relocated).next().copied();
        let low = unmoved.map_or(self.low, |unmoved| unmoved.min(self.low));
        self.log.release(low, &mut |sequence| self.is_live(sequence)).unwrap();
    }

    fn reopen(&mut self, with_tip: bool) {
        let tip: Option<Tip> = self.log.tip().filter(|_| with_tip);
        let relocated: Vec<Relocation> = self.log.relocated();
        let end = self.log.end();
        let opening = Opening { tip, relocated, now_ns: NOW_NS, ..Opening::default() };
        let (log, recovered) = self.store.open_log(&topic("orders"), &opening).unwrap();
        assert_eq!((recovered.end, recovered.damage), (end, vec![]));
        self.log = log;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_map_of_what_is_live(calls in calls()) {
        let mut pair = Pair::new();
        for call in &calls {
            pair.call(call);
        }
        let (found, damage) = read_all(&pair.log, pair.low, 700);
        let expected = pair.held.split_off(&pair.low.0);
        let found: Held = found.into_iter().filter(|(at, _)| *at >= pair.low.0).collect();
        prop_assert_eq!((found, damage), (expected, vec![]));
        let epochs = pair.log.epochs();
        for (at, (guid, _)) in &pair.held.split_off(&pair.low.0) {
            prop_assert_eq!(epochs.sequence_of(*guid), Some(Sequence(*at)));
        }
    }
}
