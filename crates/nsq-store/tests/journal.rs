//! The channel journal against a model, crashes and damage.

mod channel_simulation;

use std::io;
use std::path::Path;

use nsq_broker::{Checkpoint, Deferred, Open, Sequence};
use nsq_proto::{ChannelName, Guid};
use nsq_sim::{Fault, FaultyDisk, Operation, Seed};
use nsq_store::journal::{ChannelNumber, Damage, Entry, Journal, JournalState, Relocation, Tip};
use proptest::prelude::*;

use self::channel_simulation::Topic;

const DIR: &str = "/data/topics/t";
const FILE: &str = "/data/topics/t/channels.journal";
const NEW_FILE: &str = "/data/topics/t/channels.journal.new";

/// A fault that only has to happen, whatever its error.
const IO_ERROR: Fault = Fault::clean(io::ErrorKind::Other);

fn open(disk: &FaultyDisk) -> (Journal, JournalState) {
    Journal::open(disk.shared(), Path::new(DIR)).expect("the journal can be read")
}

fn reopened(disk: &FaultyDisk) -> JournalState {
    open(disk).1
}

fn name(text: &str) -> ChannelName {
    text.parse().expect("a valid name")
}

/// The state of channel number 1, which must be there.
fn channel(state: &JournalState) -> &Checkpoint {
    &state.channels[&ChannelNumber(1)].checkpoint
}

fn deferred(sequence: u64, due_ns: i64) -> Deferred {
    Deferred { due_ns, sequence: Sequence(sequence), attempts: 1 }
}

fn whole(cursor: u64, deferred_added: Vec<Deferred>) -> Checkpoint {
    let cursor = Sequence(cursor);
    Checkpoint { cursor, deferred_added, whole: true, ..Checkpoint::default() }
}

fn delta(cursor: u64, deferred_added: Vec<Deferred>) -> Checkpoint {
    Checkpoint { whole: false, ..whole(cursor, deferred_added) }
}

/// Entries that name channel 1.
fn create(name: &ChannelName) -> Entry<'_> {
    Entry::Create { channel: ChannelNumber(1), name }
}

fn progress(checkpoint: &Checkpoint) -> Entry<'_> {
    Entry::Checkpoint { channel: ChannelNumber(1), checkpoint }
}

/// What a test did and what must be there afterwards.
struct Run {
    topic: Topic,
    /// The state after every flush that was tried; the first is the empty one.
    states: Vec<JournalState>,
    /// Index of the last state whose write, or sync, was answered with success.
    written: usize,
    synced: usize,
}

/// Lets a topic live on `disk` as the seed says; with failures of single operations if wanted.
fn run(disk: &FaultyDisk, seed: u64, steps: usize, with_faults: bool) -> Run {
    let mut seed = Seed(seed);
    let (topic, states) = (Topic::new(), vec![JournalState::default()]);
    let mut run = Run { topic, states, written: 0, synced: 0 };
    let Ok((mut journal, _)) = Journal::open(disk.shared(), Path::new(DIR)) else { return run };
    for _ in 0..steps {
        if with_faults && seed.below(4) == 0 {
            use Operation::{Create, Rename, SyncDir, Write};
            let operation = [Write, Operation::Sync, Create, Rename, SyncDir][seed.below(5)];
            let torn_bytes = seed.below(200);
            disk.fail(operation, 1, Fault { torn_bytes, ..IO_ERROR });
        }
        run.topic.step(&mut seed);
        let last = run.states.len();
        if seed.below(8) == 0 || journal.is_broken() {
            let compacted = run.topic.compact(&mut journal).is_ok();
            run.states.push(run.topic.state());
            if compacted {
                (run.written, run.synced) = (last, last);
            }
        } else {
            let mut written = false;
            run.topic.flush(|entries| written = journal.write(entries).is_ok());
            run.states.push(run.topic.state());
            run.written = if written { last } else { run.written };
        }
        // A sync is about what was written; it can say nothing about a state that was not.
        if seed.below(5) == 0 && journal.sync().is_ok() && !journal.is_broken() {
            run.synced = run.written;
        }
    }
    run
}

