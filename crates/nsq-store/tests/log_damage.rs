//! Logs whose files were damaged, cut or lost.

mod world;

use std::io;

use nsq_broker::Sequence;
use nsq_sim::{Fault, FaultyDisk, Operation};
use nsq_store::{Damage, Log, Recovered, Store};

use self::world::{HEADER, Held, append, body, framed, hold, open, read_all, segment, store};

/// A disk with one topic of `messages` messages, and what the topic holds.
fn written(messages: u64, size: usize, max_bytes: u64) -> (FaultyDisk, Held) {
    let disk = FaultyDisk::with_dir("/data");
    let (log, _) = open(&store(disk.shared(), max_bytes), "orders");
    let mut held = Held::new();
    for number in 0..messages {
        hold(&mut held, &append(&log, body(number, size)));
    }
    (disk, held)
}

fn reopen(disk: &FaultyDisk, max_bytes: u64) -> (Store, Log, Recovered) {
    let store = store(disk.shared(), max_bytes);
    let (log, recovered) = open(&store, "orders");
    (store, log, recovered)
}

/// `held` without the messages in `gone`.
fn without(held: &Held, gone: std::ops::Range<u64>) -> Held {
    held.iter().filter(|(at, _)| !gone.contains(at)).map(|(at, m)| (*at, m.clone())).collect()
}

fn missing(damage: &[Damage]) -> u64 {
    damage.iter().map(|damage| damage.messages).sum()
}

#[test]
fn a_tail_torn_anywhere_is_cut() {
    let (disk, held) = written(5, 20, 1 << 20);
    let length = disk.contents(segment("orders", 0)).unwrap().len();
    let record = HEADER + 4 + 20;
    for cut in 1..=record {
        let disk = disk.copy();
        disk.edit(segment("orders", 0), |file| file.truncate(length - cut));
        let (_store, log, recovered) = reopen(&disk, 1 << 20);
        assert_eq!((recovered.end, recovered.damage), (Sequence(4), vec![]));
        assert_eq!(disk.contents(segment("orders", 0)).unwrap().len(), length - record);
        let mut held = without(&held, 4..5);
        hold(&mut held, &append(&log, body(100, 20)));
        assert_eq!(read_all(&log, Sequence(0), 1000), (held, vec![]));
    }
}

/// The same in a file with old records behind the end, which a write that did not arrive leaves.
#[test]
fn a_tail_torn_anywhere_in_a_file_used_before_is_cut() {
    let disk = FaultyDisk::with_dir("/data");
    let small = store(disk.shared(), 1000);
    let (old, _) = open(&small, "old");
    for number in 0..20 {
        append(&old, body(number, 20));
    }
    old.release(Sequence(20), &mut |_| false).unwrap();
    let before = disk.paths().iter().find(|path| path.starts_with("/data/spare")).cloned();
    let before = disk.contents(before.unwrap()).unwrap();
    let (log, _) = open(&small, "orders");
    let mut held = Held::new();
    for number in 0..4 {
        hold(&mut held, &append(&log, body(100 + number, 40)));
    }
    let record = HEADER + 4 + 40;
    let end = HEADER + 4 * record;
    for kept in 0..record {
        let disk = disk.copy();
        let at = end - record + kept;
        if disk.contents(segment("orders", 0)).unwrap()[at..end] == before[at..end] {
            continue;
        }
        disk.edit(segment("orders", 0), |file| file[at..end].copy_from_slice(&before[at..end]));
        let (_store, log, recovered) = reopen(&disk, 1000);
        assert_eq!(recovered.end, Sequence(3), "{kept}");
        // It is no damage: whoever published it has no answer.
        assert_eq!(recovered.damage, []);
        assert!(recovered.unfinished.is_some() || kept < HEADER);
        assert_eq!(read_all(&log, Sequence(0), 500), (without(&held, 3..4), vec![]));
        append(&log, body(200, 20));
        assert_eq!(read_all(&log, Sequence(0), 500).0.len(), 4);
    }
}

#[test]
fn a_flipped_bit_costs_its_record_only() {
    let (disk, held) = written(9, 30, 400);
    let record = HEADER + 4 + 30;
    for number in 0..3 {
        let file = disk.contents(segment("orders", number)).unwrap();
        for at in 0..file.len() {
            let disk = disk.copy();
            disk.edit(segment("orders", number), |file| file[at] ^= 1 << (at % 8));
            let gone = at.checked_sub(HEADER).map_or(0..0, |at| {
                let first = number * 3 + (at / record) as u64;
                first..first + 1
            });
            let (_store, log, recovered) = reopen(&disk, 400);
            let (found, damage) = read_all(&log, Sequence(0), 250);
            assert_eq!(found, without(&held, gone.clone()), "file {number}, byte {at}");
            let is_last = gone.start == 8;
            assert_eq!(recovered.end, Sequence(if is_last { 8 } else { 9 }));
            assert_eq!(missing(&damage), if is_last { 0 } else { gone.end - gone.start });
            let intact = disk.contents(segment("orders", number)).unwrap();
            assert!(is_last || intact.len() == file.len(), "nothing is cut off");
        }
    }
}

