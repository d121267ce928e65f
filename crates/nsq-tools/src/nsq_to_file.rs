//! `nsq_to_file`: writes the messages of topics to files, a line each.
//!
//! A message is finished when it is on the disk and not before: whatever kills this program, what
//! it had not synced is delivered again.

mod directory;
mod file_names;
mod left_over;
mod move_file;
mod open_file;
mod options;
mod recorder;
mod rotation;
mod settings;
mod sync_schedule;
mod topic_files;
mod topic_list;
mod topic_log;
mod topics;

pub use options::Options;