/// Panics unless `state` is what was known after one of the flushes from `oldest` on.
fn check_known(run: &Run, oldest: usize, state: &JournalState) {
    let plain = JournalState { damage: None, ..state.clone() };
    let is_broken = state.damage.is_some_and(|damage| damage.stale_records > 0);
    let known =
        |known: &JournalState| if is_broken { agrees(run, known, state) } else { *known == plain };
    let found = run.states[oldest..].iter().any(known);
    assert!(found, "no flush from {oldest} on left {state:?}; flushed: {:#?}", run.states);
}

/// True when what the channels did is all from the time of `known`; newer facts may have come on
/// top of it.
fn agrees(run: &Run, known: &JournalState, state: &JournalState) -> bool {
    let there = state.channels.iter().all(|(number, recovered)| {
        let then = known.channels.get(number).map(|channel| &channel.checkpoint);
        recovered.checkpoint == *then.unwrap_or(&whole(0, Vec::new()))
    });
    let now = run.topic.state();
    let mut lasting = known.channels.keys().filter(|number| now.channels.contains_key(number));
    there && known.held == state.held && lasting.all(|number| state.channels.contains_key(number))
}

/// After a crash: nothing lost, and the journal can go on.
fn check_restart(run: &mut Run, disk: &FaultyDisk, oldest: usize) {
    let (mut journal, state) = open(disk);
    check_known(run, oldest, &state);
    run.topic.check_nothing_lost(&state);
    let again = reopened(disk);
    assert_eq!(again.channels, state.channels, "reading twice gives the same");
    assert_eq!(disk.contents(NEW_FILE), None);
    if journal.is_broken() {
        assert!(journal.needs_compaction());
        journal.write(&[]).expect_err("nothing may be appended behind a break");
    }
    run.topic.compact(&mut journal).expect("the disk works again");
    run.topic.step(&mut Seed(0));
    run.topic.flush(|entries| journal.write(entries).expect("the disk works again"));
    assert_eq!(reopened(disk), run.topic.state());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(seed in any::<u64>(), steps in 1_usize..40) {
        let disk = FaultyDisk::with_dir(DIR);
        let run = run(&disk, seed, steps, false);
        prop_assert_eq!(run.written, steps);
        prop_assert_eq!(&reopened(&disk), &run.topic.state());
    }

    #[test]
    fn killed_at_every_change(seed in any::<u64>(), torn_bytes in 0_usize..300) {
        let disk = FaultyDisk::with_dir(DIR);
        run(&disk, seed, 12, false);
        for operations in 0..disk.changes() {
            let disk = FaultyDisk::with_dir(DIR);
            disk.stop_after(operations, torn_bytes);
            let mut run = run(&disk, seed, 12, false);
            disk.kill();
            let written = run.written;
            check_restart(&mut run, &disk, written);
        }
    }

    #[test]
    fn power_cut_at_every_change(seed in any::<u64>(), torn_bytes in 0_usize..300) {
        let disk = FaultyDisk::with_dir(DIR);
        run(&disk, seed, 12, false);
        for operations in 0..disk.changes() {
            let disk = FaultyDisk::with_dir(DIR);
            disk.stop_after(operations, torn_bytes);
            let mut run = run(&disk, seed, 12, false);
            disk.power_cut(seed ^ operations);
            let synced = run.synced;
            check_restart(&mut run, &disk, synced);
        }
    }

    #[test]
    fn failures_of_single_operations(seed in any::<u64>(), steps in 1_usize..40) {
        let disk = FaultyDisk::with_dir(DIR);
        let mut run = run(&disk, seed, steps, true);
        let cut = disk.copy();
        cut.power_cut(seed);
        let state = reopened(&cut);
        check_known(&run, run.synced, &state);
        run.topic.check_nothing_lost(&state);
        disk.kill();
        let written = run.written;
        check_restart(&mut run, &disk, written);
    }

    #[test]
    fn any_bytes_can_be_opened(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let disk = FaultyDisk::new();
        disk.put(FILE, &bytes);
        let (mut journal, state) = open(&disk);
        prop_assert_eq!(state.channels.len(), 0);
        prop_assert!(!journal.is_broken());
        let channel = name("a");
        journal.write(&[create(&channel)]).unwrap();
        prop_assert_eq!(reopened(&disk).channels.len(), 1);
    }
}

