//! The log of a topic, on a disk that works.

mod world;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nsq_broker::{Epochs, Sequence};
use nsq_proto::{Guid, NodeId};
use nsq_sim::{Fault, FaultyDisk, Operation};
use nsq_store::disk::OsDisk;
use nsq_store::{DeferredPublish, Log, Opening, Recent, Store, StoreOptions};

use self::world::{
    HEADER, Held, NOW_NS, append, body, framed, hold, open, options, read_all, segment, store,
    topic,
};

fn disk() -> FaultyDisk {
    FaultyDisk::with_dir("/data")
}

fn firsts(recent: Recent) -> Vec<u64> {
    match recent {
        Recent::Batches(batches) => batches.iter().map(|batch| batch.first.0).collect(),
        other => panic!("not in memory: {other:?}"),
    }
}

#[test]
fn what_is_appended_can_be_read_again() {
    let disk = disk();
    let store = store(disk.shared(), 1 << 20);
    let (log, recovered) = open(&store, "orders");
    assert_eq!(recovered, Default::default());
    assert_eq!((log.start(), log.end(), log.tip()), (Sequence(0), Sequence(0), None));
    assert!(disk.paths().is_empty(), "nothing is created before there is something to keep");

    let three = [body(0, 10), Vec::new(), body(2, 300)];
    let first = log.append(framed(&three), 3, NOW_NS, None).unwrap();
    let second = log.append(framed(&[body(3, 5)]), 1, NOW_NS + 7, Some(NOW_NS + 99)).unwrap();
    assert_eq!((first.first, first.count, second.first), (Sequence(0), 3, Sequence(3)));
    assert_eq!(first.first_guid.counter(), Guid::counter_at(NOW_NS));
    assert_eq!(first.first_guid.node(), NodeId::new(617).unwrap());
    assert_eq!(second.first_guid, first.first_guid.advance(3));

    let all = vec![Arc::clone(&first), Arc::clone(&second)];
    assert_eq!(log.recent(Sequence(4), 1000), Recent::End);
    assert_eq!(log.recent(Sequence(0), 1000), Recent::OnDisk);
    assert_eq!(log.recent(Sequence(3), 1000), Recent::Batches(vec![Arc::clone(&second)]));
    for max_bytes in [1, 64, 100, 512, 1 << 20] {
        let (mut next, mut read) = (Sequence(0), Vec::new());
        while next < log.end() {
            let chunk = log.read(next, max_bytes).unwrap();
            next = chunk.next;
            read.extend(chunk.batches);
        }
        assert_eq!(read, all);
    }
    assert_eq!(log.read(Sequence(4), 1000).unwrap().batches, []);
    drop(log);

    let (log, recovered) = open(&store, "orders");
    assert_eq!(recovered.end, Sequence(4));
    let deferred = DeferredPublish { first: Sequence(3), count: 1, due_ns: NOW_NS + 99 };
    assert_eq!(recovered.deferred, [deferred]);
    assert_eq!(recovered.damage, []);
    assert_eq!(log.read(Sequence(1), 1 << 20).unwrap().batches, all);
    assert_eq!(log.epochs().guid_of(Sequence(3)), Some(second.first_guid));
}

#[test]
fn single_messages() {
    let store = store(disk().shared(), 600);
    let (log, _) = open(&store, "orders");
    let mut held = Held::new();
    for number in 0..20 {
        let bodies = [body(number * 2, 40), body(number * 2 + 1, 50)];
        let due_ns = (number % 2 == 0).then_some(NOW_NS + 5);
        hold(&mut held, &log.append(framed(&bodies), 2, NOW_NS, due_ns).unwrap());
    }
    let wanted: Vec<_> = [5, 6, 7, 39, 38, 0, 40, 20].map(Sequence).to_vec();
    let found = log.read_each(&wanted).unwrap();
    assert_eq!(found.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), wanted);
    for (sequence, message) in found {
        let mut alone = Held::new();
        let Some(message) = message else {
            assert_eq!(sequence, Sequence(40));
            continue;
        };
        assert_eq!((message.timestamp_ns, message.due_ns), (NOW_NS, None));
        hold(&mut alone, &message);
        assert_eq!(alone.get(&sequence.0), held.get(&sequence.0));
    }
}

