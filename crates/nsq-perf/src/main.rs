//! The hot paths one by one: `nsq-perf <routine> <messages>` runs one for about so many messages.
//!
//! `cargo xtask perf` runs each under callgrind twice, with one number of messages and with double
//! that, and takes the difference: what starting up costs does not count. Instructions, unlike
//! times, are the same in every run.

mod append;
mod channel;
mod decode;
mod deliver;
mod workload;

use anyhow::{Context, Result, bail};

/// A hot path, to be run for a number of messages.
type Routine = fn(u64) -> Result<()>;

/// All of them, by the names that `perf/instructions.json` has.
const ROUTINES: &[(&str, Routine)] = &[
    ("decode_pub", decode::publishes),
    ("decode_mpub", decode::multi_publishes),
    ("decode_fin", decode::finishes),
    ("encode_messages", deliver::encode),
    ("channel_batches", channel::batches),
    ("channel_singles", channel::singles),
    ("append_batches", append::batches),
    ("append_singles", append::singles),
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        ROUTINES.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let messages = arguments.next().context("how many messages?")?.parse()?;
    match ROUTINES.iter().find(|(routine, _)| *routine == name) {
        Some((_, routine)) => routine(messages),
        None => bail!("no routine {name}"),
    }
}