/// A file as a topic of some age leaves it: a snapshot and records behind it.
fn aged_topic() -> (FaultyDisk, Run) {
    (0..)
        .map(aged_topic_of)
        .find(|(_, run)| run.topic.state().channels.len() >= 2)
        .expect("some seed leaves channels")
}

fn aged_topic_of(seed: u64) -> (FaultyDisk, Run) {
    let disk = FaultyDisk::with_dir(DIR);
    let run = run(&disk, seed, 25, false);
    (disk, run)
}

#[test]
fn every_length_is_an_older_state() {
    let (disk, run) = aged_topic();
    let bytes = disk.contents(FILE).unwrap();
    for length in 0..bytes.len() {
        disk.put(FILE, &bytes[..length]);
        let (journal, state) = open(&disk);
        assert!(!journal.is_broken(), "a torn tail is no break");
        check_known(&run, 0, &state);
        let torn_bytes = state.damage.map_or(0, |damage| damage.torn_bytes);
        assert_eq!(disk.contents(FILE).unwrap().len() as u64, length as u64 - torn_bytes);
    }
}

#[test]
fn no_flipped_byte_loses_a_message() {
    let (disk, run) = aged_topic();
    let bytes = disk.contents(FILE).unwrap();
    for index in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[index] ^= mask;
            disk.put(FILE, &damaged);
            let (journal, state) = open(&disk);
            let damage = state.damage.expect("all bytes are checked");
            assert_eq!(journal.is_broken(), damage.stale_records > 0);
            check_known(&run, 0, &state);
            run.topic.check_nothing_lost(&state);
        }
    }
}

#[test]
fn any_lost_stretch_loses_no_message() {
    let (disk, run) = aged_topic();
    let bytes = disk.contents(FILE).unwrap();
    let mut seed = Seed(7);
    for _ in 0..2000 {
        let start = seed.below(bytes.len());
        let end = start + seed.below(bytes.len() - start);
        let mut gone = bytes.clone();
        gone.drain(start..end);
        let mut zeroed = bytes.clone();
        zeroed[start..end].fill(0);
        for damaged in [gone, zeroed] {
            disk.put(FILE, &damaged);
            let state = reopened(&disk);
            check_known(&run, 0, &state);
            if state.damage.is_some() || damaged == bytes {
                run.topic.check_nothing_lost(&state);
            }
        }
    }
}

/// Where the records of a file begin.
fn record_offsets(bytes: &[u8]) -> Vec<usize> {
    let next = |offset: &usize| {
        let length = bytes[offset + 16..offset + 20].first_chunk().map(|b| u32::from_be_bytes(*b));
        let end = offset + 28 + length.expect("four bytes") as usize;
        (end < bytes.len()).then_some(end)
    };
    std::iter::successors(Some(0), next).collect()
}

#[test]
fn every_lost_record_shows() {
    let (disk, run) = aged_topic();
    let bytes = disk.contents(FILE).unwrap();
    let offsets = record_offsets(&bytes);
    assert!(offsets.len() > 3);
    for pair in offsets.windows(2) {
        disk.put(FILE, &[&bytes[..pair[0]], &bytes[pair[1]..]].concat());
        let (journal, state) = open(&disk);
        let damage = state.damage.expect("a gap in the chain");
        assert!(journal.is_broken() && damage.skipped_bytes == 0 && damage.stale_records > 0);
        check_known(&run, 0, &state);
        run.topic.check_nothing_lost(&state);
    }
}

