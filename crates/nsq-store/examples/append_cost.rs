//! Measures what an append costs and how fast a log is read:
//! `cargo run --release -p nsq-store --example append_cost [directory]`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes};
use nsq_broker::Sequence;
use nsq_proto::{NodeId, TopicName};
use nsq_store::disk::OsDisk;
use nsq_store::{Log, Opening, Store, StoreOptions};

/// How much each measurement writes.
const TOTAL_BYTES: usize = 1 << 30;
const MESSAGE_BYTES: usize = 200;

fn main() -> io::Result<()> {
    let parent = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let data_path = parent.join(format!("append-cost-{}", std::process::id()));
    std::fs::create_dir(&data_path)?;
    let store = Store::new(StoreOptions {
        data_path: data_path.clone(),
        disk: Arc::new(OsDisk),
        node_id: NodeId::new(1).ok_or(io::ErrorKind::InvalidInput)?,
        max_bytes_per_file: 100 << 20,
        mem_queue_size: 10_000,
        memory_bytes: 100 << 20,
        max_open_files: 256,
    })?;
    for (name, count) in [("singles", 1), ("batches of 200", 200)] {
        for (kind, releases) in [("new files", false), ("files written again", true)] {
            let topic = TopicName::parse(format!("t{count}{releases}").as_bytes());
            let topic = topic.map_err(|_| io::ErrorKind::InvalidInput)?;
            let (log, _) = store.open_log(&topic, &Opening::default())?;
            append(&log, count, releases, &format!("{name}, {kind}"))?;
            if !releases {
                read(&log, name)?;
            }
            log.remove()?;
        }
    }
    std::fs::remove_dir_all(data_path)
}

fn append(log: &Log, count: u32, releases: bool, name: &str) -> io::Result<()> {
    let mut body = Vec::new();
    for _ in 0..count {
        body.put_u32(MESSAGE_BYTES as u32);
        body.put_bytes(b'.', MESSAGE_BYTES);
    }
    let body = Bytes::from(body);
    let appends = (TOTAL_BYTES / body.len()).min(2_000_000);
    let started = Instant::now();
    for done in 0..appends {
        log.append(body.clone(), count, 1, None)?;
        if releases && done % 256 == 0 {
            let end = log.end();
            log.release(end, &mut |sequence| sequence >= end)?;
        }
    }
    let each = started.elapsed() / appends as u32;
    println!("append {name}: {each:?}, {:?} a message", each / count);
    Ok(())
}

fn read(log: &Log, name: &str) -> io::Result<()> {
    let (started, mut next) = (Instant::now(), Sequence(0));
    while next < log.end() {
        next = log.read(next, 1 << 20)?.next;
    }
    let each = started.elapsed().as_nanos() as f64 / next.0 as f64;
    println!("read {name}: {each:.1} ns a message, {:.0} MB/s", 1000.0 * 204.0 / each);
    Ok(())
}