#[test]
fn any_name_is_a_directory_of_its_own() {
    let disk = disk();
    let store = store(disk.shared(), 1 << 20);
    for name in [".", "..", "a.b_c-D0"] {
        append(&open(&store, name).0, body(0, 1));
        assert!(disk.contents(segment(name, 0)).is_some());
    }
    let names: BTreeSet<_> = store.topics().unwrap().into_iter().collect();
    assert_eq!(names, [".", "..", "a.b_c-D0"].map(topic).into_iter().collect());
}

#[test]
fn every_opening_gives_ids_that_no_message_had() {
    let disk = disk();
    let opened_at = |store: &Store, now_ns| {
        let opening = Opening { now_ns, ..Opening::default() };
        store.open_log(&topic("orders"), &opening).unwrap().0
    };
    let first_store = store(disk.shared(), 1 << 20);
    let log = opened_at(&first_store, NOW_NS);
    let first = append(&log, body(0, 9));
    let second = append(&log, body(1, 9));
    drop(log);

    // The clock went back by a year, and the node has another number.
    let node_id = NodeId::new(3).unwrap();
    let options = StoreOptions { node_id, ..options(disk.shared(), 1 << 20) };
    let second_store = Store::new(options).unwrap();
    let log = opened_at(&second_store, NOW_NS - 365 * 86_400_000_000_000);
    let third = log.append(framed(&[body(2, 9)]), 1, 5, None).unwrap();
    assert!(third.first_guid.counter() > second.first_guid.counter());
    assert_eq!(third.first_guid.node(), node_id);
    assert_eq!(third.first, Sequence(2));
    let epochs = log.epochs();
    for batch in [&first, &second, &third] {
        assert_eq!(epochs.sequence_of(batch.first_guid), Some(batch.first));
    }
    assert_eq!(epochs.sequence_of(second.first_guid.advance(1)), None);

    // Created again, the topic starts from 0, but not with its ids.
    log.remove().unwrap();
    assert!(log.append(framed(&[body(3, 9)]), 1, NOW_NS, None).is_err());
    assert_eq!(log.read(Sequence(0), 1000).unwrap(), Default::default());
    assert!(disk.paths().is_empty());
    let log = opened_at(&second_store, 0);
    assert_eq!(log.epochs(), Epochs::default());
    let again = log.append(framed(&[body(0, 9)]), 1, 5, None).unwrap();
    assert_eq!(again.first, Sequence(0));
    assert!(again.first_guid.counter() > third.first_guid.counter());
}

#[test]
fn segments_have_their_size() {
    let disk = disk();
    let store = store(disk.shared(), 1000);
    let (log, _) = open(&store, "orders");
    // A frame is 4 bytes: the first two fill a segment exactly.
    let record = (1000 - HEADER) / 2;
    let fits = record - HEADER - 4;
    for (number, size) in [(0, fits), (1, fits), (2, 5000), (3, fits), (4, fits + 1)] {
        append(&log, body(number, size));
    }
    let sealed: Vec<_> = log.sealed_segments().iter().map(|s| (s.first.0, s.bytes)).collect();
    let large = (HEADER + HEADER + 4 + 5000) as u64;
    assert_eq!(sealed, [(0, 1000), (2, large), (3, (HEADER + record) as u64)]);
    assert_eq!(read_all(&log, Sequence(0), 300).0.len(), 5);
    log.seal().unwrap();
    log.seal().unwrap();
    assert_eq!(log.sealed_segments().len(), 4);
}