#[test]
fn extreme_values_come_back() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let last = u64::MAX;
    let channel_name = name(&format!("{}#ephemeral", "x".repeat(54)));
    let number = ChannelNumber(u32::MAX);
    let (count, attempts) = (u32::MAX, u16::MAX);
    let checkpoint = Checkpoint {
        cursor: Sequence(last),
        end: Sequence(last - 1),
        done_ahead: vec![(Sequence(3), Sequence(9)), (Sequence(last), Sequence(last))],
        open: vec![
            Open { first: Sequence(last - u64::from(u32::MAX)), count, attempts },
            Open { first: Sequence(0), count: 0, attempts: 0 },
        ],
        whole: true,
        deferred_added: vec![
            Deferred { due_ns: i64::MIN, sequence: Sequence(last), attempts },
            Deferred { due_ns: i64::MAX, sequence: Sequence(0), attempts: 0 },
        ],
        deferred_removed: Vec::new(),
    };
    let tip = Tip { segment: last, offset: last, sequence: Sequence(last) };
    let relocations = [0, last, 1].map(|n| Relocation {
        sequence: Sequence(n),
        guid: Guid::from_number(last - n),
        segment: last - n,
        offset: n,
    });
    let entries = [
        Entry::Create { channel: number, name: &channel_name },
        Entry::Checkpoint { channel: number, checkpoint: &checkpoint },
        Entry::Held(Some(&checkpoint)),
        Entry::Tip(tip),
        Entry::Relocated(&relocations),
    ];
    journal.write(&entries).unwrap();
    let state = reopened(&disk);
    assert_eq!(state.channels[&number].name, channel_name);
    assert_eq!(state.channels[&number].checkpoint, checkpoint);
    assert_eq!(state.held.as_ref(), Some(&checkpoint));
    assert_eq!(state.tip, Some(tip));
    assert_eq!(state.relocated.values().copied().collect::<Vec<_>>().len(), 3);
    assert_eq!(state.relocated[&Sequence(last)], relocations[1]);

    journal.compact(state.entries(&relocations)).unwrap();
    assert_eq!(reopened(&disk), state);
}

#[test]
fn bytes_are_as_documented() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let channel_name = name("ab");
    let tip = Tip { segment: 2, offset: 300, sequence: Sequence(5) };
    journal.write(&[create(&channel_name), Entry::Tip(tip), Entry::Held(None)]).unwrap();
    let checkpoint = Checkpoint {
        cursor: Sequence(5),
        end: Sequence(9),
        done_ahead: vec![(Sequence(6), Sequence(8))],
        open: vec![Open { first: Sequence(3), count: 2, attempts: 1 }],
        whole: false,
        deferred_added: vec![deferred(4, 7)],
        deferred_removed: vec![Sequence(2)],
    };
    journal.write(&[progress(&checkpoint)]).unwrap();
    let bytes = disk.contents(FILE).unwrap();
    let (first, second) = bytes.split_at(28 + 11);
    assert_eq!(first[28..], [1, 1, 2, b'a', b'b', 6, 2, 0xAC, 2, 5, 5]);
    assert_eq!(second[28..], [3, 1, 0, 5, 8, 1, 2, 2, 1, 3, 2, 1, 1, 4, 1, 14, 8, 1]);
    for (record, previous) in [(first, &[0; 4]), (second, first[24..28].as_array().unwrap())] {
        assert_eq!(record[..8], *b"NSQJ\0\0\0\x01");
        assert_eq!(record[8..12], first[8..12], "one life");
        assert_eq!(&record[12..16], previous);
        assert_eq!(record[16..20], (record.len() as u32 - 28).to_be_bytes());
        assert_eq!(record[20..24], crc32c::crc32c(&record[28..]).to_be_bytes());
        assert_eq!(record[24..28], crc32c::crc32c(&record[..24]).to_be_bytes());
    }
}

/// A valid record with these entries.
fn record(version: u32, length: u32, previous: u32, entries: &[u8]) -> Vec<u8> {
    let mut record = b"NSQJ".to_vec();
    for field in [version, 0x11F3, previous, length, crc32c::crc32c(entries)] {
        record.extend(field.to_be_bytes());
    }
    record.extend(crc32c::crc32c(&record).to_be_bytes());
    record.extend(entries);
    record
}

