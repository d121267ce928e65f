//! A store on a disk in memory, and what its logs hold.

#![allow(dead_code, reason = "every test that includes this module uses another part of it")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use nsq_broker::{Batch, Sequence};
use nsq_proto::{Guid, NodeId, TopicName};
use nsq_store::disk::Disk;
use nsq_store::{Damage, Log, Opening, Recovered, Store, StoreOptions};

/// 2024, in nanoseconds since 1970.
pub(crate) const NOW_NS: i64 = 1_712_200_884_240_000_000;
/// Size of a record's header and of a segment's.
pub(crate) const HEADER: usize = 64;

pub(crate) fn topic(name: &str) -> TopicName {
    TopicName::parse(name.as_bytes()).expect("a valid name")
}

pub(crate) fn options(disk: Arc<dyn Disk>, max_bytes_per_file: u64) -> StoreOptions {
    StoreOptions {
        data_path: PathBuf::from("/data"),
        disk,
        node_id: NodeId::new(617).expect("below 1024"),
        max_bytes_per_file,
        mem_queue_size: 0,
        memory_bytes: 1 << 20,
        max_open_files: 4,
    }
}

/// A store with small segments.
pub(crate) fn store(disk: Arc<dyn Disk>, max_bytes_per_file: u64) -> Store {
    Store::new(options(disk, max_bytes_per_file)).expect("the store opens")
}

/// Opens a log of which nothing is known.
pub(crate) fn open(store: &Store, name: &str) -> (Log, Recovered) {
    let opening = Opening { now_ns: NOW_NS, ..Opening::default() };
    store.open_log(&topic(name), &opening).expect("the log opens")
}

/// The path of a segment file.
pub(crate) fn segment(name: &str, number: u64) -> PathBuf {
    PathBuf::from(format!("/data/topics/t-{name}/{number:020}.log"))
}

/// Bodies in their frames.
pub(crate) fn framed(bodies: &[Vec<u8>]) -> Bytes {
    let mut framed = Vec::new();
    for body in bodies {
        framed.put_u32(u32::try_from(body.len()).expect("a small body"));
        framed.put_slice(body);
    }
    framed.into()
}

/// The bodies in their frames.
pub(crate) fn unframed(batch: &Batch) -> Vec<Vec<u8>> {
    let mut rest = &batch.body[..];
    let mut bodies = Vec::new();
    while let Some((size, behind)) = rest.split_first_chunk::<4>() {
        let (body, behind) = behind.split_at(u32::from_be_bytes(*size) as usize);
        bodies.push(body.to_vec());
        rest = behind;
    }
    assert_eq!(bodies.len(), batch.count as usize);
    bodies
}

/// A body of this size that no other message has.
pub(crate) fn body(number: u64, size: usize) -> Vec<u8> {
    let mut body = format!("message {number} ").into_bytes();
    body.resize(size.max(body.len()), b'.');
    body
}

/// Appends one message.
pub(crate) fn append(log: &Log, body: Vec<u8>) -> Arc<Batch> {
    log.append(framed(&[body]), 1, NOW_NS, None).expect("the disk is fine")
}

/// What a log holds: places, ids and bodies.
pub(crate) type Held = BTreeMap<u64, (Guid, Body)>;

/// A body that is short when a test prints it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Body(Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.len().min(20);
        write!(f, "{} bytes: {}", self.0.len(), self.0[..shown].escape_ascii())
    }
}

pub(crate) fn hold(held: &mut Held, batch: &Batch) {
    for (sequence, body) in (batch.first.0..).zip(unframed(batch)) {
        let before = held.insert(sequence, (batch.guid(Sequence(sequence)), Body(body)));
        assert_eq!(before, None, "message {sequence} comes twice");
    }
}

/// Everything on disk from `from` on, read in blocks of `max_bytes`.
pub(crate) fn read_all(log: &Log, from: Sequence, max_bytes: usize) -> (Held, Vec<Damage>) {
    let (mut held, mut damage) = (Held::new(), Vec::new());
    let mut next = from;
    while next < log.end() {
        let chunk = log.read(next, max_bytes).expect("the disk is fine");
        assert!(chunk.next > next, "reading goes forward");
        for batch in &chunk.batches {
            assert!(batch.end() > next && batch.end() <= chunk.next);
            hold(&mut held, batch);
        }
        damage.extend(chunk.damage);
        next = chunk.next;
    }
    (held, damage)
}