#[test]
fn finished_segments_are_written_again() {
    let disk = disk();
    let store = store(disk.shared(), 1000);
    let (log, _) = open(&store, "orders");
    for number in 0..40 {
        append(&log, body(number, 200));
    }
    log.release(Sequence(31), &mut |sequence| sequence >= Sequence(31)).unwrap();
    assert_eq!(log.start(), Sequence(30));
    assert_eq!(log.read_each(&[Sequence(29)]).unwrap(), [(Sequence(29), None)]);
    let files = |part: &str| {
        let paths = disk.paths();
        paths.iter().filter(|path| path.starts_with(Path::new("/data").join(part))).count()
    };
    assert_eq!((files("spare"), files("topics")), (8, 4));

    // Another topic takes them, and none of what they held.
    let (other, _) = open(&store, "other");
    let mut held = Held::new();
    for number in 0..10 {
        hold(&mut held, &append(&other, body(100 + number, 150)));
    }
    assert_eq!(files("spare"), 5);
    drop((log, other));
    for lost_header in [false, true] {
        if lost_header {
            for number in 0..3 {
                disk.edit(segment("other", number), |file| file[..HEADER].fill(0));
            }
        }
        let (other, recovered) = open(&store, "other");
        assert_eq!((recovered.end, recovered.damage), (Sequence(10), vec![]));
        assert_eq!(read_all(&other, Sequence(0), 4000), (held.clone(), vec![]));
    }
    // The next start of the daemon has them too.
    let store = world::store(disk.shared(), 1000);
    let (third, _) = open(&store, "third");
    append(&third, body(0, 1));
    assert_eq!(files("spare"), 4);
}

#[test]
fn relocated_messages_outlive_their_segment() {
    let disk = disk();
    let store = store(disk.shared(), 1000);
    let (log, _) = open(&store, "orders");
    let mut held = Held::new();
    for number in 0..30 {
        hold(&mut held, &append(&log, body(number, 200)));
    }
    let live = [Sequence(1), Sequence(7)];
    let mut is_live = |sequence: Sequence| live.contains(&sequence) || sequence.0 >= 25;
    log.release(Sequence(1), &mut is_live).unwrap();
    let segments: Vec<_> = log.sealed_segments().iter().map(|s| s.first.0).collect();
    assert_eq!(segments, [0, 6, 24], "those of 1 and 7, and from 25 on");

    let relocated = log.relocate(&live).unwrap();
    assert_eq!(relocated.iter().map(|r| r.sequence).collect::<Vec<_>>(), live);
    assert_eq!((log.appended_since_sync(), log.end()), (0, Sequence(30)));
    log.release(Sequence(1), &mut is_live).unwrap();
    assert_eq!(log.oldest_segment().unwrap().first, Sequence(24));
    assert_eq!(log.start(), Sequence(24));
    let check = |log: &Log| {
        for (sequence, message) in log.read_each(&live).unwrap() {
            let mut alone = Held::new();
            hold(&mut alone, &message.unwrap());
            assert_eq!(alone.get(&sequence.0), held.get(&sequence.0));
        }
    };
    check(&log);
    for number in 30..50 {
        append(&log, body(number, 200));
    }
    let holder = relocated[0].segment;
    assert_eq!(log.copies_in(holder), live);
    // All ordinary messages are finished: only the copies keep a segment.
    let mut is_live = |sequence: Sequence| live.contains(&sequence);
    log.release(Sequence(50), &mut is_live).unwrap();
    let sealed = log.sealed_segments();
    assert_eq!((sealed.len(), sealed[0].number, sealed[0].copies), (1, holder, 2));
    assert_eq!(log.start(), Sequence(49));
    check(&log);
    assert_eq!(log.relocated(), relocated);
    drop(log);

    // The journal knows where they are.
    let opening = Opening { relocated, now_ns: NOW_NS, ..Opening::default() };
    check(&store.open_log(&topic("orders"), &opening).unwrap().0);
    let (log, recovered) = open(&store, "orders");
    assert_eq!(recovered.relocated, [], "the newest segment has none");
    assert_eq!(log.read_each(&live[..1]).unwrap()[0].1, None);
}