#[test]
fn lengths_and_counts_are_not_believed() {
    let huge = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    let with = |start: &[u8]| [start, &huge].concat();
    let hostile = [
        record(1, u32::MAX, 0, &[5]),
        record(1, 10, 0, &with(&[1, 1])),
        record(1, 12, 0, &with(&[1, 1])),
        record(1, 15, 0, &with(&[3, 1, 1, 5, 0])),
        record(1, 16, 0, &with(&[3, 1, 1, 5, 0, 0])),
        record(1, 16, 0, &with(&[4, 1, 5, 0, 0, 0])),
        record(1, 17, 0, &with(&[4, 1, 5, 0, 0, 0, 0])),
        record(1, 11, 0, &with(&[7])),
        record(1, 11, 0, &with(&[2])),
        record(1, 1, 0, &[9]),
        record(1, 4, 0, &[1, 1, 1, b'/']),
        record(1, 8, 0, &[4, 4, 5, 0, 0, 0, 0, 0]),
        // Runs that end behind the last sequence.
        record(1, 19, 0, &[&[4, 1][..], &huge, &[0, 0, 1, 0, 1, 0, 0]].concat()),
        record(1, 18, 0, &[&[4, 1][..], &huge, &[0, 1, 0, 1, 0, 0]].concat()),
    ];
    for bytes in hostile {
        let disk = FaultyDisk::new();
        disk.put(FILE, &bytes);
        let (journal, state) = open(&disk);
        let damage = Some(Damage { torn_bytes: bytes.len() as u64, ..Damage::default() });
        assert_eq!(state, JournalState { damage, ..JournalState::default() }, "{bytes:x?}");
        assert!(!journal.is_broken());
    }
}

#[test]
fn an_unknown_version_is_refused() {
    let disk = FaultyDisk::new();
    disk.put(FILE, &record(2, 1, 0, &[5]));
    let error = Journal::open(disk.shared(), Path::new(DIR)).unwrap_err();
    assert_eq!(error.to_string(), "a journal of version 2 cannot be read");
    assert_eq!(disk.contents(FILE).unwrap().len(), 29);
}

#[test]
fn a_lost_addition_does_not_move_the_cursor() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let a = name("a");
    journal.write(&[create(&a), progress(&whole(10, vec![deferred(3, 5)]))]).unwrap();
    let start = journal.length_bytes() as usize;
    journal.write(&[progress(&delta(20, vec![deferred(12, 5)]))]).unwrap();
    let end = journal.length_bytes() as usize;
    let b = name("b");
    let tip = Tip { segment: 1, offset: 2, sequence: Sequence(30) };
    let guid = Guid::from_number(5);
    let moved = [Relocation { sequence: Sequence(3), guid, segment: 1, offset: 0 }];
    let late = delta(30, vec![]);
    let facts = [
        progress(&late),
        Entry::Create { channel: ChannelNumber(2), name: &b },
        Entry::Tip(tip),
        Entry::Relocated(&moved),
    ];
    journal.write(&facts).unwrap();
    disk.edit(FILE, |bytes| bytes[start..end].fill(0));

    let (mut journal, state) = open(&disk);
    let skipped_bytes = (end - start) as u64;
    let damage = Damage { torn_bytes: 0, skipped_bytes, stale_records: 1 };
    assert_eq!(state.damage, Some(damage));
    assert_eq!(channel(&state), &whole(10, vec![deferred(3, 5)]));
    assert_eq!(state.channels[&ChannelNumber(2)].checkpoint, whole(0, vec![]));
    assert_eq!(state.tip, Some(tip));
    assert_eq!(state.relocated[&Sequence(3)], moved[0]);

    assert!(journal.is_broken());
    journal.write(&[progress(&late)]).unwrap_err();
    journal.compact(state.entries(&moved)).unwrap();
    journal.write(&[progress(&late)]).unwrap();
    assert_eq!(channel(&reopened(&disk)).cursor, Sequence(30));
}

#[test]
fn a_name_and_a_number_have_one_channel() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, b) = (name("a"), name("b"));
    let here = whole(5, vec![]);
    let number = ChannelNumber;
    journal.write(&[create(&a), progress(&here), create(&a)]).unwrap();
    assert_eq!(channel(&reopened(&disk)), &here, "saying it again changes nothing");

    journal.write(&[Entry::Create { channel: number(2), name: &a }]).unwrap();
    let state = reopened(&disk);
    assert_eq!(state.channels.keys().copied().collect::<Vec<_>>(), [number(2)]);

    journal.write(&[Entry::Create { channel: number(2), name: &b }]).unwrap();
    journal.write(&[create(&a), progress(&here), Entry::Delete { channel: number(1) }]).unwrap();
    journal.write(&[progress(&here)]).unwrap();
    let state = reopened(&disk);
    assert_eq!(state.channels.keys().copied().collect::<Vec<_>>(), [number(2)]);
    assert_eq!(state.channels[&number(2)].name, b);
}

