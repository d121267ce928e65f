//! The six tools, each a module with its options, its checks and its `main`.
//!
//! `cli` has what they share: flags, first checks, lines on standard error, exit codes.

mod cli;

pub mod nsq_stat;
pub mod nsq_tail;
pub mod to_nsq;
