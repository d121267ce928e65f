//! The six tools, each a module with its options, its checks and its `main`.
//!
//! `cli` has what they share: flags, first checks, lines on standard error, exit codes.

#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tools follow")]
mod cli;

pub mod nsq_stat;
