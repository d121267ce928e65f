//! Daemons in this process, and tools in processes of their own.

pub(crate) mod daemon;
pub(crate) mod tool;