#[test]
fn a_message_deferred_again_stays_deferred() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let a = name("a");
    let mut again = delta(9, vec![deferred(3, 8)]);
    again.deferred_removed = vec![Sequence(3), Sequence(7)];
    journal
        .write(&[create(&a), progress(&whole(9, vec![deferred(3, 5)])), progress(&again)])
        .unwrap();
    assert_eq!(channel(&reopened(&disk)), &whole(9, vec![deferred(3, 8)]));
}

#[test]
fn a_full_disk_delays_writes() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let a = name("a");
    journal.write(&[create(&a), progress(&whole(1, vec![]))]).unwrap();
    disk.limit(Some(disk.used_bytes() + 20));
    for sequence in 1..5 {
        let added = delta(sequence + 1, vec![deferred(sequence, 100)]);
        let error = journal.write(&[progress(&added)]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(journal.has_unwritten() && !journal.is_broken());
    }
    disk.copy().kill();
    assert_eq!(channel(&reopened(&disk.copy())), &whole(1, vec![]));
    disk.limit(None);
    journal.write(&[]).unwrap();
    assert!(!journal.has_unwritten());
    let all = (1..5).map(|sequence| deferred(sequence, 100)).collect();
    assert_eq!(reopened(&disk).damage, None);
    assert_eq!(channel(&reopened(&disk)), &whole(5, all));
}

#[test]
fn too_many_failed_writes_need_a_compaction() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let a = name("a");
    journal.write(&[create(&a), progress(&whole(1, vec![]))]).unwrap();
    disk.limit(Some(disk.used_bytes()));
    let many = (1..20_000).map(|n| deferred(n, (n * n) as i64)).collect();
    journal.write(&[progress(&delta(20_000, many))]).unwrap_err();
    assert!(journal.is_broken() && journal.needs_compaction() && !journal.has_unwritten());
    let all = whole(1, vec![]);
    journal.compact([create(&a), progress(&all)]).unwrap_err();
    assert!(journal.is_broken());
    assert_eq!(disk.contents(NEW_FILE), None, "an unfinished compaction takes no space");
    assert_eq!(channel(&reopened(&disk)), &all);
    disk.limit(None);
    journal.compact([create(&a), progress(&all)]).unwrap();
    assert!(!journal.needs_compaction());
    journal.write(&[progress(&delta(2, vec![]))]).unwrap();
    assert_eq!(channel(&reopened(&disk)).cursor, Sequence(2));
}

#[test]
fn a_failed_sync_needs_a_compaction() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, here) = (name("a"), whole(1, vec![]));
    journal.write(&[create(&a), progress(&here)]).unwrap();
    disk.fail(Operation::Sync, 1, IO_ERROR);
    journal.sync().unwrap_err();
    assert!(journal.is_broken());
    journal.compact([create(&a), progress(&here)]).unwrap();
    disk.power_cut(1);
    assert_eq!(channel(&reopened(&disk)), &here);
}

#[test]
fn a_compaction_is_durable_only_with_its_name() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, here) = (name("a"), whole(1, vec![]));
    disk.fail(Operation::SyncDir, 1, IO_ERROR);
    journal.compact([create(&a), progress(&here)]).unwrap_err();
    assert!(!journal.is_broken(), "the new file is in use");
    journal.sync().unwrap();
    disk.power_cut(1);
    assert_eq!(channel(&reopened(&disk)), &here);
}

#[test]
fn a_compaction_wants_whole_checkpoints() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let a = name("a");
    let error = journal.compact([create(&a), progress(&delta(1, vec![]))]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn an_idle_topic_costs_nothing() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, state) = open(&disk);
    assert_eq!(state, JournalState::default());
    journal.write(&[]).unwrap();
    journal.sync().unwrap();
    assert_eq!(disk.paths(), [] as [&Path; 0]);
    let a = name("a");
    journal.write(&[create(&a)]).unwrap();
    journal.sync().unwrap();
    let syncs = disk.count(Operation::Sync);
    journal.sync().unwrap();
    assert_eq!((disk.count(Operation::Write), disk.count(Operation::Sync)), (1, syncs));
}