#[test]
fn relocated_messages_are_found_behind_the_tip() {
    let disk = disk();
    let store = store(disk.shared(), 1000);
    let (log, _) = open(&store, "orders");
    for number in 0..8 {
        append(&log, body(number, 200));
    }
    log.sync().unwrap();
    let tip = log.tip();
    let relocated = log.relocate(&[Sequence(0), Sequence(4)]).unwrap();
    for number in 8..20 {
        append(&log, body(number, 200));
    }
    log.append(framed(&[body(20, 9)]), 1, NOW_NS, Some(NOW_NS + 1)).unwrap();
    drop(log);
    let opening = Opening { tip, now_ns: NOW_NS, ..Opening::default() };
    let (log, recovered) = store.open_log(&topic("orders"), &opening).unwrap();
    assert_eq!(recovered.relocated, relocated);
    let deferred = DeferredPublish { first: Sequence(20), count: 1, due_ns: NOW_NS + 1 };
    assert_eq!((recovered.deferred, recovered.damage), (vec![deferred], vec![]));
    assert_eq!(log.relocated(), relocated);
    // Moved once more, and the first place is gone.
    let moved = log.relocate(&[Sequence(0)]).unwrap();
    let live = |sequence: Sequence| sequence == Sequence(0);
    log.release(Sequence(21), &mut live.clone()).unwrap();
    assert_eq!(log.relocated(), moved);
    assert!(log.read_each(&[Sequence(0)]).unwrap()[0].1.is_some());
}

#[test]
fn opening_does_not_depend_on_the_backlog() {
    let disk = disk();
    let small = store(disk.shared(), 1000);
    let (log, _) = open(&small, "orders");
    for number in 0..3000 {
        append(&log, body(number, 200));
    }
    log.sync().unwrap();
    let tip = log.tip();
    let segments = log.sealed_segments().len() as u64 + 1;
    assert_eq!(segments, 1000);
    drop(log);
    let (opened, read) = (disk.count(Operation::Open), disk.count(Operation::Read));
    let opening = Opening { tip, now_ns: NOW_NS, ..Opening::default() };
    let (log, recovered) = small.open_log(&topic("orders"), &opening).unwrap();
    assert_eq!((recovered.end, log.appended_since_sync()), (Sequence(3000), 0));
    // One header each, its length, and the end of the newest.
    assert!(disk.count(Operation::Open) - opened <= segments + 1);
    assert!(disk.count(Operation::Read) - read <= 2 * segments + 4);
    // Finding a message touches one file.
    let opened = disk.count(Operation::Open);
    assert!(log.read_each(&[Sequence(1234)]).unwrap()[0].1.is_some());
    assert_eq!(disk.count(Operation::Open) - opened, 1);
}

#[test]
fn many_logs_share_few_files() {
    let disk = disk();
    let store = store(disk.shared(), 1 << 20);
    let logs: Vec<_> = (0..20).map(|n| open(&store, &format!("topic{n}")).0).collect();
    for round in 0..3 {
        for log in &logs {
            append(log, body(round, 50));
        }
    }
    for log in &logs {
        assert_eq!(log.appended_since_sync(), 3);
        assert_eq!(log.sync().unwrap(), Sequence(3));
        assert_eq!(log.appended_since_sync(), 0);
        assert_eq!(read_all(log, Sequence(0), 100).0.len(), 3);
    }
    disk.power_cut(1);
    let store = world::store(disk.shared(), 1 << 20);
    assert_eq!(store.topics().unwrap().len(), 20);
    assert_eq!(open(&store, "topic7").1.end, Sequence(3));
}

#[test]
fn memory_is_bounded() {
    let disk = disk();
    let options = options(disk.shared(), 1 << 20);
    let memory_bytes = 10_000;
    let store = Store::new(StoreOptions { mem_queue_size: 10, memory_bytes, ..options }).unwrap();
    let (first, _) = open(&store, "first");
    let (second, _) = open(&store, "second");
    for number in 0..30 {
        append(&first, body(number, 100));
    }
    assert_eq!(first.memory_start(), Sequence(20));
    assert_eq!(firsts(first.recent(Sequence(27), 1 << 20)), [27, 28, 29]);
    for number in 0..30 {
        append(&second, body(number, 3000));
    }
    assert!(store.memory().used() <= memory_bytes);
    assert_eq!(first.memory_start(), Sequence(20));
    first.shed();
    assert_eq!(first.memory_start(), Sequence(30));
    assert_eq!(first.recent(Sequence(29), 1), Recent::OnDisk);
    assert_eq!(read_all(&first, Sequence(0), 1000).0.len(), 30);
    second.release(Sequence(30), &mut |_| false).unwrap();
    assert_eq!(store.memory().used(), 0);
    append(&first, body(30, 100));
    assert_eq!(firsts(first.recent(Sequence(30), 1)), [30]);
    drop(first);
    assert_eq!(store.memory().used(), 0);
}