#[test]
fn damage_is_reported_with_its_place() {
    let (disk, held) = written(100, 3000, 1 << 20);
    let record = HEADER + 4 + 3000;
    // A header, a body, and a whole record with its neighbour's header.
    disk.edit(segment("orders", 0), |file| {
        file[HEADER + 10 * record + 14] ^= 1;
        file[HEADER + 50 * record + 1000] ^= 1;
        file[HEADER + 70 * record..HEADER + 71 * record + 9].fill(0);
    });
    let (_store, log, recovered) = reopen(&disk, 1 << 20);
    let (found, damage) = read_all(&log, Sequence(0), 20_000);
    assert_eq!(damage, recovered.damage);
    let expected = without(&without(&without(&held, 10..11), 50..51), 70..72);
    assert_eq!(found, expected);
    let places: Vec<_> = damage.iter().map(|d| (d.first.0, d.messages, d.bytes)).collect();
    let record = record as u64;
    assert_eq!(places, [(10, 1, record), (50, 1, record), (70, 2, 2 * record)]);
    assert_eq!(damage[0].path, segment("orders", 0));
    let wanted: Vec<_> = (0..100).map(Sequence).collect();
    for (sequence, message) in log.read_each(&wanted).unwrap() {
        assert_eq!(message.is_some(), expected.contains_key(&sequence.0), "{sequence:?}");
    }
}

#[test]
fn a_missing_file_costs_its_messages_only() {
    let (disk, held) = written(12, 30, 400);
    for (number, gone) in [(0, 0..3), (1, 3..6), (2, 6..9)] {
        let disk = disk.copy();
        disk.lose(segment("orders", number));
        let (_store, log, recovered) = reopen(&disk, 400);
        assert_eq!((recovered.end, recovered.damage), (Sequence(12), vec![]));
        // Nobody knows that anything was before the oldest file.
        assert_eq!(log.start(), Sequence(if number == 0 { 3 } else { 0 }));
        let (found, damage) = read_all(&log, Sequence(0), 1000);
        assert_eq!((found, missing(&damage)), (without(&held, gone), 3));
    }
    // While the log is open, too; but not for ever if it comes back.
    let (_store, log, _) = reopen(&disk, 400);
    let file = disk.contents(segment("orders", 1)).unwrap();
    disk.lose(segment("orders", 1));
    let (found, damage) = read_all(&log, Sequence(0), 1000);
    assert_eq!((found, missing(&damage)), (without(&held, 3..6), 3));
    disk.put(segment("orders", 1), &file);
    assert_eq!(read_all(&log, Sequence(0), 1000), (held, vec![]));
}

#[test]
fn files_without_content_do_no_harm() {
    let (disk, held) = written(9, 30, 400);
    for contents in [&b""[..], &[0; 5], &[0; 5000], b"nsqrslog", &[0xFF; 64]] {
        let disk = disk.copy();
        disk.put(segment("orders", 3), contents);
        disk.put(segment("orders", 9), contents);
        disk.put("/data/topics/t-orders/channels.journal", contents);
        let (store, log, recovered) = reopen(&disk, 400);
        assert_eq!((recovered.end, recovered.damage), (Sequence(9), vec![]));
        let mut held = held.clone();
        hold(&mut held, &append(&log, body(9, 30)));
        assert!(disk.contents(segment("orders", 10)).is_some());
        assert_eq!(read_all(&log, Sequence(0), 1000), (held.clone(), vec![]));
        drop(log);
        let (log, recovered) = open(&store, "orders");
        assert_eq!((recovered.end, recovered.damage), (Sequence(10), vec![]));
        assert_eq!(read_all(&log, Sequence(0), 1000), (held, vec![]));
        log.release(Sequence(10), &mut |_| false).unwrap();
        assert_eq!(disk.contents(segment("orders", 3)), None);
    }
}

/// A message may be a copy of a log, even of its own log: behind a lost header nothing of it may
/// be taken for messages.
#[test]
fn messages_that_look_like_records_are_none() {
    let (images, _) = written(3, 30, 1 << 20);
    let image = images.contents(segment("orders", 0)).unwrap();
    let disk = FaultyDisk::with_dir("/data");
    let (log, _) = open(&store(disk.shared(), 1000), "orders");
    let mut held = Held::new();
    for _ in 0..9 {
        hold(&mut held, &append(&log, image.clone()));
    }
    let record = HEADER + 4 + image.len();
    disk.edit(segment("orders", 0), |file| file[HEADER + record] ^= 1);
    let (found, damage) = read_all(&log, Sequence(0), 1000);
    assert_eq!((found, missing(&damage)), (without(&held, 1..2), 1));
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    for max_bytes in [400, 1 << 20] {
        let disk = FaultyDisk::with_dir("/data");
        let store = store(disk.shared(), max_bytes);
        let (log, _) = open(&store, "orders");
        let mut held = Held::new();
        for free in 0..300 {
            hold(&mut held, &append(&log, body(free * 2, 30)));
            disk.limit(Some(disk.used_bytes() + free));
            let refused = log.append(framed(&[body(1000, 100_000)]), 1, 0, None);
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::StorageFull);
            assert_eq!(read_all(&log, Sequence(0), 1000), (held.clone(), vec![]));
            disk.limit(None);
            if free % 2 == 0 {
                hold(&mut held, &append(&log, body(free * 2 + 1, 30)));
            }
            let (again, recovered) = open(&world::store(disk.copy().shared(), max_bytes), "orders");
            assert_eq!(recovered.end, log.end());
            assert_eq!(read_all(&again, Sequence(0), 1000), (held.clone(), vec![]));
        }
    }
}

/// An error that is not about the content must not cost content: too many open files, say.
#[test]
fn errors_of_the_process_skip_nothing() {
    let (disk, held) = written(9, 30, 400);
    let (_store, log, _) = reopen(&disk, 400);
    for operation in [Operation::Open, Operation::Read] {
        disk.fail(operation, 1, Fault::clean(io::ErrorKind::Other));
        assert!(log.read(Sequence(0), 1000).is_err());
        disk.fail(operation, 1, Fault::clean(io::ErrorKind::Other));
        assert!(operation == Operation::Open || log.read_each(&[Sequence(4)]).is_err());
        disk.heal();
    }
    assert_eq!(read_all(&log, Sequence(0), 1000), (held, vec![]));
}