/// Many deferred messages: more than one record of a snapshot holds.
fn large_state() -> Checkpoint {
    let mut seed = Seed(3);
    let mut all: Vec<_> = (0..100_000)
        .map(|n| deferred(n * 3, 1_800_000_000_000_000_000 + (seed.draw() >> 20) as i64))
        .collect();
    all.sort_unstable();
    let open = vec![Open { first: Sequence(1), count: 1, attempts: 1 }];
    Checkpoint { open, ..whole(400_000, all) }
}

#[test]
fn a_large_snapshot_comes_back() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, large) = (name("a"), large_state());
    journal.compact([create(&a), progress(&large), Entry::Held(Some(&large))]).unwrap();
    assert!(disk.count(Operation::Write) > 5);
    let state = reopened(&disk);
    assert_eq!((channel(&state), state.held.as_ref()), (&large, Some(&large)));
    let bytes_each = journal.length_bytes() / 200_000;
    assert!(bytes_each <= 12, "{bytes_each} bytes for each deferred message");

    let (journal, _) = open(&disk);
    assert!(journal.length_bytes() > 1 << 20);
    assert!(!journal.needs_compaction(), "it is large because the state is");
}

#[test]
fn a_damaged_snapshot_is_not_half_believed() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, large) = (name("a"), large_state());
    journal.compact([create(&a), progress(&large)]).unwrap();
    journal.write(&[progress(&delta(500_000, vec![]))]).unwrap();
    let bytes = disk.contents(FILE).unwrap();
    for part in 1..10 {
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 10 * part] ^= 4;
        disk.put(FILE, &damaged);
        let state = reopened(&disk);
        assert!(state.damage.is_some());
        // With the first record even the creation is gone.
        let known = state.channels.values().all(|c| c.checkpoint == whole(0, vec![]));
        assert!(known, "the beginning of the log is the only safe place");
    }
}

#[test]
fn a_compaction_crashes_at_every_change() {
    let (a, large) = (name("a"), large_state());
    let start = || {
        let disk = FaultyDisk::with_dir(DIR);
        let (mut journal, _) = open(&disk);
        journal.write(&[create(&a), progress(&whole(7, vec![]))]).unwrap();
        journal.sync().unwrap();
        (disk, journal)
    };
    let (disk, mut journal) = start();
    let before = disk.changes();
    journal.compact([create(&a), progress(&large)]).unwrap();
    for operations in 0..disk.changes() - before {
        let (disk, mut journal) = start();
        disk.stop_after(operations, 1000);
        let compacted = journal.compact([create(&a), progress(&large)]).is_ok();
        drop(journal);
        let killed = disk.copy();
        disk.power_cut(operations);
        for disk in [killed, disk] {
            let state = reopened(&disk);
            let cursor = channel(&state).cursor.0;
            assert!(!compacted && (cursor == 7 || *channel(&state) == large));
            assert_eq!(state.damage, None);
            assert_eq!(disk.contents(NEW_FILE), None);
        }
    }
}

#[test]
fn a_grown_file_is_compacted() {
    let disk = FaultyDisk::with_dir(DIR);
    let (mut journal, _) = open(&disk);
    let (a, here) = (name("a"), whole(1, vec![]));
    journal.write(&[create(&a)]).unwrap();
    let relocations: Vec<_> = (0..1000)
        .map(|n| Relocation {
            sequence: Sequence(n),
            guid: Guid::from_number(n),
            segment: n << 40,
            offset: n << 20,
        })
        .collect();
    while journal.length_bytes() <= 1 << 20 {
        assert!(!journal.needs_compaction());
        journal.write(&[Entry::Relocated(&relocations)]).unwrap();
    }
    assert!(journal.needs_compaction());
    journal.compact([create(&a), progress(&here)]).unwrap();
    assert!(!journal.needs_compaction());
    assert_eq!(disk.used_bytes(), journal.length_bytes());
    assert_eq!(reopened(&disk).relocated.len(), 0, "what is not repeated is gone");
}