#[test]
fn an_idle_log_is_small() {
    let directory_and_first_segment = 200 + 2 * 128;
    assert!(size_of::<Log>() + directory_and_first_segment < 1500, "{}", size_of::<Log>());
}

#[test]
fn a_lost_tail_is_not_written_again() {
    let disk = disk();
    let store = store(disk.shared(), 1 << 20);
    append(&open(&store, "orders").0, body(0, 9));
    // A channel has seen up to 10: what is appended now must come behind that.
    let at_least = Sequence(10);
    let opening = Opening { at_least, now_ns: NOW_NS, ..Opening::default() };
    for _ in 0..2 {
        let (log, recovered) = store.open_log(&topic("orders"), &opening).unwrap();
        assert_eq!((recovered.end, recovered.damage[0].messages), (at_least, 9));
        assert_eq!(log.end(), at_least);
        let chunk = log.read(Sequence(1), 1000).unwrap();
        assert_eq!((chunk.next, chunk.damage[0].messages), (at_least, 9));
    }
    let (log, _) = store.open_log(&topic("orders"), &opening).unwrap();
    assert_eq!(append(&log, body(10, 9)).first, at_least);
    let (held, damage) = read_all(&log, Sequence(0), 1000);
    assert_eq!(held.keys().copied().collect::<Vec<_>>(), [0, 10]);
    assert_eq!(damage.iter().map(|d| d.messages).sum::<u64>(), 9);
}

#[test]
fn a_removal_that_was_cut_short_is_finished_at_the_next_start() {
    let disk = disk();
    let (first, second) = (store(disk.shared(), 1 << 20), topic("orders"));
    append(&open(&first, "orders").0, body(0, 9));
    disk.fail(Operation::RemoveDir, 1, Fault::clean(std::io::ErrorKind::Other));
    assert!(first.remove(&second).is_err());
    assert_eq!(first.topics().unwrap(), []);
    assert_eq!(disk.paths().len(), 1);
    store(disk.shared(), 1 << 20);
    assert!(disk.paths().is_empty());
    first.remove(&second).unwrap();
}

fn read_on(log: &Log, cursor: &AtomicU64, max_bytes: usize) {
    let mut next = Sequence(cursor.load(Ordering::SeqCst));
    let chunk = log.read(next, max_bytes).unwrap();
    assert_eq!(chunk.damage, []);
    for batch in &chunk.batches {
        assert_eq!(world::unframed(batch), [body(batch.first.0, 30)]);
        assert_eq!(batch.first, next);
        next = batch.end();
    }
    cursor.store(next.0, Ordering::SeqCst);
}

/// Files are written again while others still read.
#[test]
fn readers_and_the_writer_do_not_wait_for_each_other() {
    const MESSAGES: u64 = 20_000;
    let directory = tempfile::tempdir().unwrap();
    let options = options(Arc::new(OsDisk), 50_000);
    let data_path = directory.path().to_path_buf();
    let store = Store::new(StoreOptions { data_path, mem_queue_size: 50, ..options }).unwrap();
    let (log, _) = open(&store, "orders");
    let cursors = [500, 5000, 100_000].map(|max_bytes| (max_bytes, AtomicU64::new(0)));
    let low = || cursors.iter().map(|(_, cursor)| cursor.load(Ordering::SeqCst)).min().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..MESSAGES).for_each(|number| drop(append(&log, body(number, 30)))));
        scope.spawn(|| while log.sync().unwrap() < Sequence(MESSAGES) {});
        scope.spawn(|| {
            while low() < MESSAGES {
                let low = Sequence(low());
                log.release(low, &mut |sequence| sequence >= low).unwrap();
            }
        });
        for (max_bytes, cursor) in &cursors {
            let log = &log;
            scope.spawn(move || {
                while cursor.load(Ordering::SeqCst) < MESSAGES {
                    read_on(log, cursor, *max_bytes);
                }
            });
        }
    });
    log.release(Sequence(MESSAGES), &mut |_| false).unwrap();
    assert_eq!(log.sealed_segments(), []);
}
