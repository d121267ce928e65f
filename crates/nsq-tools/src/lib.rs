//! The six tools, each a module with its options, its checks and its `main`.
//!
//! `cli` has what they share: flags, first checks, lines on standard error, exit codes.

mod cli;
mod host_pool;
pub mod nsq_stat;
pub mod nsq_tail;
pub mod nsq_to_file;
pub mod nsq_to_http;
pub mod nsq_to_nsq;
mod status_lines;
pub mod to_nsq;
mod upstreams;
