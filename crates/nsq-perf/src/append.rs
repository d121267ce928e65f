//! Messages on their way into the log. What the kernel does is not counted.

use std::sync::Arc;

use anyhow::{Result, ensure};
use nsq_broker::Sequence;
use nsq_store::disk::OsDisk;
use nsq_store::{Opening, Store, StoreOptions};

use crate::workload::{BATCH, NOW_NS, block, node_id, rounds, topic};

/// In batches, as `MPUB` brings them.
pub(crate) fn batches(messages: u64) -> Result<()> {
    append(BATCH, rounds(messages, BATCH))
}

/// One by one.
pub(crate) fn singles(messages: u64) -> Result<()> {
    append(1, messages)
}

fn append(count: u32, rounds: u64) -> Result<()> {
    let data = tempfile::tempdir()?;
    let store = Store::new(StoreOptions {
        data_path: data.path().to_owned(),
        disk: Arc::new(OsDisk),
        node_id: node_id()?,
        max_bytes_per_file: 100 << 20,
        mem_queue_size: 10_000,
        memory_bytes: 64 << 20,
        max_open_files: 256,
    })?;
    let (log, _) = store.open_log(&topic()?, &Opening::default())?;
    let block = block(count);
    for _ in 0..rounds {
        log.append(block.clone(), count, NOW_NS, None)?;
    }
    ensure!(log.end() == Sequence(u64::from(count) * rounds));
    Ok(())
}
